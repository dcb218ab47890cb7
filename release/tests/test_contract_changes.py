"""Each kind of break of the contract is found, and what breaks nobody is not."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from compatibility.contract import breaking_changes

Node = dict[str, Any]
Change = Callable[[Node, Node], object]
"""What is done to the operation `notes.list` or `notes.create`, and to the schemas."""

CONTRACT = yaml.safe_load("""
servers: [{url: https://api.example.com}]
paths:
  /notes/{note_id}/:
    parameters: [{$ref: '#/components/parameters/NoteId'}]
    put:
      operationId: notes.create
      security: [{bearer: []}, {cookie: []}]
      x-unpuzzle-role: user
      x-unpuzzle-scopes: [notes:write]
      parameters:
        - {name: size, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 20}}
        - {name: order, in: query, schema: {type: string, enum: [asc, desc]}}
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/NewNote'}}}}
      responses:
        '200':
          headers: {ETag: {required: true, schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}, text/plain: {}}
        '201': {content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
        '404': {content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
    get:
      operationId: notes.list
      security: []
      x-unpuzzle-role: public
      x-unpuzzle-session: none
      x-unpuzzle-errors: [NOTE_NOT_FOUND]
      x-unpuzzle-pagination: {items: results}
      x-unpuzzle-stream: {flag: stream, events: {said: {$ref: '#/components/schemas/Note'}, done: {type: object}}}
      responses: {'200': {content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Note'}}}}}}
components:
  securitySchemes: {bearer: {type: http, scheme: bearer}, cookie: {type: apiKey, in: cookie, name: access}}
  parameters:
    NoteId: {name: note_id, in: path, required: true, schema: {type: string, maxLength: 36}}
  schemas:
    ErrorCode: {type: string, enum: [NOTE_NOT_FOUND], x-unpuzzle-statuses: {NOTE_NOT_FOUND: 404}}
    Error: {type: object, properties: {code: {type: string}}}
    Base: {type: object, required: [id], properties: {id: {type: string}}}
    Note:
      allOf:
        - $ref: '#/components/schemas/Base'
        - type: object
          required: [text]
          properties:
            text: {type: string}
            kind: {type: string, enum: [a, b]}
            answers: {type: array, items: {$ref: '#/components/schemas/Note'}}
            price: {type: number, x-unpuzzle-money: true}
    NewNote:
      type: object
      required: [text]
      properties:
        text: {type: string, minLength: 1}
        kind: {type: string, enum: [a, b]}
        tags: {type: array, maxItems: 5, items: {type: string}}
        due: {type: string, format: date, nullable: true}
        about: {oneOf: [{$ref: '#/components/schemas/Base'}, {type: string}]}
""")


def changed(operation: str, change: Change) -> Node:
    document: Node = copy.deepcopy(CONTRACT)
    (path,) = document["paths"].values()
    change(path[{"create": "put", "list": "get"}[operation]], document["components"]["schemas"])
    return document


def note(schemas: Node) -> Node:
    """What a note has besides its id."""
    found: Node = schemas["Note"]["allOf"][1]
    return found


def new(schemas: Node, name: str) -> Node:
    """A field of what a note is made of."""
    found: Node = schemas["NewNote"]["properties"][name]
    return found


BREAKS: dict[str, tuple[str, Change]] = {
    "notes.create: it is at PUT /notes/{id}/, was at PUT /notes/{note_id}/": ("address", lambda op, schemas: None),
    "notes.create: it does not take size in the query": ("create", lambda op, _: op["parameters"].pop(0)),
    "notes.create: it requires a in the header": (
        "create",
        lambda op, _: op["parameters"].append({"name": "a", "in": "header", "required": True}),
    ),
    "notes.create: it requires size in the query": ("create", lambda op, _: op["parameters"][0].update(required=True)),
    "notes.create: size: maximum is 50, was 100": ("create", lambda op, _: op["parameters"][0]["schema"].update(maximum=50)),
    "notes.create: size: minimum is 2, was 1": ("create", lambda op, _: op["parameters"][0]["schema"].update(minimum=2)),
    "notes.create: size: default is 10, was 20": ("create", lambda op, _: op["parameters"][0]["schema"].update(default=10)),
    "notes.create: size: type is string, was integer": (
        "create",
        lambda op, _: op["parameters"][0]["schema"].update(type="string"),
    ),
    "notes.create: order: desc is not taken any more": ("create", lambda op, _: op["parameters"][1]["schema"]["enum"].pop()),
    "notes.create: it requires a body": ("create", lambda op, _: op["requestBody"].update(required=True)),
    "notes.create: the body is not application/json any more": ("create", lambda op, _: op["requestBody"].update(content={})),
    "notes.create: NewNote: kind is required": ("create", lambda _, schemas: schemas["NewNote"]["required"].append("kind")),
    "notes.create: NewNote.kind is gone": ("create", lambda _, schemas: schemas["NewNote"]["properties"].pop("kind")),
    "notes.create: NewNote.kind: b is not taken any more": ("create", lambda _, schemas: new(schemas, "kind")["enum"].pop()),
    "notes.create: NewNote.text: any other value is not taken any more": (
        "create",
        lambda _, schemas: new(schemas, "text").update(enum=["x"]),
    ),
    "notes.create: NewNote.text: maxLength is 9, was not limited": (
        "create",
        lambda _, schemas: new(schemas, "text").update(maxLength=9),
    ),
    "notes.create: NewNote.text: pattern is x, was None": ("create", lambda _, schemas: new(schemas, "text").update(pattern="x")),
    "notes.create: NewNote.tags: its items must differ": (
        "create",
        lambda _, schemas: new(schemas, "tags").update(uniqueItems=True),
    ),
    "notes.create: NewNote.tags[]: type is integer, was string": (
        "create",
        lambda _, schemas: new(schemas, "tags")["items"].update(type="integer"),
    ),
    "notes.create: NewNote.due: it can't be null any more": ("create", lambda _, schemas: new(schemas, "due").pop("nullable")),
    "notes.create: NewNote.due: format is date-time, was date": (
        "create",
        lambda _, schemas: new(schemas, "due").update(format="date-time"),
    ),
    "notes.create: NewNote.about: string is not taken any more": (
        "create",
        lambda _, schemas: new(schemas, "about")["oneOf"].pop(),
    ),
    "notes.create: NewNote: fields that are not known are refused": (
        "create",
        lambda _, schemas: schemas["NewNote"].update(additionalProperties=False),
    ),
    "notes.create: it does not answer 201 any more": ("create", lambda op, _: op["responses"].pop("201")),
    "notes.create: 200 is not text/plain any more": ("create", lambda op, _: op["responses"]["200"]["content"].pop("text/plain")),
    "notes.create: 200 lacks the header ETag": ("create", lambda op, _: op["responses"]["200"]["headers"].clear()),
    "notes.create: 200 may lack the header ETag": (
        "create",
        lambda op, _: op["responses"]["200"]["headers"]["ETag"].pop("required"),
    ),
    "notes.create: 200 ETag: type is integer, was string": (
        "create",
        lambda op, _: op["responses"]["200"]["headers"]["ETag"]["schema"].update(type="integer"),
    ),
    "notes.create: it answers 203 too, with something else": ("create", lambda op, _: op["responses"].update({"203": {}})),
    "notes.create: its usual answer is 201, was 200": (
        "create",
        lambda op, _: op["responses"].update({"200": op["responses"].pop("200")}),
    ),
    "notes.create: it answers with events": (
        "create",
        lambda op, _: op.update({"x-unpuzzle-stream": {"events": {"said": {"type": "object"}}}}),
    ),
    "notes.list: its stream's final is done, was None": (
        "list",
        lambda op, _: op["x-unpuzzle-stream"].update(final="done"),
    ),
    "notes.list: API keys need the scope all": ("list", lambda op, _: op.update({"x-unpuzzle-scopes": ["all"]})),
    "notes.list: it does something else to sessions": ("list", lambda op, _: op.pop("x-unpuzzle-session")),
    "notes.list: Note.id is gone": ("create", lambda _, schemas: schemas["Base"]["properties"].pop("id")),
    "notes.list: Note: text may be missing": ("create", lambda _, schemas: note(schemas)["required"].clear()),
    "notes.list: Note.text: it may be null": (
        "create",
        lambda _, schemas: note(schemas)["properties"]["text"].update(nullable=True),
    ),
    "notes.list: Note.price: x-unpuzzle-money is None, was True": (
        "create",
        lambda _, schemas: note(schemas)["properties"]["price"].pop("x-unpuzzle-money"),
    ),
    "notes.create: Error.code is gone": ("create", lambda _, schemas: schemas["Error"]["properties"].clear()),
    "notes.create: it needs the role admin, needed user": ("create", lambda op, _: op.update({"x-unpuzzle-role": "admin"})),
    "notes.create: cookie does not suffice any more": ("create", lambda op, _: op["security"].pop()),
    "notes.create: API keys need the scope all": ("create", lambda op, _: op["x-unpuzzle-scopes"].append("all")),
    "notes.create: it lets no API key in": ("create", lambda op, _: op["x-unpuzzle-scopes"].clear()),
    "notes.list: it needs a sign-in": ("list", lambda op, _: op.update(security=[{"bearer": []}])),
    "notes.list: it is another list, or none any more": ("list", lambda op, _: op.pop("x-unpuzzle-pagination")),
    "notes.list: its stream's flag is live, was stream": ("list", lambda op, _: op["x-unpuzzle-stream"].update(flag="live")),
    "notes.list: it does not tell done any more": ("list", lambda op, _: op["x-unpuzzle-stream"]["events"].pop("done")),
    "notes.list: the event done: type is array, was object": (
        "list",
        lambda op, _: op["x-unpuzzle-stream"]["events"]["done"].update(type="array"),
    ),
    "NOTE_NOT_FOUND has the status 410, had 404": (
        "list",
        lambda _, schemas: schemas["ErrorCode"]["x-unpuzzle-statuses"].update(NOTE_NOT_FOUND=410),
    ),
    "the error code NOTE_NOT_FOUND is gone": ("list", lambda _, schemas: schemas["ErrorCode"]["x-unpuzzle-statuses"].clear()),
    "notes.list is gone": ("list", lambda op, _: op.update(operationId="notes.list_all")),
}

HARMLESS: dict[str, tuple[str, Change]] = {
    "nothing": ("list", lambda op, _: None),
    "a new optional parameter": ("list", lambda op, _: op.update(parameters=[{"name": "q", "in": "query"}])),
    "a wider limit": ("create", lambda op, _: op["parameters"][0]["schema"].update(minimum=0, maximum=200)),
    "a limit less": ("create", lambda op, _: op["parameters"][0]["schema"].pop("maximum")),
    "a value more to choose": ("create", lambda op, _: op["parameters"][1]["schema"]["enum"].append("none")),
    "any value to choose": ("create", lambda op, _: op["parameters"][1]["schema"].pop("enum")),
    "a value more in answers": ("create", lambda _, schemas: note(schemas)["properties"]["kind"]["enum"].append("c")),
    "a field more in requests": ("create", lambda _, schemas: schemas["NewNote"]["properties"].update(x={"type": "string"})),
    "a field more in answers": ("create", lambda _, schemas: schemas["Base"]["properties"].update(x={"type": "string"})),
    "a field that is there always": ("create", lambda _, schemas: note(schemas)["required"].append("kind")),
    "a field that need not be sent": ("create", lambda _, schemas: schemas["NewNote"]["required"].clear()),
    "a field that may be null in requests": ("create", lambda _, schemas: new(schemas, "text").update(nullable=True)),
    "a shorter answer": ("create", lambda _, schemas: note(schemas)["properties"]["text"].update(maxLength=5)),
    "a success more": ("create", lambda op, _: op["responses"].update({"202": {}})),
    "a success more with the same": (
        "create",
        lambda op, _: op["responses"].update({"203": op["responses"]["201"]}),
    ),
    "a header more": ("create", lambda op, _: op["responses"]["201"].update(headers={"ETag": {"required": True}})),
    "a header that is always there": ("create", lambda op, _: op["responses"]["200"]["headers"]["ETag"].update(required=True)),
    "events beside JSON": (
        "create",
        lambda op, _: op.update({"x-unpuzzle-stream": {"flag": "stream", "events": {"said": {"type": "object"}}}}),
    ),
    "a stream that can be resumed": ("list", lambda op, _: op["x-unpuzzle-stream"].update(resumes=True)),
    "an error less": ("create", lambda op, _: op["responses"].pop("404")),
    "an error code less of an operation": ("list", lambda op, _: op["x-unpuzzle-errors"].clear()),
    "an error code more": ("list", lambda _, schemas: schemas["ErrorCode"]["x-unpuzzle-statuses"].update(NEW=409)),
    "an event more": ("list", lambda op, _: op["x-unpuzzle-stream"]["events"].update(more={"type": "object"})),
    "a way more to sign in": ("create", lambda op, _: op["security"].append({"basic": []})),
    "no sign-in needed": ("create", lambda op, _: op.update({"security": [], "x-unpuzzle-role": "public"})),
    "a sign-in that is welcome": ("list", lambda op, _: op.update(security=[{"bearer": []}, {}])),
    "a scope less": ("create", lambda op, _: op["x-unpuzzle-scopes"].__setitem__(slice(None), ["notes:write"])),
    "another summary, and deprecated": ("list", lambda op, _: op.update(summary="Other", deprecated=True)),
}


@pytest.mark.parametrize("says", BREAKS)
def test_a_break_is_found_and_named(says: str) -> None:
    operation, change = BREAKS[says]
    if operation == "address":
        document = copy.deepcopy(CONTRACT)
        document["paths"] = {"/notes/{id}/": document["paths"].pop("/notes/{note_id}/")}
    else:
        document = changed(operation, change)
    assert says in breaking_changes(CONTRACT, document)


@pytest.mark.parametrize(
    ("says", "change"),
    [
        (
            "the API is at https://b.example.com, was at https://api.example.com",
            lambda it: it.update(servers=[{"url": "https://b.example.com"}]),
        ),
        ("the way to sign in cookie is another, or gone", lambda it: it["components"]["securitySchemes"].pop("cookie")),
        (
            "the way to sign in cookie is another, or gone",
            lambda it: it["components"]["securitySchemes"]["cookie"].update(name="b"),
        ),
    ],
)
def test_another_way_in_is_a_break(says: str, change: Callable[[Node], object]) -> None:
    document = copy.deepcopy(CONTRACT)
    change(document)
    assert breaking_changes(CONTRACT, document) == [says]


@pytest.mark.parametrize("what", HARMLESS)
def test_what_breaks_nobody_is_not_found(what: str) -> None:
    assert breaking_changes(CONTRACT, changed(*HARMLESS[what])) == []


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"x-unpuzzle-role": "admin"}, {"x-unpuzzle-role": "instructor"}, []),
        ({"x-unpuzzle-role": "instructor"}, {"x-unpuzzle-role": "admin"}, ["it needs the role admin, needed instructor"]),
        ({"x-unpuzzle-role": "service"}, {"x-unpuzzle-role": "user"}, ["it needs the role user, needed service"]),
        ({"x-unpuzzle-scopes": []}, {"x-unpuzzle-scopes": ["notes:read"]}, []),
    ],
)
def test_who_is_let_in_may_become_more_and_not_less(before: Node, after: Node, found: list[str]) -> None:
    old, present = (changed("create", lambda op, _, rights=rights: op.update(rights)) for rights in (before, after))
    assert breaking_changes(old, present) == [f"notes.create: {says}" for says in found]


def test_a_schema_that_many_use_is_named_once() -> None:
    document = changed("list", lambda _, schemas: note(schemas)["properties"].pop("kind"))
    assert breaking_changes(CONTRACT, document) == ["notes.list: Note.kind is gone"]
