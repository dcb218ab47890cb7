"""What pyproject.toml can't say: the contract goes along, from beside the server's folder, or from where an sdist has it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Contract(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        contract = Path(self.root).parent / "openapi" / "unpuzzle.yaml"
        if version != "editable" and contract.is_file():
            build_data["force_include"][str(contract)] = "unpuzzle_server/unpuzzle.yaml"
