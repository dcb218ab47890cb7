"""Tokens, and where they are kept."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

from attrs import asdict, field, fields, frozen

from .forks import forgets_after_fork

# How long before its end a token is exchanged, so that no request arrives with one that has just ended.
_MARGIN = 30.0


@frozen
class Tokens:
    """What proves who one is. The `repr` does not show it.

    Attributes:
        access_token: What is sent with each request.
        refresh_token: What a new access token is got with; None where there is none.
        expires_at: When the access token ends, in seconds since the epoch; None if unknown.

    Example:
        ```python
        from unpuzzle_sdk import MemoryTokenStore, Tokens, Unpuzzle

        tokens = Tokens("an-access-token", refresh_token="a-refresh-token")
        client = Unpuzzle(token_store=MemoryTokenStore(tokens))
        print(tokens)  # without them
        ```
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None

    @classmethod
    def from_answer(cls, data: Any) -> Tokens | None:
        """Read the answer of an operation that hands out tokens.

        None if it has none: a sign-up may have to wait for the confirmation of the address.
        """
        if not isinstance(data, Mapping) or "access_token" not in data:
            return None
        lifetime = data.get("expires_in")
        # The lifetime counts, not the time of day of the end: the two clocks may differ.
        expires_at = None if lifetime is None else time.time() + float(lifetime)
        return cls(str(data["access_token"]), data.get("refresh_token"), expires_at)

    @property
    def ends_soon(self) -> bool:
        """Whether it is time for a new access token."""
        return self.expires_at is not None and time.time() > self.expires_at - _MARGIN

    @property
    def ended(self) -> bool:
        """Whether the access token is certainly refused by now."""
        return self.expires_at is not None and time.time() >= self.expires_at


class TokenStore(Protocol):
    """Where a client keeps its tokens. Clients with the same store share one session.

    `load` is called for each request, so that whoever signs in or out does so for all; it should not take long.

    Example:
        ```python
        import threading

        from unpuzzle_sdk import Tokens, Unpuzzle


        class DictTokenStore:
            def __init__(self, kept: dict[str, Tokens], user: str) -> None:
                self.kept, self.user, self.guard = kept, user, threading.Lock()

            def load(self) -> Tokens | None:
                return self.kept.get(self.user)

            def save(self, tokens: Tokens) -> None:
                self.kept[self.user] = tokens

            def clear(self) -> None:
                self.kept.pop(self.user, None)

            def lock(self) -> threading.Lock:
                return self.guard


        client = Unpuzzle(token_store=DictTokenStore({}, "jane"))
        ```
    """

    def load(self) -> Tokens | None:
        """Give the tokens, None if nobody is signed in."""
        ...

    def save(self, tokens: Tokens) -> None:
        """Keep new tokens."""
        ...

    def clear(self) -> None:
        """Forget the tokens."""
        ...

    def lock(self) -> AbstractContextManager[Any]:
        """Keep everybody else from changing the tokens, over all threads and processes that share the store.

        A refresh token is good for one exchange, so the holder loads, exchanges and saves within the lock.
        It may be entered and left in different threads.
        """
        ...


class MemoryTokenStore:
    """Tokens of one process.

    Example:
        ```python
        from unpuzzle_sdk import MemoryTokenStore, Unpuzzle

        client = Unpuzzle(token_store=MemoryTokenStore())
        ```
    """

    def __init__(self, tokens: Tokens | None = None) -> None:
        """Start with these tokens."""
        self._tokens = tokens
        self._after_fork()
        forgets_after_fork(self)

    def _after_fork(self) -> None:
        """Open the lock, in a child process: whoever held it is in the parent."""
        self._lock = threading.Lock()

    def load(self) -> Tokens | None:
        """Give the tokens, None if nobody is signed in.

        Example:
            ```python
            from unpuzzle_sdk import MemoryTokenStore

            store = MemoryTokenStore()
            print("signed in" if store.load() else "nobody is signed in")
            ```
        """
        return self._tokens

    def save(self, tokens: Tokens) -> None:
        """Keep new tokens.

        Example:
            ```python
            from unpuzzle_sdk import MemoryTokenStore, Tokens

            store = MemoryTokenStore()
            store.save(Tokens("an-access-token", refresh_token="a-refresh-token"))
            ```
        """
        self._tokens = tokens

    def clear(self) -> None:
        """Forget the tokens.

        Example:
            ```python
            from unpuzzle_sdk import MemoryTokenStore

            store = MemoryTokenStore()
            store.clear()
            ```
        """
        self._tokens = None

    def lock(self) -> AbstractContextManager[Any]:
        """Keep the other threads out.

        Example:
            ```python
            from unpuzzle_sdk import MemoryTokenStore

            store = MemoryTokenStore()
            with store.lock():
                print(store.load())
            ```
        """
        return self._lock


