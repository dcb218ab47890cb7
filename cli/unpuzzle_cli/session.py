"""From the options to a client: which server, and as whom."""

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unpuzzle_cli import config
from unpuzzle_cli.errors import UsageError

if TYPE_CHECKING:
    import typer

    from unpuzzle_cli.credentials import Credentials
    from unpuzzle_sdk import Unpuzzle

BASE_URL, PROFILE = "unpuzzle.base_url", "unpuzzle.profile"
"""Under these names `context.meta` holds the options, wherever on the command line they stood."""


@dataclass(frozen=True)
class Choice:
    """What was chosen. Precedence: flag, environment, profile, default."""

    base_url: str = ""
    profile: str = config.DEFAULT_PROFILE

    @classmethod
    def of(cls, context: "typer.Context", *, may_be_new: bool = False) -> "Choice":
        """What was chosen; a profile that is not kept may be named by what makes one, or beside the address of its server."""
        profile = context.meta.get(PROFILE) or os.environ.get("UNPUZZLE_PROFILE") or config.DEFAULT_PROFILE
        base_url = context.meta.get(BASE_URL) or ""
        if not (may_be_new or base_url or os.environ.get("UNPUZZLE_BASE_URL")):
            _check(profile)
        return cls(base_url, config.named(profile))

    @property
    def server(self) -> str:
        chosen = self.base_url or os.environ.get("UNPUZZLE_BASE_URL") or self.setting("base_url")
        return config.address(chosen or config.DEFAULT_URL)

    @property
    def token(self) -> str:
        """The token or API key of the environment, which wins over what sign-in has kept."""
        return os.environ.get("UNPUZZLE_TOKEN") or os.environ.get("UNPUZZLE_API_KEY", "")

    @property
    def credentials(self) -> "Credentials":
        from unpuzzle_cli.credentials import Credentials

        return Credentials(self.profile, self.server)

    def setting(self, key: str) -> str:
        return config.get(self.profile, key)

    def keep(self) -> None:
        """Keeps a profile that was named for the first time, with its server: its name alone is enough from then on."""
        if self.profile not in (config.DEFAULT_PROFILE, *config.load()):
            config.change(self.profile, "base_url", self.server)

    def client(self, **options: Any) -> "Unpuzzle":
        from unpuzzle_cli import console
        from unpuzzle_sdk import Unpuzzle

        console.pass_on_warnings()
        if "timeout" not in options and (timeout := self.setting("timeout")):
            options["timeout"] = config.seconds(timeout)
        if "api_key" not in options:
            options |= {"token": self.token} if self.token else {"token_store": self.credentials}
        return Unpuzzle(base_url=self.server, headers=_headers(), **options)


def in_environment(context: "typer.Context") -> dict[str, str]:
    """What was chosen by options, as variables for the commands that a line of a shell runs."""
    chosen = {"UNPUZZLE_BASE_URL": context.meta.get(BASE_URL), "UNPUZZLE_PROFILE": context.meta.get(PROFILE)}
    return {name: value for name, value in chosen.items() if value}


def _check(profile: str) -> None:
    """Raises UsageError for a profile that is not kept: what is mistyped must not lead to production."""
    if profile == config.DEFAULT_PROFILE:
        return
    kept = dict.fromkeys([config.DEFAULT_PROFILE, *config.load()])
    if profile not in kept:
        raise UsageError(f"There is no profile {profile}. There are: {', '.join(kept)}", f"Make it: {_making(profile)}")


def _making(profile: str) -> str:
    return shlex.join(["unpuzzle", "config", "set", "base_url", "URL", "--profile", profile])


def _headers() -> dict[str, str]:
    from unpuzzle_cli import __version__

    return {"X-Client-Version": f"unpuzzle-cli/{__version__}"}
