"""Programs in pages are regions of tests: a page names one in a comment, and the fence below it holds its text.

python docs/regions.py            fills the fences in; a test fails while one is not what its test runs
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
SHOWN = re.compile(r"(<!-- region: (?P<file>\S+)#(?P<name>\S+) -->\n```python\n)(?P<text>.*?)(?=```\n)", re.DOTALL)


def region(file: str, name: str) -> str:
    """The lines of a test between `# [start:name]` and `# [end:name]`."""
    marked = re.compile(rf"^ *# \[start:{name}\]\n(.*?)^ *# \[end:{name}\]\n", re.DOTALL | re.MULTILINE)
    (found,) = marked.findall((ROOT / file).read_text(encoding="utf-8"))
    return dedent(found)


def regions(file: str) -> list[str]:
    """The names of the regions of a test."""
    return re.findall(r"^ *# \[start:(\S+)\]$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def shown(page: str) -> Iterator[tuple[str, str]]:
    """The regions that a page shows, each as its test and its name."""
    yield from ((found["file"], found["name"]) for found in SHOWN.finditer(page))


def filled(page: str) -> str:
    """A page with the programs as the tests run them."""
    return SHOWN.sub(lambda found: found[1] + region(found["file"], found["name"]), page)


def main() -> int:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            path.write_text(new, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} shows what its tests run", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
