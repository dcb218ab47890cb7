"""Joins `src/*.yaml` into `unpuzzle.yaml`, as text, so that comments and order stay as they were written.

The server reads the same as JSON, `contract.json`: to parse YAML took it 0.3 s and 18 MB more at each start.

python openapi/bundle.py [--check]     --check changes nothing and fails when the file is not up to date
"""

import json
import re
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).parent
TARGET = HERE / "unpuzzle.yaml"
AS_JSON = HERE.parent / "server" / "unpuzzle_server" / "contract.json"
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


def as_json(text: str) -> str:
    return json.dumps(yaml.load(text, Loader=yaml.CSafeLoader), ensure_ascii=False, separators=(",", ":")) + "\n"


def main() -> int:
    text = bundle()
    made = {TARGET: text, AS_JSON: as_json(text)}
    if "--check" not in sys.argv:
        for file, content in made.items():
            file.write_text(content)
        return 0
    stale = [file.name for file, content in made.items() if not file.exists() or file.read_text() != content]
    for name in stale:
        print(f"{name} is not what openapi/src makes: run `nox -s generate`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
