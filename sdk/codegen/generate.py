"""Generate the SDK from the contract: `python codegen/generate.py`.

One call of openapi-python-client; its first post hook, `resources.py`, adds the parts it has no template for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

SDK = Path(__file__).resolve().parents[1]
CONTRACT = SDK.parent / "openapi" / "unpuzzle.yaml"
# It copies the contract over and over, and all of it stays: to look for garbage would take it a third of its time.
GENERATOR = "import gc; gc.disable(); from openapi_python_client.cli import app; app()"
COMMAND = [
    *(sys.executable, "-c", GENERATOR, "generate", "--output-path", "unpuzzle_sdk"),
    *("--config", "codegen/config.yaml", "--custom-template-path", "codegen/templates"),
    *("--meta", "none", "--overwrite", "--fail-on-warning"),
]


def main() -> int:
    """Run the generator with the tools that are installed beside this interpreter."""
    # The directory of this interpreter comes first, so that `python` in the post hooks is this one.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    shutil.rmtree(SDK / "unpuzzle_sdk" / "resources", ignore_errors=True)
    with TemporaryDirectory() as folder:
        # The generator reads YAML in plain Python, which would take it most of its time.
        contract = Path(folder) / "contract.json"
        contract.write_text(json.dumps(yaml.load(CONTRACT.read_bytes(), Loader=yaml.CSafeLoader)), encoding="utf-8")
        command = [*COMMAND, "--path", str(contract)]
        environment = {**os.environ, "PATH": path, "CONTRACT_JSON": str(contract)}
        return subprocess.run(command, cwd=SDK, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
