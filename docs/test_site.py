"""What `nox -s docs` would complain of, without building the site."""

from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parent
SITE = yaml.safe_load((DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8"))
MADE = {"index.md", "contributing.md", "changelog.md", "sdk/readme.md"}
"""From files outside docs/, by `docs/reference.py`."""


def pages(nav: Any) -> set[str]:
    match nav:
        case str():
            return {nav}
        case dict():
            return {page for inner in nav.values() for page in pages(inner)}
        case _:
            return {page for inner in nav for page in pages(inner)}


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    assert pages(SITE["nav"]) == MADE | {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
