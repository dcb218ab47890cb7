"""Where tokens are kept: in the system's keyring, or in a file of the user's where there is none."""

import json
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from unpuzzle_cli import config
from unpuzzle_sdk._core.auth import FileTokenStore, Tokens

SERVICE = "unpuzzle"


class KeyringTokenStore:
    """Tokens in the system's keyring, one entry for each profile and server."""

    def __init__(self, keyring: Any, name: str, lock_file: Path) -> None:
        self.keyring = keyring
        self.name = name
        self.locks = FileTokenStore(lock_file)  # a keyring has no locks: those of a file keep two processes apart

    def load(self) -> Tokens | None:
        kept = self.keyring.get_password(SERVICE, self.name)
        try:
            return Tokens(**json.loads(kept)) if kept else None
        except (TypeError, ValueError):
            return None

    def save(self, tokens: Tokens) -> None:
        fields = {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token, "expires_at": tokens.expires_at}
        self.keyring.set_password(SERVICE, self.name, json.dumps(fields))

    def clear(self) -> None:
        if self.keyring.get_password(SERVICE, self.name):
            self.keyring.delete_password(SERVICE, self.name)

    def lock(self) -> AbstractContextManager[Any]:
        return self.locks.lock()


class AnnouncedFileTokenStore(FileTokenStore):
    """Tokens in a file of mode 0600, which says so when it begins to keep them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def save(self, tokens: Tokens) -> None:
        if not self.path.exists():
            print(f"There is no keyring here: the tokens are kept in {self.path}, which only you can read.", file=sys.stderr)
        super().save(tokens)


def store(profile: str, base_url: str) -> KeyringTokenStore | AnnouncedFileTokenStore:
    """The tokens of a profile on a server: those of one server are never sent to another."""
    folder = config.folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{profile}@{base_url}"
    safe = "".join(character if character.isalnum() else "-" for character in name)
    file = folder / f"tokens-{safe}.json"
    keyring = _keyring()
    return AnnouncedFileTokenStore(file) if keyring is None else KeyringTokenStore(keyring, name, file)


def _keyring() -> Any:
    """The system's keyring; None where there is none that works without asking."""
    if os.environ.get("UNPUZZLE_NO_KEYRING"):
        return None
    import keyring
    from keyring.backends import fail

    backend = keyring.get_keyring()
    chained = getattr(backend, "backends", [backend])
    return None if not chained or isinstance(backend, fail.Keyring) else keyring
