"""SDK ≡ contract ≡ server: whatever the contract allows goes through the SDK without loss, in both directions."""

import asyncio
import inspect
import json
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import attrs
import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from generated import values
from harness import CONTRACT
from server_reading import read
from unpuzzle_sdk import UNSET, Stream, Unpuzzle, errors, models
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from unpuzzle_server.kernel.validation import KERNEL_HEADERS
from world import OCTETS, named

OPERATIONS = [operation for operation in CONTRACT.operations.values() if operation.body_type != OCTETS]  # no fields to compare
BELOW = "/below/here"
"""Where the API may be."""
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=named)
GENERATED = settings(derandomize=True, database=None, deadline=None, max_examples=8, phases=[Phase.generate, Phase.shrink])


@dataclass(frozen=True)
class Given:
    """What somebody says in one call: parameters by name, and the body."""

    parameters: dict[str, Any]
    body: dict[str, Any] | None


def calls(operation: Operation) -> st.SearchStrategy[Given]:
    """Every call that the contract allows."""
    return _calls(operation.id)


@cache
def _calls(operation_id: str) -> st.SearchStrategy[Given]:
    operation = CONTRACT.operations[operation_id]
    sent = [item for item in operation.parameters if item.name != "X-API-Version"]
    optional = {item.name: values(item.schema) for item in sent}
    required = {item.name: optional.pop(item.name) for item in sent if item.required}
    body = values(operation.body) if operation.body else st.none()
    if operation.stream and operation.stream.flag:
        body = body.map(lambda sent: {name: value for name, value in sent.items() if value or name != operation.stream.flag})
    return st.builds(Given, st.fixed_dictionaries(required, optional=optional), body)


class Wire:
    """An API that gives one answer to everything, and keeps what it was sent."""

    def __init__(
        self, status: int, json: Any = None, headers: dict[str, str] | None = None, content: bytes | None = None
    ) -> None:
        self.requests: list[httpx.Request] = []
        self.status, self.json, self.headers, self.content = status, json, headers, content

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.content is not None:
            return httpx.Response(self.status, headers=self.headers, content=self.content)
        if self.json is None:
            return httpx.Response(self.status, headers=self.headers)
        return httpx.Response(self.status, headers=self.headers, json=self.json)

    def call(self, operation: Operation, call: Given, at_most: int = 1) -> Any:
        """Calls the operation's method in the SDK with keyword arguments, of Python's types where it takes them."""
        with httpx.Client(transport=httpx.MockTransport(self.answer)) as http_client:
            client = Unpuzzle(base_url=f"http://api{BELOW}", token="a-token", max_retries=0, http_client=http_client)
            tag, verb = operation.id.split(".")
            stream = operation.stream
            if stream and stream.flag and (call.body or {}).get(stream.flag):
                verb = CONTRACT.raw[operation.id]["x-unpuzzle-stream"].get("named", f"{verb}_stream")
            found = _called(getattr(getattr(client, tag), verb), operation, call)
            return [*islice(found, at_most)] if isinstance(found, Stream) else found


def above(request: httpx.Request) -> httpx.Request:
    """As a gateway hands it on that has the API below a path of its own."""
    path = request.url.raw_path
    assert path.startswith(BELOW.encode())
    return httpx.Request(
        request.method,
        request.url.copy_with(raw_path=path.removeprefix(BELOW.encode())),
        headers=request.headers,
        content=request.content,
    )


def _called(method: Any, operation: Operation, call: Given) -> Any:
    argument = {name.rstrip("_"): name for name in inspect.signature(method).parameters}
    arguments = {argument[name.lower().replace("-", "_")]: value for name, value in call.parameters.items()}
    if operation.body:
        body = getattr(models, operation.body["$ref"].rpartition("/")[2]).from_dict(call.body)
        fields = {field.name: getattr(body, field.name) for field in attrs.fields(type(body)) if field.init}
        flag = operation.stream.flag if operation.stream else ""
        arguments |= {name: value for name, value in fields.items() if value is not UNSET and name != flag}
    return method(**arguments)


def _spoken(operation: Operation, call: Given, *, streams: bool) -> Given:
    """The call without the field that asks for a stream where it asks for none, as the SDK's method has none."""
    flag = operation.stream.flag if operation.stream else ""
    if not flag or (streams and (call.body or {}).get(flag)):
        return call
    return Given(call.parameters, {name: value for name, value in (call.body or {}).items() if name != flag})


