"""What pyproject.toml can't say: the command line needs the SDK of its own version, whose methods it calls by name."""

from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Dependencies(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        metadata["dependencies"] = [*self.config["dependencies"], f"unpuzzle-sdk=={metadata['version']}"]
