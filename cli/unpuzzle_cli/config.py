"""Profiles, what a person wants from each server, and aliases: one TOML file."""

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unpuzzle_cli.errors import CommandError, UsageError

KEYS = {
    "base_url": "The address of the server.",
    "timeout": "Seconds to wait for an answer.",
}

DEFAULT_PROFILE = "default"
DEFAULT_URL = "https://api.unpuzzle.com"
ALIASES = "aliases"
"""The table that is no profile."""

Profile = dict[str, str]


def folder() -> Path:
    """Where the configuration is: UNPUZZLE_CONFIG_DIR, or the system's place for it."""
    if chosen := os.environ.get("UNPUZZLE_CONFIG_DIR"):
        return Path(chosen)
    from platformdirs import user_config_path

    return user_config_path("unpuzzle", appauthor=False)


def path() -> Path:
    return folder() / "config.toml"


def load() -> dict[str, Profile]:
    """Every profile by its name."""
    return {name: values for name, values in _tables().items() if name != ALIASES}


def aliases() -> dict[str, str]:
    """Commands of one's own, by their names."""
    return _tables().get(ALIASES, {})


def keep_aliases(given: dict[str, str]) -> None:
    with _changed() as tables:
        tables[ALIASES] = dict(sorted((tables.get(ALIASES, {}) | given).items()))


def forget_alias(name: str) -> None:
    with _changed() as tables:
        tables.get(ALIASES, {}).pop(name, None)


def _tables() -> dict[str, Profile]:
    try:
        tables = tomllib.loads(path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CommandError(
            f"{path()} can't be read: {getattr(error, 'strerror', error)}", f"Mend or remove it: {path()}"
        ) from None
    profiles = {name: values for name, values in tables.items() if isinstance(values, dict)}
    return {name: {key: str(value) for key, value in values.items()} for name, values in profiles.items()}


def get(profile: str, key: str) -> str:
    return load().get(profile, {}).get(key, "")


def change(profile: str, key: str, value: str | None) -> None:
    """Keeps a value in a profile; None forgets it."""
    with _changed() as tables:
        values = tables.setdefault(named(profile), {})
        values.pop(known(key), None)
        if value is not None:
            values[key] = _checked(key, value)


def named(profile: str) -> str:
    """The name of a profile that may be kept."""
    if profile == ALIASES:
        raise UsageError(f"A profile can't be called {ALIASES}.", "Take another name")
    return profile


def known(key: str) -> str:
    if key not in KEYS:
        raise UsageError(f"There is no setting {key}.", f"There are: {', '.join(KEYS)}")
    return key


def _checked(key: str, value: str) -> str:
    if key == "base_url":
        return address(value)
    seconds(value)
    return value


def address(value: str) -> str:
    """The address of a server, with its scheme in small letters, and without what every path of the API begins with."""
    scheme, mark, rest = value.partition("://")
    if "@" in rest.partition("/")[0]:  # said without the address, which holds a secret
        raise UsageError("The address of a server holds no name and no password.", "Sign in to it: unpuzzle auth login")
    if not value.isprintable() or not mark or scheme.lower() not in ("https", "http") or not rest or {"?", "#"} & {*rest}:
        raise UsageError(f"{value} is not an address.", f"Such as: {DEFAULT_URL}")
    return f"{scheme.lower()}://{rest.rstrip('/').removesuffix('/api/v1')}"


def seconds(value: str) -> float:
    """A timeout as a number."""
    try:
        found = float(value)
    except ValueError:
        found = 0
    if not 0 < found < float("inf"):
        raise UsageError(f"{value} is not a number of seconds.", "Such as: unpuzzle config set timeout 30")
    return found


@contextmanager
def _changed() -> Iterator[dict[str, Profile]]:
    """What the file holds, to be changed, and then kept. Of two processes the second waits, so that nothing is lost."""
    from fcntl import LOCK_EX, flock  # only where something is changed

    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    opened = os.open(folder(), os.O_RDONLY)
    try:
        flock(opened, LOCK_EX)
        tables = _tables()
        yield tables
        _save(tables)
    finally:
        os.close(opened)


def _save(tables: dict[str, Profile]) -> None:
    lines = []
    for name, values in tables.items():
        if values:
            lines += [f"[{_quoted(name)}]", *(f"{_quoted(key)} = {_quoted(value)}" for key, value in values.items()), ""]
    file = path().resolve()  # which stays where a link leads that somebody has made of it
    fresh = file.with_suffix(f".{os.getpid()}.new")
    fresh.write_text("\n".join(lines), encoding="utf-8")
    fresh.replace(file)


def _quoted(text: str) -> str:
    """A string of TOML: those of JSON are that too, but for DEL, so that no library is needed to write tables of them."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
