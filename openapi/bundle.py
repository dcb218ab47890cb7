"""Joins `src/*.yaml` into `unpuzzle.yaml`, as text, so that comments and order stay as they were written.

The server reads the same as JSON, `contract.json`: to parse YAML took it 0.3 s and 18 MB more at each start.
The contract's version is that of the server, the SDK and the CLI too: each has it in its `_version.py`.

python openapi/bundle.py [--check]     --check changes nothing and fails when a file is not up to date
"""

import json
import re
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parent
TARGET = HERE / "unpuzzle.yaml"
AS_JSON = ROOT / "server/unpuzzle_server/contract.json"
VERSIONS = [ROOT / f"{part}/_version.py" for part in ("server/unpuzzle_server", "sdk/unpuzzle_sdk", "cli/unpuzzle_cli")]
VERSION = '"""The version of the contract, made by openapi/bundle.py. Do not edit."""\n\n__version__ = "{}"\n'
BANNER = "# Made by openapi/bundle.py from openapi/src: edit those, then run `nox -s generate`.\n"
COMPONENTS = ["securitySchemes", "headers", "parameters", "responses", "schemas"]


def blocks(text: str, indent: int) -> dict[str, str]:
    """The keys at one depth of a YAML text, each with the lines below it."""
    pieces = re.split(rf"^ {{{indent}}}([\w-]+):(?=\s)", text, flags=re.MULTILINE)
    return {key: body.removeprefix("\n") for key, body in zip(pieces[1::2], pieces[2::2], strict=True)}


def bundle() -> str:
    root = (HERE / "src/_root.yaml").read_text()
    head, own_components = root.split("\ncomponents:\n")
    tags = re.findall(r"^  - name: (\w+)$", head, flags=re.MULTILINE)
    parts = [blocks((HERE / f"src/{tag}.yaml").read_text(), 0) for tag in tags]
    components = [blocks(text, 2) for text in [own_components, *(part.get("components", "") for part in parts)]]
    lines = [BANNER, head, "\npaths:\n", *(part["paths"] for part in parts), "components:\n"]
    for kind in COMPONENTS:
        lines += [f"  {kind}:\n", *(part[kind].rstrip("\n") + "\n" for part in components if kind in part)]
    return "".join(lines)


def made() -> dict[Path, str]:
    """Everything that is made of the parts."""
    text = bundle()
    document = yaml.load(text, Loader=yaml.CSafeLoader)
    as_json = json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
    return {TARGET: text, AS_JSON: as_json, **dict.fromkeys(VERSIONS, VERSION.format(document["info"]["version"]))}


def main() -> int:
    files = made()
    if "--check" not in sys.argv:
        for file, content in files.items():
            file.write_text(content)
        return 0
    stale = [file.relative_to(ROOT) for file, content in files.items() if not file.exists() or file.read_text() != content]
    for name in stale:
        print(f"{name} is not what openapi/src makes: run `nox -s generate`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
