"""From the options to a client: which server, and as whom."""

import os
from dataclasses import dataclass
from typing import Any

DEFAULT_URL = "https://api.unpuzzle.com"


@dataclass(frozen=True)
class Choice:
    """The options before the command. Precedence: flag, environment, profile, default."""

    base_url: str
    profile: str
    quiet: bool

    @property
    def server(self) -> str:
        from unpuzzle_cli import config

        chosen = self.base_url or os.environ.get("UNPUZZLE_BASE_URL") or config.get(self.profile, "base_url")
        return (chosen or DEFAULT_URL).rstrip("/")

    def client(self, **options: Any) -> Any:
        """The SDK's client; UNPUZZLE_TOKEN wins over what sign-in has kept."""
        from unpuzzle_sdk import Unpuzzle

        token = os.environ.get("UNPUZZLE_TOKEN")
        if token:
            return Unpuzzle(base_url=self.server, token=token, headers=_headers(), **options)
        return Unpuzzle(base_url=self.server, token_store=self.tokens(), headers=_headers(), **options)

    def tokens(self) -> Any:
        from unpuzzle_cli import credentials

        return credentials.store(self.profile, self.server)


def _headers() -> dict[str, str]:
    from unpuzzle_cli import __version__

    return {"X-Client-Version": f"unpuzzle-cli/{__version__}"}
