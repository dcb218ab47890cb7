"""The post hook of the generator: what openapi-python-client has no template for.

It reads the contract twice, as opc understands it (names, types, parameters) and as it is written (the `x-unpuzzle-…`
extensions), joins the two by operation, and renders the templates in `templates_extra/` into the package:
`resources/<tag>.py`, `api/<tag>/<operation>.py` of what streams, `_client.py`, `_async_client.py`, `_session.py`,
`_deprecations.py`, `_error_codes.py`, `errors.py`, `_secrets.py`, `_spec.py`, `testing/_names.py`;
`testing/contract.json` is what the mock knows.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import marks
import mocking
import nullable
from docstrings import Contract, Docstring
from examples import Example
from faults import ContractError
from jinja2 import FileSystemLoader
from openapi_python_client import Project, _get_project_for_url_or_path
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser.openapi import Endpoint
from openapi_python_client.parser.properties import ListProperty, ModelProperty, Property
from openapi_python_client.schema import Schema

CODEGEN = Path(__file__).resolve().parent
sys.path.insert(0, str(CODEGEN.parent))  # the hand-written core says which exception a status is
PACKAGE = CODEGEN.parent / "unpuzzle_sdk"

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
# What a resource can do besides its operations is written by hand: the module, and the classes for both clients.
EXTENSIONS = {"media": ("uploads", "Uploads", "AsyncUploads")}
# The client sets these itself, so that no method takes them.
CLIENT_HEADERS = {"X-API-Version"}


@dataclass
class Operation:
    """An operation as opc parsed it, beside what the contract says about it in its own words."""

    endpoint: Endpoint
    raw: dict[str, Any]
    project: Project

    @property
    def tag(self) -> str:
        """The tag, which is the resource it belongs to."""
        return str(self.endpoint.tags[0])

    @property
    def verb(self) -> str:
        """The name of its method: what follows the tag in the operationId."""
        return self.raw["operationId"].removeprefix(f"{self.tag}.")

    @property
    def call(self) -> str:
        """Its method and path."""
        return f"{self.endpoint.method.upper()} {_text(self.endpoint.path)}"

    @property
    def notice(self) -> str:
        """What is said to whoever calls it, if it is going away; else empty."""
        if "x-unpuzzle-deprecation" not in self.raw:
            return ""
        found = self.raw["x-unpuzzle-deprecation"]
        until = f"{self.raw['operationId']} is deprecated, and will be gone on {found['sunset_at']}"
        return f"{until}: use {found['use']}. See {found['guide']}"

    @property
    def stream(self) -> dict[str, Any]:
        """What the contract says of the events that it streams; empty if it streams none."""
        return dict(self.raw.get("x-unpuzzle-stream", {}))

    @property
    def only_streams(self) -> bool:
        """Whether it answers with events and nothing else."""
        return bool(self.stream) and "flag" not in self.stream

    @property
    def stream_verb(self) -> str:
        """The name of the method that gives events."""
        return self.verb if self.only_streams else str(self.stream.get("named", f"{self.verb}_stream"))

    @property
    def stream_module(self) -> str:
        """The module that says so."""
        return str(self.endpoint.name) if self.only_streams else f"{self.endpoint.name}_stream"

    @property
    def events(self) -> dict[str, str]:
        """The model of what each event tells, by its name."""
        named = {name: schema["$ref"].rpartition("/")[2] for name, schema in self.stream.get("events", {}).items()}
        names = [str(model.class_info.name) for model in self.project.openapi.models]
        classes = {name.lower(): name for name in names}
        return {name: classes[schema.lower()] for name, schema in named.items()}

    @property
    def event_type(self) -> str:
        """What any of its events may tell."""
        return " | ".join(dict.fromkeys(f"models.{name}" for name in self.events.values()))

    @property
    def final_type(self) -> str:
        """What the last of its events tells; it may have none."""
        final = self.stream.get("final")
        return f"models.{self.events[final]}" if final else "Never"

    @property
    def keyed(self) -> bool:
        """Whether it takes an `Idempotency-Key`."""
        return "Idempotency-Key" in {_text(header.name) for header in self.headers}

    @property
    def headers(self) -> list[Property]:
        """The header parameters that a caller may set."""
        return [header for header in self.endpoint.header_parameters if _text(header.name) not in CLIENT_HEADERS]

    @property
    def body_kind(self) -> str:
        """How the body is given: "fields" (an object or a form as keyword arguments), "json", "content" or ""."""
        if not self.endpoint.bodies:
            return ""
        body = self.endpoint.bodies[0]
        if body.body_type == "content":
            return "content"
        if body.body_type not in ("json", "data"):
            raise ContractError(f"{self.raw['operationId']}: a body of type {body.content_type} is not supported")
        return "fields" if isinstance(body.prop, ModelProperty) else "json"

    @property
    def body_fields(self) -> list[Property]:
        """The properties of a JSON object in the body, the required ones first."""
        if self.body_kind != "fields":
            return []
        model = self._model(self.endpoint.bodies[0].prop)
        fields = [*(model.required_properties or []), *(model.optional_properties or [])]
        return [field for field in fields if _text(field.name) != self.stream.get("flag")]

    @property
    def body_schema(self) -> Schema | None:
        """The schema of an object in the body."""
        return self._model(self.endpoint.bodies[0].prop).data if self.body_kind == "fields" else None

    @property
    def secret_names(self) -> list[str]:
        """The names of its arguments that are secret, as Python has them."""
        arguments = [*self.endpoint.query_parameters, *self.body_fields]
        return [str(prop.python_name) for prop in arguments if _text(prop.name) in self.raw["secret_arguments"]]

    @property
    def not_modified(self) -> bool:
        """Whether the caller may ask for an answer only if the resource has changed."""
        return "If-None-Match" in {_text(header.name) for header in self.headers}

    def describe(self, prop: Property) -> str:
        """The description of a parameter or a property of the body; opc does not keep those of parameters."""
        parameter = self.raw["arguments"].get(self.wire_name(prop), {})
        return " ".join((parameter.get("description") or _text(prop.description or "")).split())

    @staticmethod
    def wire_name(prop: Property) -> str:
        """The name of a parameter or a property of the body in the contract."""
        return _text(prop.name)

    @property
    def success(self) -> str:
        """The status of its usual answer, which the contract names first."""
        return str(next(iter(self.raw["responses"])))

    @property
    def leads_on(self) -> bool:
        """Whether it answers with where to go on."""
        return self.success in ("302", "303")

    @property
    def defers(self) -> bool:
        """Whether it may put off what it is for, with a 202 beside its success."""
        return "202" in self.raw["responses"] and self.success != "202"

    @property
    def items(self) -> str:
        """The key of the items of a list operation, else empty."""
        return self.raw.get("x-unpuzzle-pagination", {}).get("items", "")

    @property
    def item(self) -> Property:
        """What a list operation lists."""
        for field in self.answer_fields:
            if _text(field.name) == self.items and isinstance(field, ListProperty):
                return field.inner_property
        raise ContractError(f"{self.raw['operationId']} has no list {self.items!r} in its answer")

    @property
    def answer_fields(self) -> list[Property]:
        """The properties of the first successful answer, if that is an object."""
        for response in self.endpoint.responses.patterns:
            if (response.status_code.range or (0,))[0] < 300 and isinstance(response.prop, ModelProperty):
                model = self._model(response.prop)
                return [*(model.required_properties or []), *(model.optional_properties or [])]
        return []

    @property
    def session(self) -> str:
        """What it does to the session: "begin", "refresh", "end" or "none".

        `x-unpuzzle-session` says so. Without it: who sets cookies and answers tokens begins a session, or continues
        one if it takes a refresh token; who sets cookies and answers no tokens has cleared them.
        """
        if "x-unpuzzle-session" in self.raw:
            return str(self.raw["x-unpuzzle-session"])
        if not self._sets_cookies:
            return ""
        if "access_token" not in {_text(field.name) for field in self.answer_fields}:
            return "end"
        return "refresh" if "refresh_token" in {_text(field.name) for field in self.body_fields} else "begin"

    @property
    def _sets_cookies(self) -> bool:
        answers = (answer for status, answer in self.raw["responses"].items() if status.startswith("2"))
        return any("Set-Cookie" in answer.get("headers", {}) for answer in answers)

    def _model(self, prop: ModelProperty) -> ModelProperty:
        # A property may be a copy from before opc filled in the fields; the list of models has the finished one.
        return next(model for model in self.project.openapi.models if model.class_info.name == prop.class_info.name)


def _text(value: Any) -> str:
    return value.get_untrusted_value() if hasattr(value, "get_untrusted_value") else str(value)


def load_project(contract: Path) -> Project:
    """Parse the contract as the generator did, with the same settings and templates."""
    config = Config.from_sources(
        config_file=ConfigFile.load_from_path(CODEGEN / "config.yaml"),
        meta_type=MetaType.NONE,
        document_source=contract,
        file_encoding="utf-8",
        overwrite=True,
        output_path=PACKAGE,
    )
    project = _get_project_for_url_or_path(config, CODEGEN / "templates")
    if not isinstance(project, Project):
        raise ContractError(project.detail or project.header)
    project.env.loader.loaders.insert(0, FileSystemLoader(CODEGEN / "templates_extra"))  # type: ignore[union-attr]
    return project


def raw_operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations as they are written, by operationId, parameters by name as `arguments`, and what is secret."""
    operations = {}
    for item in document["paths"].values():
        for operation in (value for key, value in item.items() if key in METHODS):
            parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
            resolved = [marks.resolve(document, parameter) for parameter in parameters]
            more = {
                "arguments": {parameter["name"]: parameter for parameter in resolved},
                "secret_arguments": sorted(marks.of_requests(document, operation, resolved)),
                "secret_fields": sorted(marks.of_answers(document, operation)),
            }
            operations[operation["operationId"]] = {**operation, **more}
    return operations


