"""What a server sends that is not ours is read as far as anybody would, and told for what it is."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests

from unpuzzle_cli.conformance import reading, running, wire
from unpuzzle_cli.conformance.laws.exchange import Request, send
from unpuzzle_cli.conformance.reading import EndlessError
from unpuzzle_cli.conformance.wire import HOPELESS, Wire
from unpuzzle_cli.errors import UNREACHABLE, CommandError

Write = Callable[[bytes], Any]
PIECE = b" " * 10_000


@contextmanager
def server(kind: str, body: Callable[[Write], None], coding: str = "") -> Iterator[str]:
    """Answers everything with the same; of what it says nothing of the length."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            if coding:
                self.send_header("Content-Encoding", coding)
            self.end_headers()
            try:
                body(self.wfile.write)
            except OSError:
                """Whoever asked has left."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=listener.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def endless(write: Write) -> None:
    while True:
        write(PIECE)


def dripping(write: Write) -> None:
    while True:
        write(b" ")
        time.sleep(0.02)


def ask(url: str) -> bytes:
    with Wire(url, may_write=False).connected():
        return send(Request("GET", f"{url}/api/v1/")).content


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SECONDS": 0.2, "STREAM_SECONDS": 0.2, "LARGEST": 100_000}.items():
        monkeypatch.setattr(reading, name, value)
    monkeypatch.setattr(wire, "SECONDS", 0.2)


def test_an_answer_without_end_is_not_read_to_it() -> None:
    with server("application/json", endless) as url, pytest.raises(EndlessError, match="more than 100,000 bytes"):
        ask(url)


def test_an_answer_that_drips_is_not_waited_for() -> None:
    with server("application/json", dripping) as url, pytest.raises(EndlessError, match=r"did not come to its end in 0\.2 s"):
        ask(url)


def test_events_where_none_were_to_come_are_read_for_a_moment() -> None:
    with server("text/event-stream", dripping) as url:
        assert ask(url).strip() == b""


def test_who_streams_reads_as_they_like() -> None:
    with server("text/event-stream", lambda write: write(b"data: 1\n\n")) as url, Wire(url, may_write=False).connected():
        assert requests.get(url, stream=True, timeout=5).raw.read1(100) == b"data: 1\n\n"


def test_a_body_that_is_not_coded_as_it_says_is_a_fault_of_the_answer() -> None:
    with server("application/json", lambda write: write(b"{}"), "gzip") as url, pytest.raises(requests.RequestException):
        ask(url)


def test_a_server_that_never_comes_to_an_end_is_given_up() -> None:
    with server("application/json", dripping) as url, Wire(url, may_write=False).connected():
        for _ in range(HOPELESS):
            with pytest.raises(EndlessError):
                send(Request("GET", f"{url}/api/v1/"))
        with pytest.raises(requests.ConnectionError, match=f"{HOPELESS} answers in a row"):
            send(Request("GET", f"{url}/api/v1/"))


@pytest.mark.parametrize("digits", [10, 5000])
def test_a_wait_of_more_digits_than_anybody_waits_is_taken_at_its_word(digits: int) -> None:
    refused = requests.Response()
    refused.status_code, refused._content = 429, b""
    refused.headers["Retry-After"] = "9" * digits
    assert Wire("http://127.0.0.1:1", may_write=False)._answer(lambda: refused, None) is refused


def test_a_certificate_that_nobody_knows_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask_in_vain(*_: Any, **__: Any) -> None:
        raise requests.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed certificate"))

    monkeypatch.setattr(running, "ask", ask_in_vain)
    with pytest.raises(CommandError) as refused:
        running.reach("https://127.0.0.1:1", "")
    assert (refused.value.code, "REQUESTS_CA_BUNDLE" in refused.value.hint) == (UNREACHABLE, True)
