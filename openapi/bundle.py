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


def parts_of(tags: list[str], source: Path) -> list[dict[str, str]]:
    """The blocks of each tag's file, in the order of the tags. What would be left out is refused."""
    files = {file.stem for file in source.glob("*.yaml")} - {"_root"}
    if files != {*tags} or len(tags) != len(files):
        differing = files.symmetric_difference(tags) or {tag for tag in tags if tags.count(tag) > 1}
        raise SystemExit(f"Each tag of _root.yaml has a file, and each file a tag; not so: {', '.join(sorted(differing))}")
    parts = {tag: blocks((source / f"{tag}.yaml").read_text("utf-8"), 0) for tag in tags}
    for tag, part in parts.items():
        refuse_others(f"{tag}.yaml", part, ["paths", "components"])
    return list(parts.values())


def refuse_others(where: str, found: dict[str, str], known: list[str]) -> None:
    if others := sorted(found.keys() - {*known}):
        raise SystemExit(f"{where} has {', '.join(others)}, of which only {', '.join(known)} would be taken")


def bundle(source: Path = HERE / "src") -> str:
    root = (source / "_root.yaml").read_text("utf-8")
    head, own_components = root.split("\ncomponents:\n")
    parts = parts_of([tag["name"] for tag in yaml.safe_load(head)["tags"]], source)
    components = [blocks(text, 2) for text in [own_components, *(part.get("components", "") for part in parts)]]
    for each in components:
        refuse_others("components", each, COMPONENTS)
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
            file.write_text(content, "utf-8")
        return 0
    stale = [file.relative_to(ROOT) for file, content in files.items() if not file.exists() or file.read_text("utf-8") != content]
    for name in stale:
        print(f"{name} is not what openapi/src makes: run `nox -s generate`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
