"""Whoever reports an error sends nothing secret, not even with the locals of every frame."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from typing import Any

import pytest
from loopback import Reply, Server, error

from unpuzzle_sdk import AsyncUnpuzzle, Tokens, Unpuzzle, errors


def everything_shown(error: BaseException) -> str:
    """What a reporter of errors would send: the whole chain, with the locals of every frame of the SDK and below."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    found = [repr(error), repr(vars(error).get("__context__"))]
    while report is not None:
        shown = [frame for frame in report.stack if frame.filename != __file__]
        found += [str(report), *(str(frame.locals) for frame in shown)]
        report = report.__cause__ or report.__context__
    return "\n".join(found)


class Secret:
    """A body that its own `repr` does not show, as it is an argument of the frame that sends it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def to_dict(self) -> dict[str, Any]:
        return {"secret": self._value}


@pytest.mark.parametrize("secret", ["canary\nX-B: c", "canary\N{SNOWMAN}"])
def test_a_malformed_token_is_not_sent_nor_shown(server: Server, secret: str) -> None:
    with Unpuzzle(base_url=server.url, token=secret) as client, pytest.raises(errors.InvalidRequestError) as caught:
        client.auth.get_profile()
    assert not server.received
    assert "canary" not in everything_shown(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(drop=True),
        error(401, "AUTH_INVALID_TOKEN"),
        Reply(200, content=b'{"access_token": "canary-new"'),
        Reply(200, json={"access_token": "canary-new", "expires_in": "soon"}),
        Reply(200, json={"access_token": "canary-new"}, claim_length=999),
    ],
)
def test_no_traceback_shows_a_secret_not_even_its_locals(server: Server, reply: Reply) -> None:
    server.respond = lambda _: reply
    tokens = Tokens("canary-a", "canary-r", time.time() - 1)
    with Unpuzzle(base_url=server.url, max_retries=1) as client:
        for act in (
            client.auth.get_profile,
            client.auth.refresh,
            lambda: client.request("POST", "/api/v1/auth/signin/", json=Secret("canary-b")),
        ):
            client._session._store.save(tokens)
            with pytest.raises(errors.UnpuzzleError) as caught:
                act()
            assert "canary" not in everything_shown(caught.value)


def test_the_signature_of_a_link_is_not_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.respond = lambda _: Reply(drop=True)
    with Unpuzzle(base_url=server.url, max_retries=0) as client:
        for request in (client.request, client.raw.request):
            with pytest.raises(errors.APIConnectionError) as caught:
                request("GET", f"{server.url}/file/?signature=canary")
            assert "canary" not in everything_shown(caught.value)
    assert "GET /file/" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("secret", ["json", "content", "params", "headers"])
def test_what_a_request_of_ones_own_sends_is_not_shown(server: Server, secret: str) -> None:
    server.respond = lambda _: Reply(drop=True)
    value: Any = b"canary" if secret == "content" else {"secret": "canary"}

    async def main() -> None:
        async with AsyncUnpuzzle(base_url=server.url, max_retries=0) as client:
            await (client.raw if secret == "json" else client).request("POST", "/x/", **{secret: value})

    with Unpuzzle(base_url=server.url, max_retries=0) as client:
        for request in (client.request, client.raw.request, lambda *_, **__: asyncio.run(main())):
            with pytest.raises(errors.APIConnectionError) as caught:
                request("POST", "/x/", **{secret: value})
            assert "canary" not in everything_shown(caught.value)


@pytest.mark.parametrize("url", ["ftp://u:canary@x", "canary@", "http://u:canary@[x", "http://u:canary@\u2100.x"])
def test_a_refused_address_does_not_repeat_a_password(url: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        Unpuzzle(base_url=url)
    assert "canary" not in str(caught.value)


def test_a_client_that_can_not_be_made_does_not_show_its_token() -> None:
    for given in ({"base_url": "x", "token": "canary"}, {"token": "canary", "api_key": "canary"}, {"api_key": ""}):
        for make in (Unpuzzle, AsyncUnpuzzle):
            with pytest.raises(ValueError, match=r"base_url|only one|empty") as caught:
                make(**given, headers={"X-Key": "canary"})
            assert "canary" not in everything_shown(caught.value)
    assert repr(Unpuzzle.__new__(Unpuzzle)) == "<Unpuzzle (without an address)>"


def test_whoever_reports_a_refused_setting_may_ask_for_all_that_is_there(client: Unpuzzle) -> None:
    for make in (lambda: Unpuzzle(timeout=-1), lambda: client.with_options(timeout=-1, token="a canary")):
        with pytest.raises(ValueError, match="timeout") as refused:
            make()
        told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
        assert "a canary" not in "".join(
            line for frame in told.stack for line in (frame.locals or {}).values() if "sdk/tests" not in frame.filename
        )


def test_the_address_of_somebody_else_is_in_no_frame(client: Unpuzzle) -> None:
    with pytest.raises(ValueError, match="base_url") as refused:
        client.request("GET", "https://elsewhere/x?signature=canary")
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    frames = [frame for frame in told.stack if "unpuzzle_sdk" in frame.filename]
    assert frames
    assert not any("canary" in value for frame in frames for value in (frame.locals or {}).values())
