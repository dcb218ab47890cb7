"""Waiting for somebody to come back from a browser."""

import socket
import struct
import threading
import time
import urllib.request

import pytest

from unpuzzle_cli import browser
from unpuzzle_cli.errors import CommandError


def test_a_connection_that_says_nothing_keeps_nobody_waiting() -> None:
    """Chrome opens one before it needs it."""
    with browser.waiting() as back, socket.create_connection(("127.0.0.1", back.server_port)):
        page = threading.Timer(0.2, lambda: urllib.request.urlopen(f"{back.url}?code=x&state=mine", timeout=5).read())
        page.start()
        began = time.monotonic()
        assert back.answer("mine", seconds=5) == {"code": "x", "state": "mine"}
        page.join()
    assert time.monotonic() - began < browser.IDLE_SECONDS


def test_a_connection_that_is_broken_off_is_not_worth_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    with browser.waiting() as back:
        with socket.create_connection(("127.0.0.1", back.server_port)) as broken:
            broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing it resets it
        with pytest.raises(CommandError, match="Nobody came back"):
            back.answer("mine", seconds=0.3)
    assert capsys.readouterr().err == ""


def test_the_deadline_holds_whatever_is_connected_and_whoever_comes_back_from_another_attempt() -> None:
    with browser.waiting() as back, socket.create_connection(("127.0.0.1", back.server_port)):
        another = threading.Timer(0.1, lambda: urllib.request.urlopen(f"{back.url}?code=x&state=another", timeout=5).read())
        another.start()
        with pytest.raises(CommandError, match="Nobody came back"):
            back.answer("mine", seconds=0.5)
        another.join()