def join(project: Project, document: dict[str, Any]) -> Iterator[Operation]:
    """Pair each operation of opc with its raw form; complain about any that is missing on either side."""
    identifier = project.env.globals["python_identifier"]
    raw = {identifier(operation_id): operation for operation_id, operation in raw_operations(document).items()}
    for collection in project.openapi.endpoint_collections_by_tag.values():
        for endpoint in collection.endpoints:
            yield Operation(endpoint, raw.pop(endpoint.name), project)
    if raw:
        raise ContractError(f"the generator dropped {', '.join(sorted(raw))}")


def check_names(operation: Operation) -> None:
    """Refuse an operation two of whose arguments would have the same name."""
    properties = [
        *operation.endpoint.path_parameters,
        *operation.endpoint.query_parameters,
        *operation.headers,
        *operation.body_fields,
    ]
    names = [str(prop.python_name) for prop in properties]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ContractError(f"{operation.raw['operationId']} takes {', '.join(doubles)} twice")


def check_own(operations: list[Operation]) -> None:
    """Refuse an operation whose method would stand before one that is written by hand."""
    for tag, (module, sync, _) in EXTENSIONS.items():
        classes = ast.parse((PACKAGE / f"{module}.py").read_text("utf-8")).body
        (written,) = (each for each in classes if isinstance(each, ast.ClassDef) and each.name == sync)
        methods = {each.name for each in written.body if isinstance(each, ast.FunctionDef)}
        for operation in operations:
            if operation.tag == tag and methods & {operation.verb, operation.stream_verb}:
                raise ContractError(f"{operation.raw['operationId']}: {module}.{sync} has a method by that name")


