"""Rules about answers: their headers, their media types, and the links of what was created."""

from collections.abc import Iterator

import yaml

from unpuzzle_cli.conformance.contract import REPOSITORY, Answer

from .registry import answers, rule, successes

RATE_LIMIT = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Reset-After")
ALSO_SENT = {"304": ("ETag",), "401": ("WWW-Authenticate",), "429": ("Retry-After", *RATE_LIMIT), "503": ("Retry-After",)}
# The generator drops answers of types that it neither knows nor is told of in its configuration.
KNOWN = {"application/json", "application/octet-stream", "text/plain", "text/html", "text/event-stream"}
GENERATOR = yaml.safe_load((REPOSITORY / "sdk" / "codegen" / "config.yaml").read_text())
GENERATED = KNOWN | GENERATOR["content_type_overrides"].keys()
STREAMED = ["application/json", "text/event-stream"]


@rule(answers)
def errors_are_shared(answer: Answer) -> Iterator[str]:
    """A refusal is described once, in components/responses, and every example there is of that status."""
    if answer.status < "304":
        return
    if not answer.raw.get("$ref", "").startswith("#/components/responses/"):
        yield "it is not a shared response"
    for media in answer.content.values():
        for code, example in media.get("examples", {}).items():
            if example["value"]["error"]["code"] != code or answer.contract.statuses.get(code) != int(answer.status):
                yield f"the example {code} is of another code or status"


@rule(answers)
def errors_have_the_envelope(answer: Answer) -> Iterator[str]:
    """The body of a refusal is the error envelope."""
    if answer.status >= "400" and answer.schema.get("$ref") != "#/components/schemas/ErrorEnvelope":
        yield "its body is not the ErrorEnvelope"


@rule(answers)
def headers_are_shared(answer: Answer) -> Iterator[str]:
    """A header is described once, in components/headers."""
    for name, header in answer.node.get("headers", {}).items():
        if not header.get("$ref", "").startswith("#/components/headers/"):
            yield f"{name} is not a shared header"


@rule(answers)
def answers_name_their_request(answer: Answer) -> Iterator[str]:
    """Every answer carries the id of its request."""
    if not answer.sends("X-Request-ID", always=True):
        yield "X-Request-ID is not there always"


@rule(successes)
def answers_tell_the_limit(answer: Answer) -> Iterator[str]:
    """A success of a limited operation tells in four headers where the caller stands; another tells nothing."""
    for name in RATE_LIMIT:
        if answer.sends(name, always=True) != answer.operation.is_limited:
            yield f"{name} {'is not there always' if answer.operation.is_limited else 'tells of no limit'}"


@rule(answers)
def refusals_may_tell_the_limit(answer: Answer) -> Iterator[str]:
    """A refusal declares the four headers too; it may come before the request is counted."""
    if answer.status >= "304":
        yield from (f"{name} is not declared" for name in RATE_LIMIT if not answer.sends(name))


@rule(answers)
def refusals_say_how_to_go_on(answer: Answer) -> Iterator[str]:
    """304 names what is still the same, 401 says how to authenticate, 429 and 503 when to come back."""
    for name in ALSO_SENT.get(answer.status, ()):
        if not answer.sends(name, always=True):
            yield f"{name} is not there always"


@rule(successes)
def preferences_are_acknowledged(answer: Answer) -> Iterator[str]:
    """A JSON answer can be wrapped on request, and then says so."""
    if answer.schema and not answer.sends("Preference-Applied"):
        yield "Preference-Applied is not declared"


@rule(successes)
def tokens_come_as_cookies_too(answer: Answer) -> Iterator[str]:
    """An answer with tokens sets the cookies."""
    if "access_token" in answer.contract.fields(answer.schema) and not answer.sends("Set-Cookie", always=True):
        yield "Set-Cookie is not there always"


@rule(answers)
def content_is_where_it_belongs(answer: Answer) -> Iterator[str]:
    """204 and redirections have no content; everything else has some, with a schema."""
    is_empty = answer.status == "204" or answer.status.startswith("3")
    if bool(answer.content) == is_empty:
        yield f"it has {'content' if is_empty else 'no content'}"
    for name, media in answer.content.items():
        if "schema" not in media:
            yield f"{name} has no schema"


@rule(answers)
def answers_have_one_media_type(answer: Answer) -> Iterator[str]:
    """An answer has one media type, which the generator knows; a stream may stand behind JSON where it is marked."""
    types = list(answer.content)
    is_stream = "x-unpuzzle-stream" in answer.operation.node and types == STREAMED
    if len(types) > 1 and not is_stream:
        yield f"it has {' and '.join(types)}"
    for name in types:
        if name not in GENERATED:
            yield f"the generator does not know {name}"


@rule(successes)
def creations_lead_on(answer: Answer) -> Iterator[str]:
    """What was created has an address, an ETag, and links to all that can be done there."""
    links = answer.node.get("links", {})
    targets = {link.get("operationId") for link in links.values()}
    if bool(links) != answer.sends("Location", always=True):
        yield "only one of links and Location is there"
    if answer.status == "201":
        yield from (f"there is no link to {name}" for name in sorted(_deeds(answer) - targets))
        if _deeds(answer) and not answer.sends("ETag", always=True):
            yield "it has no ETag"


def _deeds(answer: Answer) -> set[str]:
    """The operations at the address of what an answer describes: where the same schema is answered again."""
    everything = [op for op in answer.contract.operations if op.names_one_thing]
    paths = {op.path for op in everything for other in op.successes if other.schema and other.schema == answer.schema}
    return {op.id for op in everything if op.path in paths}


@rule(successes)
def links_lead_somewhere(answer: Answer) -> Iterator[str]:
    """A link is inline, names an operation, and fills its path from fields of the body."""
    known = {op.id: op for op in answer.contract.operations}
    for name, link in answer.node.get("links", {}).items():
        target = known.get(link.get("operationId"))
        if target is None:
            yield f"{name} leads nowhere"
        elif target.path_parameters != link.get("parameters", {}).keys():
            yield f"{name} does not fill the path of {target.id}"
        for value in link.get("parameters", {}).values():
            field = str(value).removeprefix("$response.body#/")
            if field == value or field not in answer.contract.fields(answer.schema):
                yield f"{name} takes {value}, which is no field of the body"


@rule(answers)
def json_bodies_have_names(answer: Answer) -> Iterator[str]:
    """A JSON body is a named schema: it has an example, and a name in the SDK."""
    if "application/json" in answer.content and "$ref" not in answer.schema:
        yield "its schema has no name"
