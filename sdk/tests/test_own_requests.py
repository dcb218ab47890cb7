"""Requests of one's own, around the resources: what they may send, and what they give."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from loopback import Reply, Server, error

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors


def test_request_goes_around_the_resources(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(json={"ok": True})
    assert client.request("get", "/api/v1/new/", params={"a": [1, 2], "b": True, "c": None}) == {"ok": True}
    assert server.received[0].query == {"a": ["1", "2"], "b": ["true"]}
    assert client.request("POST", f"{server.url}/api/v1/new/", json={"a": 1}) == {"ok": True}
    for elsewhere in ("https://evil.example/", "//evil.example/", "api/v1/"):
        with pytest.raises(ValueError, match="path"):
            client.request("GET", elsewhere)


def test_a_raw_request_gives_any_answer_whole(client: Unpuzzle, server: Server) -> None:
    server.script = [
        error(404, "NOT_FOUND"),
        Reply(502, content=b"<html>"),
        Reply(502, content=b"<html>"),
        Reply(502, content=b"<html>"),
        Reply(304, headers={"ETag": '"1"'}),
    ]
    missing = client.raw.request("GET", "/api/v1/new/", params={"a": 1}, headers={"X-A": "b"})
    assert (missing.status_code, missing.request_id) == (404, "req_1")
    assert missing.parsed["error"]["code"] == "NOT_FOUND"
    assert json.loads(missing.content) == missing.parsed
    assert (server.received[0].query, server.received[0].headers["x-a"]) == ({"a": ["1"]}, "b")
    with pytest.raises(errors.NotFound):
        missing.raise_for_status()
    assert client.raw.request("GET", "/api/v1/new/").parsed == "<html>"
    unchanged = client.raw.request("GET", "/api/v1/new/")
    assert (unchanged.status_code, unchanged.etag, unchanged.parsed) == (304, '"1"', None)


def test_a_raw_request_in_asyncio(async_client: AsyncUnpuzzle, server: Server) -> None:
    server.script = [error(404, "NOT_FOUND")]

    async def main() -> int:
        async with async_client as client:
            return (await client.raw.request("DELETE", "/api/v1/new/")).status_code

    assert asyncio.run(main()) == 404


def test_a_request_may_send_any_bytes(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(json=1)
    client.request("PUT", "/api/v1/new/", content=b"\x00")
    assert server.received[0].body == b"\x00"
    assert server.received[0].headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/auth/account/export/"), ("POST", "/api/v1/enrollments/bulk/"), ("GET", "/api/v1/new/")],
)
def test_only_what_the_contract_says_so_of_waits_for_a_mail(
    client: Unpuzzle, server: Server, method: str, path: str
) -> None:
    server.respond = lambda _: Reply(202, json={"message": "later", "id": 1})
    assert client.request(method, path)["id"] == 1
    server.respond = lambda _: Reply(202)
    assert client.request(method, path) is None


def test_a_link_may_bring_a_query_which_is_kept_as_it_is(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(json=1)
    client.request("GET", f"{server.url}/a/?b=2&a=1&b=%2F#part", params={"a": 3})
    client.request("GET", "/a/?page=2")
    client.request("GET", "/a/%7Bid%7D/{id}/")
    assert [request.query for request in server.received] == [{"b": ["2", "/"], "a": ["1", "3"]}, {"page": ["2"]}, {}]
    assert server.received[0].path == "/a/"


def test_a_header_is_sent_once_however_it_is_written(server: Server, examples: dict[str, Any]) -> None:
    names = ("user-agent", "authorization", "content-type", "idempotency-key", "accept")
    sent: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={})

    with Unpuzzle(
        base_url=server.url, headers={"USER-AGENT": "x", "ACCEPT": "x"}, transport=httpx.MockTransport(respond)
    ) as client:
        client.request("POST", "/x/", json={}, headers=dict.fromkeys(names, "mine"))
        client.with_options(headers={"user-agent": "y"}).request("GET", "/x/")
    for name in names:
        assert sent[0].headers.get_list(name) == ["mine"]
    assert sent[1].headers.get_list("user-agent") == ["y"]
    assert sent[1].headers.get_list("accept") == ["x"]


@pytest.mark.parametrize("size", [9, 100_000])
def test_how_long_a_body_is_nobody_can_say_but_the_client(server: Server, size: int) -> None:
    server.respond = lambda _: Reply(json={})
    with Unpuzzle(base_url=server.url, headers={"content-length": "3"}) as client:
        client.request("POST", "/x/", content=b"x" * size, headers={"Transfer-Encoding": "chunked"})
    (request,) = server.received
    assert (len(request.body), request.headers["content-length"]) == (size, str(size))
    assert "transfer-encoding" not in request.headers


def test_what_httpx_says_of_a_connection_can_be_said_otherwise(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(json={})
    client.request("GET", "/x", headers={"accept-encoding": "identity", "Connection": "close"})
    (request,) = server.received
    assert (request.headers["accept-encoding"], request.headers["connection"]) == ("identity", "close")