def prose(operations: list[Operation], document: dict[str, Any]) -> dict[str, Any]:
    """What the templates ask about the docstring and the example of an operation."""
    contract, classes = Contract(document), {code["code"]: code["name"] for code in error_codes(document)}
    return {
        "docstrings": {operation.endpoint.name: Docstring(operation, contract, classes) for operation in operations},
        "examples": {operation.endpoint.name: Example(operation, contract) for operation in operations},
    }


def error_codes(document: dict[str, Any]) -> list[dict[str, str]]:
    """Each error code with the name of its class, of the class of its status, and when it comes."""
    from unpuzzle_sdk._core.errors import class_of_status

    schema = document["components"]["schemas"]["ErrorCode"]
    statuses: dict[str, int] = schema["x-unpuzzle-statuses"]
    return [
        {
            "code": code,
            "name": "".join(word.capitalize() for word in code.split("_")),
            "base": class_of_status(status).__name__,
            "status": str(status),
            "meaning": schema["x-unpuzzle-meanings"][code],
        }
        for code, status in sorted(statuses.items())
    ]


def refusals(operations: list[Operation], codes: list[dict[str, str]]) -> list[str]:
    """The error codes of a 401 that are about tokens: those that the exchange of a token has."""
    of_401 = {code["code"] for code in codes if code["status"] == "401"}
    named = (operation.raw["x-unpuzzle-errors"] for operation in operations if operation.session == "refresh")
    return sorted(of_401.intersection(*named))


