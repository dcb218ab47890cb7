"""Where tokens are kept: in the system's keyring, or in a file of the user's where there is none that works."""

import json
import os
import re
from contextlib import AbstractContextManager, suppress
from hashlib import sha256
from typing import Any

from unpuzzle_cli import config, console
from unpuzzle_sdk import FileTokenStore, Tokens

SERVICE = "unpuzzle"


class Credentials:
    """The tokens of one profile on one server. Those of one server are never sent to another."""

    def __init__(self, profile: str, base_url: str) -> None:
        self.name = f"{profile}@{base_url}"
        self.path = config.folder() / f"tokens-{_file_name(self.name)}.json"
        self._file = FileTokenStore(self.path)
        # Says that the keyring has the tokens: opening one takes longer than a request, so nobody else should have to.
        self._mark = self.path.with_suffix(".keyring")
        self._keyring = _Keyring(self.name)
        self._read: tuple[int, Tokens | None] | None = None

    @property
    def place(self) -> str:
        """Where the tokens are, for people."""
        return "keyring" if self._mark.exists() else str(self.path)

    def load(self) -> Tokens | None:
        """Called for each request, so a keyring is opened again only after a change, which touches its mark."""
        try:
            changed = self._mark.stat().st_mtime_ns
        except FileNotFoundError:
            return self._file.load()
        if self._read is None or self._read[0] != changed:
            self._read = (changed, self._keyring.load())
        return self._read[1]

    def save(self, tokens: Tokens) -> None:
        self._make_folder()
        if self._keyring.save(tokens):
            self._mark.touch()
            self._file.clear()
            return
        self._mark.unlink(missing_ok=True)
        if not self.path.exists():
            console.talk(f"No keyring works here: the tokens are kept in {self.path}, which only you can read.")
        self._file.save(tokens)

    def clear(self) -> None:
        if self._mark.exists():
            self._keyring.clear()
            self._mark.unlink(missing_ok=True)
        self._file.clear()

    def lock(self) -> AbstractContextManager[Any]:
        """Keeps two processes apart; a keyring has no locks, so it is the file's."""
        self._make_folder()
        self._read = None
        return self._file.lock()

    def _make_folder(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)


class _Keyring:
    """The system's keyring, which may be absent, locked or broken: then it holds nothing and takes nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    def load(self) -> Tokens | None:
        kept = None
        with suppress(Exception):  # each backend fails in its own way
            kept = self._backend().get_password(SERVICE, self._name)
        try:
            return Tokens(**json.loads(kept)) if kept else None
        except (TypeError, ValueError):
            return None

    def save(self, tokens: Tokens) -> bool:
        fields = {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token, "expires_at": tokens.expires_at}
        try:
            self._backend().set_password(SERVICE, self._name, json.dumps(fields))
        except Exception:  # as above
            return False
        return True

    def clear(self) -> None:
        with suppress(Exception):  # as above; what is not there can't be deleted
            self._backend().delete_password(SERVICE, self._name)

    def _backend(self) -> Any:
        if os.environ.get("UNPUZZLE_NO_KEYRING"):
            raise LookupError
        import keyring  # it looks for backends among everything that is installed: only when tokens are needed

        return keyring


def _file_name(name: str) -> str:
    """A readable name of a file that no other profile and server has."""
    return f"{re.sub('[^A-Za-z0-9.]+', '-', name)}-{sha256(name.encode()).hexdigest()[:8]}"
