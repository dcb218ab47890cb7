"""Signing in, and staying so: when a token is exchanged, and what ends a session."""

from __future__ import annotations

from typing import Any

import pytest
from accounts import REFRESH, Accounts, stale
from loopback import Reply, Server, error

from unpuzzle_sdk import MemoryTokenStore, Tokens, Unpuzzle, errors


def test_sign_in_and_out(client: Unpuzzle, server: Server, accounts: Accounts) -> None:
    client.auth.sign_in(email="a@b.c", password="x")
    assert client.auth.get_profile().email
    client.auth.sign_out()
    with pytest.raises(errors.AuthenticationError):
        client.auth.get_profile()
    sent = [request.headers.get("authorization") for request in server.received]
    assert sent == [None, "Bearer a1", "Bearer a1", None]


def test_cookies_are_not_kept(client: Unpuzzle, server: Server, accounts: Accounts, examples: dict[str, Any]) -> None:
    cookie = {"Set-Cookie": "unpuzzle_access=x; Path=/"}
    server.script = [Reply(200, {**examples["AuthSession"], **accounts.tokens()}, cookie)]
    client.auth.sign_in(email="a@b.c", password="x")
    client.auth.get_profile()
    assert "cookie" not in server.received[1].headers


def test_explicit_refresh_uses_the_stored_token(client: Unpuzzle, accounts: Accounts) -> None:
    client.auth.sign_in(email="a@b.c", password="x")
    assert client.auth.refresh().access_token == "a2"
    client.auth.get_profile()
    assert accounts.refreshes == 1


def test_tokens_about_to_end_are_exchanged_first(client: Unpuzzle, server: Server, accounts: Accounts) -> None:
    accounts.lifetime = 10
    client.auth.sign_in(email="a@b.c", password="x")
    accounts.lifetime = 3600
    client.auth.get_profile()
    assert [request.path for request in server.received][1:] == [REFRESH, "/api/v1/auth/profile/"]


def test_a_lost_answer_of_a_refresh_is_asked_for_again(server: Server, accounts: Accounts) -> None:
    accounts.drop_answers = 1
    with Unpuzzle(base_url=server.url, token_store=stale()) as client:
        assert client.auth.get_profile().email
    assert accounts.refreshes == 2


def test_a_refresh_that_can_not_be_read_is_a_typed_error(server: Server, accounts: Accounts) -> None:
    bodies = iter([b"<html>", b"[]", b'{"access_token": "a", "expires_in": "soon"}'])
    server.respond = lambda request: Reply(content=next(bodies)) if request.path == REFRESH else accounts(request)
    for _ in range(3):
        with Unpuzzle(base_url=server.url, token_store=stale()) as client, pytest.raises(errors.InvalidResponseError):
            client.auth.get_profile()


def test_a_refused_refresh_ends_the_session(server: Server, accounts: Accounts) -> None:
    store = stale("spent")
    with Unpuzzle(base_url=server.url, token_store=store) as client, pytest.raises(errors.AuthInvalidToken):
        client.auth.get_profile()
    assert store.load() is None


def test_a_token_without_refresh_is_just_refused(server: Server, accounts: Accounts) -> None:
    with Unpuzzle(base_url=server.url, token="old") as client, pytest.raises(errors.AuthInvalidToken):
        client.auth.get_profile()
    assert accounts.refreshes == 0


@pytest.mark.parametrize("code", ["AUTH_INVALID_CREDENTIALS", "AUTH_USER_NOT_FOUND"])
def test_a_wrong_password_is_no_reason_for_a_new_token(server: Server, accounts: Accounts, code: str) -> None:
    server.script = [error(401, code)]
    with (
        Unpuzzle(base_url=server.url, token_store=stale()) as client,
        pytest.raises(errors.AuthenticationError),
    ):
        client.auth.change_password(current_password="wrong", new_password="right")
    assert len(server.received) == 1


@pytest.mark.parametrize("refusal", [error(401, "AUTH_REQUIRED"), Reply(401, content=b"<html>")])
def test_a_401_that_speaks_of_no_password_is_a_reason(server: Server, accounts: Accounts, refusal: Reply) -> None:
    server.script = [refusal]
    with Unpuzzle(base_url=server.url, token_store=stale()) as client:
        assert client.auth.get_profile().email
    assert accounts.refreshes == 1


class Full(MemoryTokenStore):
    """A store that takes nothing."""

    def save(self, tokens: Tokens) -> None:
        raise OSError("no space left")

    def clear(self) -> None:
        raise OSError("no space left")


def test_a_store_that_fails_does_not_lose_the_session(server: Server, accounts: Accounts) -> None:
    with Unpuzzle(base_url=server.url, token_store=Full(Tokens("a0", "r1"))) as client:
        with pytest.raises(OSError, match="no space"):
            client.auth.get_profile()
        assert client.auth.get_profile().email
        assert accounts.refreshes == 1
        with pytest.raises(OSError, match="no space"):
            client.auth.sign_out()
        with pytest.raises(errors.AuthenticationError):
            client.auth.get_profile()
        with pytest.raises(OSError, match="no space"):
            client.auth.sign_in(email="a@b.c", password="x")
        assert client.auth.get_profile().email


def test_a_view_may_have_a_session_of_its_own(server: Server, accounts: Accounts) -> None:
    with Unpuzzle(base_url=server.url, token_store=MemoryTokenStore()) as client:
        assert client.with_options(token="a1").auth.get_profile().email
        assert client.with_options(api_key="a1").auth.get_profile().email
        with pytest.raises(errors.AuthenticationError):
            client.auth.get_profile()
        with pytest.raises(ValueError, match="only one of them"):
            client.with_options(token="a", api_key="b")
        with pytest.raises(ValueError, match="token must not be empty"):
            client.with_options(token="")
