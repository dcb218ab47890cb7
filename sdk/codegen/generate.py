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
PACKAGE = "unpuzzle_sdk"
CACHES = shutil.ignore_patterns("__pycache__", ".*_cache")
CONTRACT = SDK.parent / "openapi" / "unpuzzle.yaml"
# It copies the contract over and over, and all of it stays: to look for garbage would take it a third of its time.
GENERATOR = "import gc; gc.disable(); from openapi_python_client.cli import app; app()"
COMMAND = [
    *(sys.executable, "-c", GENERATOR, "generate", "--output-path", PACKAGE),
    *("--config", "codegen/config.yaml", "--custom-template-path", "codegen/templates"),
    *("--meta", "none", "--overwrite", "--fail-on-warning"),
]


def main() -> int:
    """Run the generator on a copy, with the tools beside this interpreter; what it makes is taken when all is made."""
    # The directory of this interpreter comes first, so that `python` in the post hooks is this one.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "sdk"
        for part in ("codegen", PACKAGE):
            shutil.copytree(SDK / part, copy / part, ignore=CACHES)
        shutil.rmtree(copy / PACKAGE / "resources", ignore_errors=True)
        # The generator reads YAML in plain Python, which would take it most of its time.
        contract = Path(folder) / "contract.json"
        contract.write_text(json.dumps(yaml.load(CONTRACT.read_bytes(), Loader=yaml.CSafeLoader)), encoding="utf-8")
        command = [*COMMAND, "--path", str(contract)]
        environment = {**os.environ, "PATH": path, "CONTRACT_JSON": str(contract), "CONTRACT_YAML": str(CONTRACT)}
        if code := subprocess.run(command, cwd=copy, env=environment, check=False).returncode:
            return code
        shutil.rmtree(SDK / PACKAGE)
        shutil.copytree(copy / PACKAGE, SDK / PACKAGE, ignore=CACHES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
