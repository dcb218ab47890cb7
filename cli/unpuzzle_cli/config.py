"""Profiles: what a person wants from each server, in one TOML file."""

import os
import tomllib
from pathlib import Path
from typing import Any

from unpuzzle_cli.errors import CommandError

KEYS = ("base_url",)


def folder() -> Path:
    """Where the configuration is; UNPUZZLE_CONFIG_DIR or the system's place for it."""
    from platformdirs import user_config_path

    chosen = os.environ.get("UNPUZZLE_CONFIG_DIR")
    return Path(chosen) if chosen else user_config_path("unpuzzle", appauthor=False)


def path() -> Path:
    return folder() / "config.toml"


def load() -> dict[str, dict[str, Any]]:
    """Every profile by its name."""
    try:
        return tomllib.loads(path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CommandError(f"{path()} can't be read: {error}", f"Mend or remove it: {path()}") from None


def save(profiles: dict[str, dict[str, Any]]) -> None:
    import tomli_w

    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path().with_suffix(".new")
    fresh.write_text(tomli_w.dumps(profiles), encoding="utf-8")
    fresh.replace(path())


def get(profile: str, key: str) -> str:
    value: str = load().get(profile, {}).get(key, "")
    return value
