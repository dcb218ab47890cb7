"""From a parameter or a field of a body to an argument or option of typer, and the expression for its value."""

import keyword
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain

from contract import Contract, ContractError, Node, Operation

LONG_TEXT = 1000
"""Texts of a body that may be this long are taken from a file or stdin too; compat sees that a wider limit makes one of them."""
TAKEN = {
    "json", "fields", "jq", "template", "output", "limit", "everything", "all", "page", "page_size", "yes",
    "base_url", "profile", "quiet", "help", "input",
}  # fmt: skip
"""What every command, or every list, has besides; the contract can't use these names."""
COMPLETIONS = {"category": "category_slugs", "category_id": "category_ids"}
SHOWN = 3
"""So many fields of an object are shown as they are typed."""
REQUEST, INPUT = "Request", "--input"


@dataclass
class Option:
    """One argument or option of a command."""

    name: str
    kind: str
    """Its Python type."""
    settings: dict[str, str]
    """The arguments of `typer.Option`, as code."""
    value: str
    required: bool = False
    default: str = "None"
    spelled: str = ""
    """How it is given; empty for an argument."""

    @property
    def annotation(self) -> str:
        made = "Option" if self.spelled else "Argument"
        spelled = [repr(self.spelled)] if self.spelled else []
        settings = ", ".join([*spelled, *(f"{key}={setting}" for key, setting in self.settings.items())])
        kind = self.kind if self.required or self.default != "None" else f"{self.kind} | None"
        return f"Annotated[{kind}, typer.{made}({settings})]"

    def declaration(self, shared: dict[str, str]) -> str:
        """A parameter of the command's function; its type is one of the shared ones where its own is among them."""
        alias = alias_of(self)
        kind = f"options.{alias}" if shared.get(alias) == self.annotation else self.annotation
        return f"{self.python_name}: {kind}" + ("" if self.required else f" = {self.default}")

    @property
    def python_name(self) -> str:
        return f"{self.name}_stdin" if self.spelled.endswith("-stdin") else variable(self.name)

    @property
    def pair(self) -> str:
        """The keyword argument of the SDK's method."""
        return f"{self.name}={self.value}"


def options_of(operation: Operation) -> tuple[list[Option], list[Option]]:
    """The options of an operation: those of its path, query and headers, and those of its body."""
    paths = [_argument(operation, each) for each in operation.located("path")]
    queries = [
        _option(operation, each["name"], each["schema"], each.get("description", ""), required=each.get("required", False))
        for each in operation.located("query")
        if not (operation.is_list and each["name"] in ("page", "page_size"))
    ]
    headers = [_header(each) for each in operation.located("header")]
    body = _body(operation)
    _check([*paths, *queries, *headers, *body], operation)
    return [*paths, *queries, *headers], body


def shared_options(contract: Contract) -> dict[str, str]:
    """What more than one command takes, by the name of its type; of two that would share a name, the one with more uses."""
    uses = Counter((alias_of(option), option.annotation) for each in contract.operations() for option in chain(*options_of(each)))
    found: dict[str, str] = {}
    for (alias, annotation), count in uses.most_common():
        if count > 1:
            found.setdefault(alias, annotation)
    return dict(sorted(found.items()))


def alias_of(option: Option) -> str:
    return option.python_name.title().replace("_", "")


def _argument(operation: Operation, parameter: Node) -> Option:
    name = python(parameter["name"])
    settings = {"help": text(parameter.get("description", ""))}
    by_id = parameter["schema"].get("format") == "uuid"
    completes = ("own_course_ids" if by_id else "course_slugs") if name == "course_id" else COMPLETIONS.get(name)
    completes = completes or _ids(operation, parameter["name"])
    if completes:
        settings["autocompletion"] = f"complete.{completes}"
    return Option(name, "str", settings, name, required=True)


def _ids(operation: Operation, parameter: str) -> str:
    """How the ids in the path are completed: from the list at the path before them, if the contract has one."""
    path = operation.path.partition(f"{{{parameter}}}")[0]
    for each in operation.contract.operations():
        if each.path == path and each.is_list:
            owners = [python(owner["name"]) for owner in each.located("path")]
            return f"ids({', '.join(map(repr, [each.name, *owners]))})"
    return ""


