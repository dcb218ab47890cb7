"""What is logged: each line once, nothing secret, and what httpx logs of others as it is."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest
from loopback import Reply, Server

from unpuzzle_sdk import Unpuzzle, errors


def test_cookies_of_a_sign_in_are_not_in_the_logs_of_libraries(
    client: Unpuzzle, server: Server, examples: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cookie = {"Set-Cookie": "access_token=canary; Path=/; HttpOnly"}
    server.script = [Reply(json=examples["AuthSession"], headers=cookie)]
    client.auth.sign_in(email="a@b.c", password="canary")
    assert "Set-Cookie" in caplog.text
    assert "canary" not in caplog.text


def test_nothing_secret_is_shown_or_logged(
    server: Server, examples: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    session = {**examples["AuthSession"], "access_token": "canary-a", "refresh_token": "canary-r"}
    server.script = [Reply(json=session), Reply(401, json={"error": {"code": "AUTH_INVALID_CREDENTIALS"}})]
    caplog.set_level(logging.DEBUG)
    with Unpuzzle(base_url=server.url, headers={"X-Key": "canary-h"}) as client:
        answer = client.auth.sign_in(email="a@b.c", password="canary-p")
        with pytest.raises(errors.AuthInvalidCredentials) as caught:
            client.auth.sign_in(email="a@b.c", password="canary-p")
        shown = [repr(client), repr(answer), str(caught.value), repr(caught.value), repr(client._session), caplog.text]
    shown.append(repr(client._options))
    assert not [text for text in shown if "canary" in text]
    assert "POST /api/v1/auth/signin/" in caplog.text


def test_a_level_of_the_environment_prints_each_line_once(server: Server) -> None:
    program = f"""
import logging, unpuzzle_sdk
logging.basicConfig(level="DEBUG")
unpuzzle_sdk.Unpuzzle(base_url={server.url!r}, max_retries=0).raw.request("GET", "/x/")
"""
    server.respond = lambda _: Reply(404)
    environment = {**os.environ, "UNPUZZLE_LOG": "info", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.count("GET /x/: status 404") == 1


def test_what_httpx_logs_of_others_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    import unpuzzle_sdk._core.wire  # noqa: F401

    caplog.set_level(logging.INFO, logger="httpx")
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as other:
        other.get("http://other/?page=1")
        other.get("http://other/?signature=canary")
    first, second = (record for record in caplog.records if record.name == "httpx")
    assert first.args == ("GET", httpx.URL("http://other/?page=1"), "HTTP/1.1", 200, "OK")
    assert (second.msg, second.args[3]) == (first.msg, 200)  # type: ignore[index]
    assert "canary" not in caplog.text
