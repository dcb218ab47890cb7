"""What pyproject.toml can't say."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface


class Dependencies(MetadataHookInterface):
    """The command line needs the SDK of its own version, whose methods it calls by name."""

    def update(self, metadata: dict[str, Any]) -> None:
        metadata["dependencies"] = [*self.config["dependencies"], f"unpuzzle-sdk=={metadata['version']}"]


class Contract(BuildHookInterface[Any]):
    """`unpuzzle conformance` reads the contract, which goes along from beside this folder, or from where an sdist has it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        contract = Path(self.root).parent / "openapi" / "unpuzzle.yaml"
        if version != "editable" and contract.is_file():
            build_data["force_include"][str(contract)] = "unpuzzle_cli/conformance/unpuzzle.yaml"