def _header(parameter: Node) -> Option:
    name = python(parameter["name"].lower().replace("-", "_"))
    about = text(parameter.get("description", ""))
    settings = {"help": about, "show_default": "False", "metavar": "'TEXT'", "rich_help_panel": repr(REQUEST)}
    return Option(name, "str", settings, name, spelled=flag(name))


def _body(operation: Operation) -> list[Option]:
    if not operation.body_type:
        return []
    needed = operation.body.get("required", [])
    if operation.fields:
        return [
            _option(operation, name, field, field.get("description", ""), required=name in needed, in_body=True)
            for name, field in operation.fields.items()
        ]
    about = {"help": text("The body: JSON, `@file`, or `-` for stdin."), "show_default": "False"}
    as_json = operation.body_type == "application/json"
    name, value = ("body", "values.document(body)") if as_json else ("content", "values.content(content)")
    return [Option(name, "str", about, value, required=True, spelled=INPUT)]


def _option(operation: Operation, name: str, schema: Node, about: str, *, required: bool, in_body: bool = False) -> Option:
    contract = operation.contract
    resolved = contract.resolved(schema)
    if in_body and _is_secret(name, resolved):
        return _secret(name, required=required)
    try:
        made = _converted(contract, variable(python(name)), resolved)
    except ContractError as refused:
        raise ContractError(f"{operation.name}: {name} would be {refused}, which no option can be yet") from None
    about = " ".join((about or resolved.get("description", "")).split())
    sentences = [about, *([made.about] if made.about else [])]
    if "default" in resolved:
        sentences.append(f"{resolved['default']} by default.")
    if resolved.get("nullable"):
        sentences.append("`null` for none.")
    if resolved.get("deprecated"):
        sentences.append("Deprecated.")
    settings = {"help": text(" ".join(sentences)), "show_default": "False", **made.settings}
    if not made.kind.startswith(("bool", "Literal")):
        settings.setdefault("metavar", repr(_metavar(resolved)))
    if name in COMPLETIONS:
        settings["autocompletion"] = f"complete.{COMPLETIONS[name]}"
    spelled = f"{flag(name)}/--no-{flag(name)[2:]}" if made.kind == "bool" else flag(name)
    return Option(python(name), made.kind, settings, made.value, required=required, spelled=spelled)


def _secret(name: str, *, required: bool) -> Option:
    about = {"help": text(f"Read the {name.replace('_', ' ')} from stdin, a line of its own.")}
    value = f"values.secret({name!r}, from_stdin={name}_stdin, required={required})"
    return Option(name, "bool", about, value, default="False", spelled=f"{flag(name)}-stdin")


@dataclass(frozen=True)
class Conversion:
    """How a value is declared and read."""

    kind: str
    value: str
    about: str = ""
    """What the help says besides the description."""
    settings: dict[str, str] = field(default_factory=dict)


def _converted(contract: Contract, name: str, schema: Node) -> Conversion:
    if "enum" in schema:
        return _choice(name, schema)
    kinds = {"string": _text, "array": _array, "object": _object, "integer": _number, "number": _number, "boolean": _number}
    convert = kinds.get(schema.get("type", ""))
    if convert is None:
        return Conversion("str", f"values.document({name})", "JSON, `@file` or `-`.", {"metavar": "'JSON'"})
    return convert(contract, name, schema)


def _choice(name: str, schema: Node) -> Conversion:
    known = [each for each in schema["enum"] if each is not None]
    if not all(isinstance(each, str) for each in known):
        raise ContractError("one of some numbers")
    value = f"values.nullable({name})" if schema.get("nullable") else name
    if "may add" in schema.get("description", ""):  # later servers know more than this list
        completes = {"autocompletion": f"complete.words({', '.join(map(repr, known))})"}
        return Conversion("str", value, f"Today: {', '.join(known)}.", completes)
    listed = [*known, "null"] if schema.get("nullable") else known
    return Conversion(f"Literal[{', '.join(map(repr, listed))}]", value)


