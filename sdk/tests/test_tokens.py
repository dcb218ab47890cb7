"""Tokens: what is read of a file, and exchanging them before they end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from loopback import Reply, Server, error

from unpuzzle_sdk import FileTokenStore, MemoryTokenStore, Tokens, Unpuzzle, errors


@pytest.mark.parametrize(
    "kept",
    [
        {"access_token": 5},
        {"access_token": "a", "refresh_token": ["r"]},
        {"access_token": "a", "expires_at": "soon"},
        {"refresh_token": "r"},
        [],
    ],
)
def test_a_file_with_something_else_than_tokens_is_as_good_as_none(tmp_path: Path, kept: Any) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps(kept))
    assert FileTokenStore(path).load() is None


@pytest.mark.parametrize(
    "trouble",
    [
        error(429, "RATE_LIMIT_EXCEEDED"),
        error(503, "SERVICE_UNAVAILABLE"),
        error(404, "NOT_FOUND"),
        Reply(200, content=b"<h1>Sign in to this network</h1>"),
        Reply(drop=True),
    ],
)
def test_whoever_can_not_exchange_a_token_early_goes_on_with_it_as_long_as_it_lives(
    server: Server, examples: dict[str, Any], trouble: Reply
) -> None:
    server.respond = lambda asked: trouble if "refresh" in asked.path else Reply(json=examples["User"])
    store = MemoryTokenStore(Tokens("old", "r", time.time() + 20))
    with Unpuzzle(base_url=server.url, token_store=store, max_retries=0) as client:
        assert client.auth.get_profile().email
    assert server.received[-1].headers["authorization"] == "Bearer old"
    assert store.load()


def test_whoever_is_refused_a_new_token_is_signed_out_though_the_old_one_lives(server: Server) -> None:
    server.respond = lambda _: error(401, "AUTH_INVALID_TOKEN")
    store = MemoryTokenStore(Tokens("old", "r", time.time() + 20))
    with Unpuzzle(base_url=server.url, token_store=store) as client, pytest.raises(errors.AuthInvalidToken):
        client.auth.get_profile()
    assert store.load() is None
    assert len(server.received) == 1