def _is_whole(tokens: Tokens) -> bool:
    """Tell whether everything has its type, as it may not in a file that something else has written."""
    texts = isinstance(tokens.access_token, str) and isinstance(tokens.refresh_token, (str, type(None)))
    return texts and isinstance(tokens.expires_at, (int, float, type(None)))


class FileTokenStore:
    """Tokens in a file that only its owner can read, shared by every process that names it.

    It needs the file locks of POSIX. The file is read again when it has changed.

    Example:
        ```python
        from unpuzzle_sdk import FileTokenStore, Unpuzzle

        client = Unpuzzle(token_store=FileTokenStore("tokens.json"))
        ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Use this file; it need not exist, its directory must. A `~` at its beginning is the home directory."""
        from pathlib import Path

        try:
            import fcntl  # noqa: F401
        except ImportError:
            raise NotImplementedError("FileTokenStore needs the file locks of POSIX, which are not here") from None
        self._path = Path(path).expanduser()
        self._read: tuple[tuple[int, ...], Tokens | None] | None = None

    def load(self) -> Tokens | None:
        """Give the tokens, None if there are none or the file is broken.

        Example:
            ```python
            from unpuzzle_sdk import FileTokenStore

            store = FileTokenStore("tokens.json")
            print("signed in" if store.load() else "nobody is signed in")
            ```
        """
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        read = self._read
        if read is None or read[0] != stamp:
            self._read = read = (stamp, self._tokens())
        return read[1]

    def _tokens(self) -> Tokens | None:
        try:
            kept = json.loads(self._path.read_bytes())
            # A later version may keep more.
            found = Tokens(**{each.name: kept[each.name] for each in fields(Tokens) if each.name in kept})
        except (FileNotFoundError, TypeError, ValueError):
            return None
        return found if _is_whole(found) else None

    def save(self, tokens: Tokens) -> None:
        """Replace the file in one step, so that a reader sees the old tokens or the new ones.

        Example:
            ```python
            from unpuzzle_sdk import FileTokenStore, Tokens

            store = FileTokenStore("tokens.json")
            store.save(Tokens("an-access-token", refresh_token="a-refresh-token"))
            ```
        """
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}.{threading.get_ident()}.new")
        with suppress(FileNotFoundError):
            new.unlink()
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(json.dumps(asdict(tokens)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def clear(self) -> None:
        """Remove the file.

        Example:
            ```python
            from unpuzzle_sdk import FileTokenStore

            store = FileTokenStore("tokens.json")
            store.clear()
            ```
        """
        self._path.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold a lock on a file beside the tokens.

        Example:
            ```python
            from unpuzzle_sdk import FileTokenStore

            store = FileTokenStore("tokens.json")
            with store.lock():
                print(store.load())
            ```
        """
        # Loaded where it is used, as only POSIX has it.
        from fcntl import LOCK_EX, LOCK_UN, flock

        # Every holder opens the file anew: locks belong to the open file, so threads exclude each other too.
        descriptor = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        holder = os.getpid()
        try:
            flock(descriptor, LOCK_EX)
            # What is true within the lock is in the file, however quickly it was changed.
            self._read = None
            yield
        finally:
            # A child that was forked meanwhile has the open file too: to close ours would leave it locked.
            if os.getpid() == holder:
                flock(descriptor, LOCK_UN)
            os.close(descriptor)