def _text(contract: Contract, name: str, schema: Node) -> Conversion:
    nullable = bool(schema.get("nullable"))
    if schema.get("maxLength", 0) >= LONG_TEXT and schema.get("format") != "uri":
        return Conversion("str", f"values.text({name}{', nullable=True' if nullable else ''})", "`@file` or `-` for stdin.")
    return Conversion("str", f"values.nullable({name})" if nullable else name)


def _number(contract: Contract, name: str, schema: Node) -> Conversion:
    kind = schema["type"]
    if schema.get("nullable") or schema.get("x-unpuzzle-money"):
        return Conversion("str", f"values.scalar({name})", "", {"metavar": "'true|false'" if kind == "boolean" else "'N'"})
    value = f"values.finite({name})" if kind == "number" else name
    return Conversion({"integer": "int", "number": "float", "boolean": "bool"}[kind], value)


def _array(contract: Contract, name: str, schema: Node) -> Conversion:
    item = contract.resolved(schema["items"]).get("type", "object")
    if item == "boolean" or (item != "string" and schema.get("nullable")):
        raise ContractError(f"a list of {item}s{' or null' if schema.get('nullable') else ''}")
    if item in ("object", "array"):
        return _objects(contract, name, contract.resolved(schema["items"]))
    if item in ("integer", "number"):
        return Conversion(f"list[{'int' if item == 'integer' else 'float'}]", f"{name} or None", "May be repeated.")
    nullable = ", nullable=True" if schema.get("nullable") else ""
    return Conversion("list[str]", f"values.strings({name}{nullable})", "May be repeated; '' for an empty list.")


def _objects(contract: Contract, name: str, item: Node) -> Conversion:
    fields, texts = _fields(contract, item)
    about = "May be repeated; JSON, an array of it, `@file` and `-` are taken too."
    if not fields:
        return Conversion("list[str]", f"values.objects({name})", about, {"metavar": "'JSON'"})
    given = ",".join(f"{field}=…" for field in list(fields)[:SHOWN])
    all_of_them = f",…`, of: {', '.join(fields)}" if len(fields) > SHOWN else "`"  # a long word would be broken in the help
    value = f"values.objects({name}, fields={tuple(fields)!r}, strings={texts!r})"
    return Conversion("list[str]", value, f"As `{given}{all_of_them}. {about}", {"metavar": "'KEY=VALUE,…'"})


def _fields(contract: Contract, schema: Node) -> tuple[Node, tuple[str, ...]]:
    """The fields of an object, and which of them are texts, whatever they look like."""
    fields = {key: contract.resolved(field) for key, field in schema.get("properties", {}).items()}
    return fields, tuple(key for key, field in fields.items() if field.get("type") == "string" and not field.get("nullable"))


def _object(contract: Contract, name: str, schema: Node) -> Conversion:
    fields, texts = _fields(contract, schema)
    rest = schema.get("additionalProperties")
    all_texts = not fields and isinstance(rest, dict) and contract.resolved(rest).get("type") == "string"
    known = f"Of: {', '.join(fields)}. " if fields else ""
    value = f"values.mapping({name}, strings={None if all_texts else texts!r})"
    return Conversion("list[str]", value, f"{known}May be repeated, or one JSON object.", {"metavar": "'KEY=VALUE'"})


def _metavar(schema: Node) -> str:
    """What stands for a value in the help."""
    one = schema.get("items", schema)
    if one.get("type") in ("integer", "number"):
        return "N"
    return {"uuid": "ID", "uri": "URL", "email": "EMAIL", "date": "DATE", "date-time": "TIME"}.get(one.get("format", ""), "TEXT")


def _is_secret(name: str, schema: Node) -> bool:
    return schema.get("format") == "password" or name.endswith(("password", "_token", "secret")) or name == "token"


def _check(options: list[Option], operation: Operation) -> None:
    names = [option.name for option in options]
    doubles = {name for name in names if name in TAKEN or names.count(name) > 1}
    if doubles:
        raise ContractError(f"{operation.name}: the names {', '.join(sorted(doubles))} are taken")


def text(value: str) -> str:
    """Code of a string on one line."""
    return repr(" ".join(value.split()))


def flag(name: str) -> str:
    return "--" + name.lower().replace("_", "-")


def variable(name: str) -> str:
    """What a command calls it: `context` is typer's own."""
    return "context_" if name == "context" else name


def python(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name
