"""What a client is given, by its maker or by the environment, and what is refused of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from loopback import Reply, Server

from unpuzzle_sdk import AsyncUnpuzzle, MemoryTokenStore, Unpuzzle, errors


def test_environment(monkeypatch: pytest.MonkeyPatch, server: Server, examples: dict[str, Any]) -> None:
    monkeypatch.setenv("UNPUZZLE_BASE_URL", server.url + "/")
    monkeypatch.setenv("UNPUZZLE_TOKEN", "canary-token")
    server.respond = lambda _: Reply(json=examples["User"])
    with Unpuzzle() as client:
        client.auth.get_profile()
    assert server.received[0].headers["authorization"] == "Bearer canary-token"


def test_an_api_key_is_sent_in_the_place_of_a_token(
    monkeypatch: pytest.MonkeyPatch, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = lambda _: Reply(json=examples["User"])
    monkeypatch.setenv("UNPUZZLE_API_KEY", "unp_from_the_environment")
    for given, sent in (({"api_key": "unp_canary"}, "unp_canary"), ({}, "unp_from_the_environment")):
        with Unpuzzle(base_url=server.url, **given) as client:
            client.auth.get_profile()
            assert "unp_" not in repr(client)
        assert server.received[-1].headers["authorization"] == f"Bearer {sent}"
    with pytest.raises(ValueError, match="only one of them"):
        Unpuzzle(token="x", api_key="unp_x")


@pytest.mark.parametrize("url", ["http://a\0b", "http://xn--", f"http://{'a' * 80}.b"])
def test_a_malformed_address_is_an_error_of_the_sdk(url: str) -> None:
    with Unpuzzle(base_url=url) as client, pytest.raises(errors.InvalidRequestError):
        client.system.health()


@pytest.mark.parametrize("url", ["api.unpuzzle.com", "ftp://x", "https://u:p@x", "https://x/?a=1"])
def test_bad_base_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Unpuzzle(base_url=url)


def test_what_is_given_is_never_replaced_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, server: Server, examples: dict[str, Any]
) -> None:
    class Empty(MemoryTokenStore):
        def __len__(self) -> int:
            return 0

    monkeypatch.setenv("UNPUZZLE_TOKEN", "somebody-else")
    monkeypatch.setenv("UNPUZZLE_BASE_URL", server.url)
    server.respond = lambda _: Reply(json=examples["User"])
    for name in ("token", "api_key"):
        with pytest.raises(ValueError, match=f"{name} must not be empty"):
            Unpuzzle(**{name: ""})
    with pytest.raises(ValueError, match="base_url"):
        Unpuzzle(base_url="")
    with Unpuzzle(token_store=Empty()) as client:
        client.auth.get_profile()
    assert "authorization" not in server.received[0].headers


def test_an_empty_variable_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, server: Server, examples: dict[str, Any]
) -> None:
    monkeypatch.setenv("UNPUZZLE_TOKEN", "")
    monkeypatch.setenv("UNPUZZLE_API_KEY", "unp_mine")
    server.respond = lambda _: Reply(json=examples["User"])
    with Unpuzzle(base_url=server.url) as client:
        client.auth.get_profile()
    assert server.received[0].headers["authorization"] == "Bearer unp_mine"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"timeout": "5"}, TypeError),
        ({"timeout": True}, TypeError),
        ({"timeout": 0}, ValueError),
        ({"timeout": math.nan}, ValueError),
        ({"max_retries": 1.5}, TypeError),
        ({"max_retries": None}, TypeError),
        ({"max_retries": -1}, ValueError),
        ({"max_retry_time": "1"}, TypeError),
        ({"max_retry_time": -1}, ValueError),
        ({"max_retry_time": math.nan}, ValueError),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_when_it_is_given(
    client: Unpuzzle, given: dict[str, Any], kind: type[Exception]
) -> None:
    for make in (Unpuzzle, AsyncUnpuzzle, client.with_options):
        with pytest.raises(kind, match=f"^{next(iter(given))} must"):
            make(**given)
