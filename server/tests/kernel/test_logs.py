"""Logs: one line for each request with its id, faults with their reason, and never a secret."""

import io
import json
import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from typing import Any

import pytest

from harness import TEST_SETTINGS, Api, Server, running_server, wait_for
from unpuzzle_server.auth import handlers
from unpuzzle_server.auth.tokens import Tokens
from unpuzzle_server.kernel import logs
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.exchange import Exchange

PROFILE, UPDATE, LIST = "/api/v1/auth/profile/", "/api/v1/auth/profile/update/", "/api/v1/courses/"
Line = dict[str, Any]


class Log:
    """What servers have written to stderr."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.read = 0

    def lines(self, at_least: int = 1) -> list[Line]:
        """The lines since the last call; an answer may be there before its line is."""
        found: list[Line] = []
        wait_for(lambda: found.extend(self._new()) or len(found) >= at_least)
        return found

    def _new(self) -> Iterator[Line]:
        written = self.stream.getvalue()
        complete = written[self.read : written.rfind("\n") + 1]
        self.read += len(complete)
        for line in map(json.loads, complete.splitlines()):
            if not line["logger"].startswith(("httpx", "httpcore")):  # those are the test's own
                yield line


@contextmanager
def logging_server(server: Server) -> Iterator[tuple[Api, Log]]:
    """A caller of a server that logs everything it can, and its log."""
    log = Log()
    with ExitStack() as stack:
        stack.callback(logs.configure, TEST_SETTINGS)
        with redirect_stderr(log.stream):  # the server keeps the stream that is there when it starts
            started = stack.enter_context(running_server(server.owner_url, log_level="debug", log_format="json"))
        yield stack.enter_context(Api(started)), log


@pytest.fixture
def logged(server: Server) -> Iterator[tuple[Api, Log]]:
    with logging_server(server) as found:
        yield found


def test_a_request_is_one_line(logged: tuple[Api, Log]) -> None:
    caller, log = logged
    person = caller.sign_up()
    log.lines()
    person.get(f"{PROFILE}?search=private", headers={"X-Request-ID": "mine", "X-Client-Version": "sdk/1.2" + "x" * 100})
    [line] = log.lines()
    assert (line["message"], line["logger"], line["level"]) == ("request", "unpuzzle_server.access", "info")
    assert (line["method"], line["path"], line["status"]) == ("GET", PROFILE, 422)
    assert (line["operation"], line["request_id"], line["user_id"]) == ("auth.get_profile", "mine", person.id)
    assert (line["address"], line["client_version"]) == ("127.0.0.1", ("sdk/1.2" + "x" * 100)[:50])
    assert 0 < line["milliseconds"] < 10_000
    assert line["time"].endswith("+00:00")


def test_a_request_that_led_nowhere_is_a_line_too(logged: tuple[Api, Log]) -> None:
    caller, log = logged
    caller.get("/nothing%0Ahere/")
    [line] = log.lines()
    assert (line["path"], line["status"]) == ("/nothing\nhere/", 404)
    assert not {"user_id", "operation", "client_version"} & set(line)


def test_no_line_holds_a_secret_at_any_level(logged: tuple[Api, Log]) -> None:
    caller, log = logged
    person = caller.sign_up(password="a secret of signing up", metadata={"code": "a secret of metadata"})
    credentials = {"email": person.email, "password": "a secret of signing up"}
    signed_in = caller.post("/api/v1/auth/signin/", json=credentials).json()
    caller.post("/api/v1/auth/signin/", json={**credentials, "password": "a secret that is wrong"})
    caller.post("/api/v1/auth/signup/", json={**credentials, "full_name": ["a secret that is invalid"]})
    refreshed = caller.post("/api/v1/auth/refresh/", json={"refresh_token": signed_in["refresh_token"]}).json()
    cookies = {"Cookie": f"unpuzzle_access={refreshed['access_token']}; unpuzzle_refresh={refreshed['refresh_token']}"}
    csrf_token = caller.get("/api/v1/auth/csrf-token/", headers=cookies).json()["csrf_token"]
    caller.put(UPDATE, json={"bio": "a secret of a body"}, headers={**cookies, "X-CSRF-Token": csrf_token})
    caller.get(f"{LIST}?search=a+secret+of+a+query&token={signed_in['access_token']}")
    caller.post("/api/v1/auth/signout/", headers={"Authorization": f"Bearer {refreshed['access_token']}"})
    written = json.dumps(log.lines(at_least=9))
    secrets = [person.tokens, signed_in, refreshed]
    assert "secret" not in written
    assert not [token for kept in secrets for token in (kept["access_token"], kept["refresh_token"]) if token in written]
    assert csrf_token not in written
    assert "argon2" not in written


async def failing(tx: Any) -> dict[str, Any]:
    raise RuntimeError("what went wrong")


def test_a_fault_is_logged_with_its_reason_under_the_id_that_the_caller_got(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "get_profile", failing)
    with logging_server(server) as (caller, log):
        person = caller.sign_up()
        response = caller.get(PROFILE, headers={**person.headers, "X-Request-ID": "to-be-found"})
    assert (response.status_code, response.json()["request_id"]) == (500, "to-be-found")
    assert "went wrong on our side" in response.text
    assert "RuntimeError" not in response.text
    fault = next(line for line in log.lines(at_least=3) if line["level"] == "error")
    assert (fault["message"], fault["request_id"]) == ("unhandled error", "to-be-found")
    assert "RuntimeError: what went wrong" in fault["exception"]


def test_a_client_that_goes_away_is_no_fault(logged: tuple[Api, Log]) -> None:
    caller, log = logged
    host, port = caller.server.base_url.removeprefix("http://").split(":")
    head = "POST /api/v1/auth/signin/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
    assert [(line["status"], line["level"]) for line in log.lines()] == [(499, "info")]


def record(**extra: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "request", "levelname": "INFO", "name": "unpuzzle_server", **extra})


@pytest.mark.parametrize("path", ["/a\nINFO forged", "/a\r", "/\x1b[31m", "/\u2028x"])
def test_a_path_can_not_forge_a_line(path: str) -> None:
    assert len(logs.Text("%(message)s").format(record(path=path)).splitlines()) == 1
    assert len(logs.JSONLines().format(record(path=path)).encode().split(b"\n")) == 1
    assert json.loads(logs.JSONLines().format(record(path=path)))["path"] == path


def test_a_field_of_any_kind_can_be_logged() -> None:
    assert json.loads(logs.JSONLines().format(record(thing=object)))["thing"] == "<class 'object'>"
    assert logs.Text("%(message)s").format(record(thing=None, other=1)) == "request thing=None other=1"


def test_an_exception_is_part_of_the_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        line = json.loads(logs.JSONLines().format(record(exc_info=sys.exc_info())))
    assert line["exception"].endswith("ValueError: broken")


def test_what_carries_tokens_does_not_show_them() -> None:
    tokens = Tokens("access-s3cr3t", "refresh-s3cr3t", Clock().now())
    exchange = Exchange({"headers": [(b"authorization", b"Bearer s3cr3t")]}, None, "id")  # type: ignore[arg-type]
    assert exchange.headers["authorization"] == "Bearer s3cr3t"
    assert "s3cr3t" not in f"{tokens!r}{exchange!r}"
