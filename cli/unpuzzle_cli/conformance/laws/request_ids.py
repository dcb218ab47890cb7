"""Every answer carries the id of its request."""

from unpuzzle_cli.conformance.laws.exchange import Reply, Request

HEADER = "x-request-id"


def request_ids(request: Request, reply: Reply) -> None:
    """An id that was sent comes back, and an error names the same in its body."""
    answered = reply.headers.get(HEADER)
    sent = {name.lower(): value for name, value in request.headers.items()}.get(HEADER, answered)
    assert answered, "the answer has no X-Request-ID"
    assert answered == sent, f"X-Request-ID is {answered!r}, not {sent!r} as was sent"
    if reply.status >= 400 and reply.content:
        assert reply.fields.get("request_id") == answered, f"the error's request_id is not {answered!r}"
