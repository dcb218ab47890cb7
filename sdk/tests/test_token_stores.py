"""Where tokens are kept: in memory, or in a file that processes share."""

from __future__ import annotations

import multiprocessing
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from unpuzzle_sdk import FileTokenStore, MemoryTokenStore, Tokens, TokenStore


@pytest.mark.parametrize("make", [lambda _: MemoryTokenStore(), lambda path: FileTokenStore(path / "tokens.json")])
def test_stores(tmp_path: Path, make: Callable[[Path], TokenStore]) -> None:
    store = make(tmp_path)
    assert store.load() is None
    with store.lock():
        store.save(Tokens("a", "r", 1.5))
    assert store.load() == Tokens("a", "r", 1.5)
    store.clear()
    store.clear()
    assert store.load() is None


def test_the_file_is_private_and_may_be_broken(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    store = FileTokenStore(path)
    store.save(Tokens("a"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("{")
    assert store.load() is None


def test_a_file_of_a_later_version_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text('{"access_token": "a", "brand_new": 1}')
    assert FileTokenStore(path).load() == Tokens("a")


def test_a_file_is_read_again_when_it_has_changed_and_always_within_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    mine, other = FileTokenStore(path), FileTokenStore(path)
    for name in ("a", "bb", "ccc"):
        other.save(Tokens(name))
        assert mine.load() == Tokens(name)
    stamp = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace("ccc", "ddd"))
    os.utime(path, ns=(stamp, stamp))
    with mine.lock():
        assert mine.load() == Tokens("ddd")
    other.clear()
    assert mine.load() is None


def test_the_home_directory_may_be_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    FileTokenStore("~/tokens.json").save(Tokens("a"))
    assert (tmp_path / "tokens.json").exists()


def test_without_file_locks_there_is_no_store_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(NotImplementedError, match="POSIX"):
        FileTokenStore("tokens.json")


def test_a_forked_process_leaves_the_lock_of_a_file_open(tmp_path: Path) -> None:
    """The child has the open file of its parent's lock, as long as it lives."""
    store = FileTokenStore(tmp_path / "tokens.json")
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with store.lock():
            held.set()
            go_on.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    child.start()
    go_on.set()
    holder.join()
    taken = threading.Event()

    def take() -> None:
        with store.lock():
            taken.set()

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    try:
        assert taken.wait(10)
    finally:
        child.terminate()
        child.join()
        taker.join(10)
