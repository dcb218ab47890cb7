"""From a parameter or a field of a body to an argument or option of typer, and the expression for its value."""

import keyword
from dataclasses import dataclass

from contract import Contract, ContractError, Node, Operation

LONG_TEXT = 1000
"""Texts of a body that may be longer than this are taken from a file or stdin too."""
TAKEN = {
    "context", "as_json", "json", "fields", "output", "limit", "everything", "all", "page", "page_size", "yes",
    "base_url", "profile", "quiet", "help", "input",
}  # fmt: skip
"""What every command, or every list, has besides; the contract can't use these names."""
COMPLETIONS = {"category": "category_slugs", "category_id": "category_ids"}
REQUEST = "Request"


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
    def declaration(self) -> str:
        made = "Option" if self.spelled else "Argument"
        settings = ", ".join([*([repr(self.spelled)] if self.spelled else []), *(f"{key}={it}" for key, it in self.settings.items())])
        kind = self.kind if self.required or self.default != "None" else f"{self.kind} | None"
        default = "" if self.required else f" = {self.default}"
        return f"{self.python_name}: Annotated[{kind}, typer.{made}({settings})]{default}"

    @property
    def python_name(self) -> str:
        return f"{self.name}_stdin" if self.spelled.endswith("-stdin") else self.name

    @property
    def pair(self) -> str:
        """The keyword argument of the SDK's method."""
        return f"{self.name}={self.value}"


def options_of(operation: Operation) -> tuple[list[Option], list[Option]]:
    """The options of an operation: those of its path, query and headers, and those of its body."""
    paths = [_argument(each) for each in operation.located("path")]
    queries = [
        _option(operation, each["name"], each["schema"], each.get("description", ""), required=each.get("required", False))
        for each in operation.located("query")
        if not (operation.is_list and each["name"] in ("page", "page_size"))
    ]
    headers = [_header(each) for each in operation.located("header")]
    body = _body(operation)
    _check([*paths, *queries, *headers, *body], operation)
    return [*paths, *queries, *headers], body


def _argument(parameter: Node) -> Option:
    name = python(parameter["name"])
    settings = {"help": text(parameter.get("description", ""))}
    by_id = parameter["schema"].get("format") == "uuid"
    completes = ("own_course_ids" if by_id else "course_slugs") if name == "course_id" else COMPLETIONS.get(name)
    if completes:
        settings["autocompletion"] = f"complete.{completes}"
    return Option(name, "str", settings, name, required=True)


def _header(parameter: Node) -> Option:
    name = python(parameter["name"].lower().replace("-", "_"))
    settings = {"help": text(parameter["description"]), "show_default": "False", "rich_help_panel": repr(REQUEST)}
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
    return [Option(name, "str", about, value, required=True, spelled="--input")]


def _option(operation: Operation, name: str, schema: Node, about: str, *, required: bool, in_body: bool = False) -> Option:
    contract = operation.contract
    resolved = contract.resolved(schema)
    if in_body and _is_secret(name, resolved):
        return _secret(name, required=required)
    kind, value, more, extra = _conversion(contract, python(name), resolved, in_body=in_body)
    about = " ".join((about or resolved.get("description", "")).split())
    sentences = [about, *more]
    if "default" in resolved:
        sentences.append(f"{resolved['default']} by default.")
    if resolved.get("nullable"):
        sentences.append("`null` for none.")
    if resolved.get("deprecated"):
        sentences.append("Deprecated.")
    settings = {"help": text(" ".join(sentences)), "show_default": "False", **extra}
    if name in COMPLETIONS:
        settings["autocompletion"] = f"complete.{COMPLETIONS[name]}"
    spelled = f"{flag(name)}/--no-{flag(name)[2:]}" if kind == "bool" else flag(name)
    return Option(python(name), kind, settings, value, required=required, spelled=spelled)


def _secret(name: str, *, required: bool) -> Option:
    about = {"help": text(f"Read the {name.replace('_', ' ')} from stdin, a line of its own.")}
    value = f"values.secret({name!r}, from_stdin={name}_stdin, required={required})"
    return Option(name, "bool", about, value, default="False", spelled=f"{flag(name)}-stdin")


