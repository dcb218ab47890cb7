"""The programs of the guides are those that their tests run."""

from pathlib import Path

import pytest

import regions

DOCS = Path(__file__).parent
PAGES = {path: path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
SHOWING = [path for path, text in PAGES.items() if [*regions.shown(text)]]


@pytest.mark.parametrize("path", SHOWING, ids=lambda path: path.name)
def test_a_page_shows_what_its_tests_run(path: Path) -> None:
    assert regions.filled(PAGES[path]) == PAGES[path], "run `python docs/regions.py`"


def test_every_region_is_shown() -> None:
    used = {found for path in SHOWING for found in regions.shown(PAGES[path])}
    assert used == {(file, name) for file in {file for file, _ in used} for name in regions.regions(file)}


def test_no_program_of_the_guides_is_without_a_test() -> None:
    executed = {"quickstart.md", "testing.md"}  # as they stand, in test_snippets.py
    guides = [path for path in sorted((DOCS / "sdk").glob("*.md")) if path.name not in executed]
    assert {path.name: PAGES[path].count("```python") for path in guides} == {
        path.name: len([*regions.shown(PAGES[path])]) for path in guides
    }
