"""What the environment of a program says of the network."""

from __future__ import annotations

import asyncio

import pytest

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors
from unpuzzle_sdk._core import wire


@pytest.fixture(autouse=True)
def without_known_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificates are read once: a test has those of its own environment."""
    monkeypatch.setattr(wire, "_ssl_context", wire._ssl_context.__wrapped__)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ALL_PROXY", "ftp://jane:canary@proxy", "Unknown scheme"),
        ("NO_PROXY", "[::1]", "InvalidURL"),
        ("SSL_CERT_FILE", "/no/such/file", "FileNotFoundError"),
    ],
)
def test_what_can_not_be_used_is_an_error_of_the_sdk_that_says_where_it_is(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    client, other = Unpuzzle(base_url="http://x"), AsyncUnpuzzle(base_url="http://x")
    for call in (client.system.health, lambda: asyncio.run(other.system.health())):  # type: ignore[arg-type]
        with pytest.raises(errors.UnpuzzleError, match=rf"the environment .* \(.*{message}") as caught:
            call()
        assert not isinstance(caught.value, errors.APIConnectionError)
        assert "canary" not in str(caught.value)
        assert caught.value.__context__ is None
