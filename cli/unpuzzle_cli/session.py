"""From the options to a client: which server, and as whom."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unpuzzle_cli.errors import UsageError

if TYPE_CHECKING:
    import typer

    from unpuzzle_cli.credentials import Credentials
    from unpuzzle_sdk import Unpuzzle

DEFAULT_PROFILE = "default"
DEFAULT_URL = "https://api.unpuzzle.com"
BASE_URL, PROFILE = "unpuzzle.base_url", "unpuzzle.profile"
"""Under these names `context.meta` holds the options, wherever on the command line they stood."""


@dataclass(frozen=True)
class Choice:
    """What was chosen. Precedence: flag, environment, profile, default."""

    base_url: str = ""
    profile: str = DEFAULT_PROFILE

    @classmethod
    def of(cls, context: "typer.Context") -> "Choice":
        profile = context.meta.get(PROFILE) or os.environ.get("UNPUZZLE_PROFILE") or DEFAULT_PROFILE
        return cls(context.meta.get(BASE_URL) or "", profile)

    @property
    def server(self) -> str:
        chosen = self.base_url or os.environ.get("UNPUZZLE_BASE_URL") or self.setting("base_url") or DEFAULT_URL
        if not chosen.isprintable() or not chosen.startswith(("https://", "http://")):
            raise UsageError(f"{chosen} is not an address.", f"Such as: {DEFAULT_URL}")
        return chosen.rstrip("/")

    @property
    def token(self) -> str:
        """The token or API key of the environment, which wins over what sign-in has kept."""
        return os.environ.get("UNPUZZLE_TOKEN") or os.environ.get("UNPUZZLE_API_KEY", "")

    @property
    def credentials(self) -> "Credentials":
        from unpuzzle_cli.credentials import Credentials

        return Credentials(self.profile, self.server)

    def setting(self, key: str) -> str:
        from unpuzzle_cli import config

        return config.get(self.profile, key)

    def client(self, **options: Any) -> "Unpuzzle":
        from unpuzzle_cli import config, console
        from unpuzzle_sdk import Unpuzzle

        console.pass_on_warnings()
        if "timeout" not in options and (timeout := self.setting("timeout")):
            options["timeout"] = config.seconds(timeout)
        if "api_key" not in options:
            options |= {"token": self.token} if self.token else {"token_store": self.credentials}
        return Unpuzzle(base_url=self.server, headers=_headers(), **options)


def _headers() -> dict[str, str]:
    from unpuzzle_cli import __version__

    return {"X-Client-Version": f"unpuzzle-cli/{__version__}"}
