"""Generate the SDK from the contract: `python codegen/generate.py`.

One call of openapi-python-client; its first post hook, `resources.py`, adds the parts it has no template for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SDK = Path(__file__).resolve().parents[1]
COMMAND = [
    *("openapi-python-client", "generate", "--path", "../openapi/unpuzzle.yaml", "--output-path", "unpuzzle_sdk"),
    *("--config", "codegen/config.yaml", "--custom-template-path", "codegen/templates"),
    *("--meta", "none", "--overwrite", "--fail-on-warning"),
]


def main() -> int:
    """Run the generator with the tools that are installed beside this interpreter."""
    # The directory of this interpreter comes first, so that `python` in the post hooks is this one.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    shutil.rmtree(SDK / "unpuzzle_sdk" / "resources", ignore_errors=True)
    executable = shutil.which(COMMAND[0], path=path) or COMMAND[0]
    return subprocess.run([executable, *COMMAND[1:]], cwd=SDK, env={**os.environ, "PATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
