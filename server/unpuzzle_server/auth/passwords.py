"""Passwords: Argon2id at rest, and none that are easily guessed."""

import asyncio
import ctypes
import importlib.util
import os
import runpy
from contextlib import suppress
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.settings import Settings

MIN_LENGTH = 8
M_MMAP_THRESHOLD = -3
LARGE_BLOCK = 1024 * 1024


class Passwords:
    """Hashes and checks in threads, as many at once as there are cores: each takes 19 MiB and 30 ms."""

    def __init__(self, settings: Settings) -> None:
        self.hasher = PasswordHasher(time_cost=settings.password_passes, memory_cost=settings.password_memory_kib, parallelism=1)
        self.slots = asyncio.Semaphore(os.cpu_count() or 1)
        _give_memory_back()

    async def hash(self, password: str) -> str:
        async with self.slots:
            return await asyncio.to_thread(self.hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Takes the same time whether there is a stored hash or not, so that nobody learns which addresses have accounts."""
        async with self.slots:
            return await asyncio.to_thread(self._verify, stored or self._nobodys(), password) and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self.hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    @cache  # noqa: B019 - there is one instance a process
    def _nobodys(self) -> str:
        return self.hasher.hash("the password of nobody")


def _give_memory_back() -> None:
    """Has the C library return large blocks to the system when they are freed.

    By default glibc begins to keep them once it has seen one freed: a process then holds Argon2's 19 MiB for ever.
    """
    with suppress(OSError, AttributeError):  # another C library does not know the word
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def check_strength(password: str, email: str) -> None:
    """Raises WEAK_PASSWORD for the common ones and those that hold the address."""
    lowered = password.lower()
    if lowered in _common():
        raise Problem("WEAK_PASSWORD", "This password is among the most common ones.")
    if any(part in lowered for part in (email, email.partition("@")[0]) if len(part) >= 4):
        raise Problem("WEAK_PASSWORD", "The password holds the e-mail address.")


@cache
def _common() -> frozenset[str]:
    """The common passwords that are long enough to be tried, from the lists of zxcvbn.

    Its module is run by itself and thrown away: imported, it would keep all of its lists, 15 MB, for the sake of one.
    """
    package = importlib.util.find_spec("zxcvbn")
    assert package is not None, "zxcvbn is a dependency of this package"
    assert package.submodule_search_locations
    lists = runpy.run_path(str(Path(package.submodule_search_locations[0]) / "frequency_lists.py"))["FREQUENCY_LISTS"]
    return frozenset(word for word in lists["passwords"] if len(word) >= MIN_LENGTH)