def kinds_of_errors() -> list[str]:
    """The exceptions that are written by hand."""
    from unpuzzle_sdk._core import errors

    return list(errors.__all__)


def render(project: Project, template: str, target: str, **context: Any) -> None:
    """Write one file of the package."""
    path = PACKAGE / target
    path.parent.mkdir(exist_ok=True)
    path.write_text(project.env.get_template(template).render(**context), encoding="utf-8")


def main() -> None:
    """Render everything."""
    gc.disable()  # as in generate.py
    contract = Path(os.environ["CONTRACT_JSON"])
    document = json.loads(contract.read_bytes())
    project = load_project(contract)
    operations = list(join(project, document))
    for operation in operations:
        check_names(operation)
    check_own(operations)
    by_tag = {tag["name"]: [op for op in operations if op.tag == tag["name"]] for tag in document["tags"]}
    tags = [{**tag, "class_name": _class(tag["name"])} for tag in document["tags"] if by_tag[tag["name"]]]

    codes = error_codes(document)
    told = prose(operations, document)
    render(project, "resources_init.py.jinja", "resources/__init__.py")
    for operation in (operation for operation in operations if operation.stream):
        target = f"api/{operation.tag}/{operation.stream_module}.py"
        render(project, "stream_module.py.jinja", target, operation=operation, endpoint=operation.endpoint)
    for tag in tags:
        extension = EXTENSIONS.get(tag["name"])
        context = {"tag": tag, "extension": extension, "operations": by_tag[tag["name"]], **told}
        render(project, "resource.py.jinja", f"resources/{tag['name']}.py", **context)
    render(project, "session.py.jinja", "_session.py", operations=operations, refusals=refusals(operations, codes))
    render(project, "deprecations.py.jinja", "_deprecations.py", operations=operations)
    render(project, "facade.py.jinja", "_client.py", tags=tags, asynchronous=False)
    render(project, "facade.py.jinja", "_async_client.py", tags=tags, asynchronous=True)
    render(project, "error_codes.py.jinja", "_error_codes.py", codes=codes)
    render(project, "errors.py.jinja", "errors.py", codes=codes, kinds=kinds_of_errors())
    render(project, "secrets.py.jinja", "_secrets.py", operations=operations)
    digest = hashlib.sha256(Path(os.environ["CONTRACT_YAML"]).read_bytes()).hexdigest()
    render(project, "spec.py.jinja", "_spec.py", digest=digest, document=document)
    known = mocking.contract_of(document)
    render(project, "operation_names.py.jinja", "testing/_names.py", known=known)
    (PACKAGE / "testing" / "contract.json").write_text(mocking.as_text(known), encoding="utf-8")
    nullable.rename(project, PACKAGE)


def _class(tag: str) -> str:
    return "".join(word.capitalize() for word in tag.replace("-", "_").split("_"))


if __name__ == "__main__":
    main()
