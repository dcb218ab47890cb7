"""What the environment of a program says of the network."""

from __future__ import annotations

import asyncio
import socket
import threading

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
        # A file that is there and holds no certificate: an older httpx passes over a file that isn't there.
        ("SSL_CERT_FILE", __file__, "SSLError"),
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


def test_what_a_proxy_leads_nowhere_with_was_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        for _ in range(3):
            connection, _ = proxy.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    monkeypatch.setenv("HTTPS_PROXY", f"http://jane:canary@127.0.0.1:{proxy.getsockname()[1]}")
    with Unpuzzle(base_url="https://x") as client, pytest.raises(errors.APIConnectionError, match="407") as caught:
        client.auth.sign_in(email="jane@example.com", password="learn-by-puzzling")
    thread.join()
    proxy.close()
    assert not caught.value.sent
    assert "canary" not in str(caught.value)