def _conversion(contract: Contract, name: str, schema: Node, *, in_body: bool) -> tuple[str, str, list[str], dict[str, str]]:
    """The type, the value, what the help says besides, and more settings."""
    nullable = bool(schema.get("nullable"))
    kind = schema.get("type", "")
    if "enum" in schema:
        return _choice(name, schema, nullable=nullable)
    if kind in ("integer", "number", "boolean"):
        if nullable or schema.get("x-unpuzzle-money"):
            return "str", f"values.scalar({name})", [], {"metavar": repr(kind.upper())}
        return {"integer": "int", "number": "float", "boolean": "bool"}[kind], name, [], {}
    if kind == "array":
        return _array(contract, name, schema, nullable=nullable)
    if kind == "object":
        return _object(contract, name, schema)
    if kind != "string":
        return "str", f"values.document({name})", ["JSON, `@file` or `-`."], {"metavar": "'JSON'"}
    if in_body and schema.get("maxLength", 0) >= LONG_TEXT and schema.get("format") != "uri":
        return "str", f"values.text({name}{', nullable=True' if nullable else ''})", ["`@file` or `-` for stdin."], {}
    return "str", f"values.nullable({name})" if nullable else name, [], {}


def _choice(name: str, schema: Node, *, nullable: bool) -> tuple[str, str, list[str], dict[str, str]]:
    known = [str(each) for each in schema["enum"] if each is not None]
    value = f"values.nullable({name})" if nullable else name
    if "may add" in schema.get("description", ""):  # later servers know more than this list
        return "str", value, [f"Today: {', '.join(known)}."], {"autocompletion": f"complete.words({', '.join(map(repr, known))})"}
    listed = [*known, "null"] if nullable else known
    return f"Literal[{', '.join(map(repr, listed))}]", value, [], {}


def _array(contract: Contract, name: str, schema: Node, *, nullable: bool) -> tuple[str, str, list[str], dict[str, str]]:
    item = contract.resolved(schema["items"]).get("type", "object")
    more = ["May be repeated; '' for an empty list."]
    if item in ("object", "array"):
        return "list[str]", f"values.objects({name})", ["JSON; may be repeated, or one array, `@file` or `-`."], {"metavar": "'JSON'"}
    if item in ("integer", "number"):
        return f"list[{'int' if item == 'integer' else 'float'}]", f"{name} or None", ["May be repeated."], {}
    return "list[str]", f"values.strings({name}{', nullable=True' if nullable else ''})", more, {}


def _object(contract: Contract, name: str, schema: Node) -> tuple[str, str, list[str], dict[str, str]]:
    fields = {key: contract.resolved(field) for key, field in schema.get("properties", {}).items()}
    texts = tuple(key for key, field in fields.items() if field.get("type") == "string" and not field.get("nullable"))
    rest = schema.get("additionalProperties")
    all_texts = not fields and isinstance(rest, dict) and contract.resolved(rest).get("type") == "string"
    strings = "None" if all_texts else repr(texts)
    more = [f"Of: {', '.join(fields)}."] if fields else []
    return "list[str]", f"values.mapping({name}, strings={strings})", [*more, "May be repeated, or one JSON object."], {"metavar": "'KEY=VALUE'"}


def _is_secret(name: str, schema: Node) -> bool:
    return schema.get("format") == "password" or name.endswith(("password", "_token", "secret")) or name == "token"


def _check(options: list[Option], operation: Operation) -> None:
    names = [option.name for option in options]
    doubles = {name for name in names if name in TAKEN or names.count(name) > 1}
    if doubles:
        raise ContractError(f"{operation.name}: the names {', '.join(sorted(doubles))} are taken")


def text(value: str) -> str:
    """Code of a string on one line, in which rich sees no markup."""
    return repr(" ".join(value.split()).replace("[", "\\["))


def flag(name: str) -> str:
    return "--" + name.lower().replace("_", "-")


def python(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name