@EVERY_OPERATION
def test_the_server_reads_what_the_sdk_was_told(operation: Operation) -> None:
    """Everything that was said arrives as it was said, nothing else does, and all of it is valid."""
    expected_defaults = {
        item.argument: spec.resolve(item.schema).get("default")
        for item in operation.parameters
        if item.name not in KERNEL_HEADERS
    }

    @GENERATED
    @given(calls(operation))
    def holds(call: Given) -> None:
        wire, call = Wire(404), _spoken(operation, call, streams=True)
        with pytest.raises(errors.NotFoundError):
            wire.call(operation, call)
        (request,) = wire.requests
        operation_id, arguments = asyncio.run(read(above(request)))
        said = {name.lower().replace("-", "_"): value for name, value in call.parameters.items() if name not in KERNEL_HEADERS}
        assert operation_id == operation.id
        assert arguments == {**expected_defaults, **said, **({"body": call.body} if operation.body else {})}
        headers = {name: value for name, value in call.parameters.items() if name in KERNEL_HEADERS}
        assert {name: request.headers[name] for name in headers} == headers
        assert ("authorization" in request.headers) == bool(CONTRACT.raw[operation.id]["security"])

    holds()


@EVERY_OPERATION
def test_the_sdk_gives_back_what_was_answered(operation: Operation) -> None:
    """With fields and values that only a later version knows."""
    schema = operation.responses[operation.success]
    if operation.stream and not operation.stream.flag:
        return  # as the next test shows
    answers = values(schema, later=True) if schema else st.none()

    @GENERATED
    @given(calls(operation), answers)
    def holds(call: Given, answer: Any) -> None:
        leads_on, call = operation.success >= 300, _spoken(operation, call, streams=False)
        found = Wire(operation.success, answer, {"Location": "https://app"} if leads_on else None).call(operation, call)
        if leads_on:
            assert found == "https://app"
            return
        model = getattr(found, "data", found)  # a page carries its model
        assert (model.to_dict() if answer is not None else model or None) == answer

    holds()


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.stream], ids=named)
def test_the_sdk_gives_back_the_events_that_were_told(operation: Operation) -> None:
    """With fields that only a later version knows, and without the events that it does not."""
    assert operation.stream
    flag, known = operation.stream.flag, operation.stream.events
    told = [st.tuples(st.just(name), values(schema, later=True)) for name, schema in known.items()]
    last = [event for event in told[-1:] if operation.stream.final]

    @GENERATED
    @given(calls(operation), st.tuples(*told, *last))
    def holds(call: Given, events: tuple[tuple[str, Any], ...]) -> None:
        lines = [f"event: newer\ndata: 1\n\nevent: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events]
        asked = Given(call.parameters, {**(call.body or {}), flag: True} if flag else call.body)
        wire = Wire(200, headers={"Content-Type": "text/event-stream"}, content="".join(lines).encode())
        found = wire.call(operation, asked, at_most=len(events))
        assert [(event.event, event.data.to_dict()) for event in found] == [*events]

    holds()


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if 304 in item.responses], ids=named)
def test_what_has_not_changed_is_told_by_its_etag(operation: Operation) -> None:
    @GENERATED
    @given(calls(operation), values(spec.document()["components"]["headers"]["ETag"]["schema"]))
    def holds(call: Given, etag: str) -> None:
        with pytest.raises(errors.NotModified) as raised:
            Wire(304, headers={"ETag": etag}).call(operation, call)
        assert raised.value.etag == etag

    holds()


@EVERY_OPERATION
def test_every_refusal_is_the_exception_of_its_code(operation: Operation) -> None:
    """A code that only a later version knows is the exception of its status."""
    refusals = [status for status in operation.responses if status >= 400]
    by_status = {status: [code for code, of in spec.statuses().items() if of == status] for status in refusals}
    chosen = st.sampled_from([(status, code) for status in refusals for code in (*by_status[status], "NEW_CODE")])

    @GENERATED
    @given(calls(operation), chosen, values({"$ref": "#/components/schemas/ErrorEnvelope"}))
    def holds(call: Given, refusal: tuple[int, str], envelope: dict[str, Any]) -> None:
        status, code = refusal
        envelope["error"]["code"] = code
        known = exception_of(code if code != "NEW_CODE" else by_status[status][0])
        with pytest.raises(errors.APIStatusError) as raised:
            Wire(status, envelope, {"X-Request-ID": "req_1"}).call(operation, call)
        error = raised.value
        assert type(error) is (known if code != "NEW_CODE" else known.__base__)
        message = envelope["error"]["message"] or f"The API answered with status {status}"
        assert (error.status_code, error.code, error.message) == (status, code, message)
        assert [attrs.asdict(detail) for detail in error.details] == envelope["error"].get("details", [])
        assert error.retry_after == envelope["error"].get("retry_after")
        assert error.body == envelope

    holds()


def exception_of(code: str) -> type[errors.APIStatusError]:
    found: type[errors.APIStatusError] = getattr(errors, "".join(word.capitalize() for word in code.split("_")))
    return found
