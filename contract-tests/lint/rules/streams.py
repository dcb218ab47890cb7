"""Rules about streams of events: what `x-unpuzzle-stream` says, and what the operation says beside it."""

from collections.abc import Iterator

from unpuzzle_cli.conformance.contract import Answer, Operation

from .registry import operations, rule, successes

STREAM = "text/event-stream"
KEYS = {"events", "flag", "final", "named", "resumes", "text"}
FRAME = {"$ref": "#/components/schemas/ServerSentEvent"}


def _may_answer_json(op: Operation) -> bool:
    return any(answer.schema for answer in op.successes)


@rule(operations)
def streams_are_marked(op: Operation) -> Iterator[str]:
    """An operation that answers a stream says in `x-unpuzzle-stream` which events it has, and no other says so."""
    streams = any(STREAM in answer.content for answer in op.successes)
    if streams != (op.stream is not None):
        yield "only one of text/event-stream and x-unpuzzle-stream is there"
    if op.stream is not None and op.stream.keys() - KEYS:
        yield f"x-unpuzzle-stream has {sorted(op.stream.keys() - KEYS)}"


@rule(operations)
def events_have_names(op: Operation) -> Iterator[str]:
    """A stream has events, each a named schema; `error` is how every stream tells what went wrong."""
    if op.stream is not None and not op.events:
        yield "its stream has no events"
    for name, schema in op.events.items():
        if "$ref" not in schema:
            yield f"the schema of the event {name} has no name"
        if name == "error":
            yield "the event error is ours"


@rule(operations)
def streams_beside_json_are_asked_for(op: Operation) -> Iterator[str]:
    """Where there is JSON too, a flag in the body asks for the stream, whose final event tells what the JSON answer would."""
    if op.stream is None:
        return
    flag, final = op.stream.get("flag"), op.stream.get("final")
    if not _may_answer_json(op):
        yield from (f"{name} is for streams beside JSON" for name in ("flag", "final") if name in op.stream)
        return
    if op.contract.fields(op.body_schema).get(flag, {}).get("type") != "boolean":
        yield f"the flag {flag} is no yes or no of the body"
    if op.events.get(final) not in [answer.schema for answer in op.successes]:
        yield f"the final event {final} does not tell the JSON answer"


@rule(operations)
def pieces_of_text_are_texts(op: Operation) -> Iterator[str]:
    """The event that a stream names as its `text` is one of its own, and tells a text."""
    name = (op.stream or {}).get("text")
    if name is not None and op.contract.fields(op.events.get(name, {})).get("text", {}).get("type") != "string":
        yield f"the event {name} tells no text"


@rule(operations)
def streams_resume_where_they_say(op: Operation) -> Iterator[str]:
    """Only a stream that can be gone on with takes `Last-Event-ID`."""
    if op.takes("Last-Event-ID") != bool((op.stream or {}).get("resumes")):
        yield "only one of resumes and Last-Event-ID is there"


@rule(successes)
def streams_are_not_held_back(answer: Answer) -> Iterator[str]:
    """A stream tells proxies not to buffer it, and its lines are events."""
    if (STREAM in answer.content) != answer.sends("X-Accel-Buffering"):
        yield "only one of text/event-stream and X-Accel-Buffering is there"
    if STREAM in answer.content and answer.content[STREAM].get("schema") != FRAME:
        yield "its events are not those of server-sent events"
