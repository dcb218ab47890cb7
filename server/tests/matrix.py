"""The matrix of operations and their documented statuses: which answers of the contract the tests of this run have seen.

Every request to a test server counts, whoever sends it: the harness, the SDK, the command line, Schemathesis, a bare socket.
A run of the whole suite fails while an answer is missing; any run writes the matrix to `build/matrix.html`.
"""

from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from harness import CONTRACT, OBSERVED

PAGE = Path(__file__).parents[2] / "build" / "matrix.html"
STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #1c2733 }
table { border-collapse: collapse } caption { text-align: left; padding-bottom: 1rem }
thead th { position: sticky; top: 0; background: #fff; padding: .4rem .6rem }
tbody th { text-align: left; font-weight: 500; padding: .15rem 1rem .15rem 0 }
td { text-align: right; padding: .15rem .6rem; font-variant-numeric: tabular-nums; border: 1px solid #e3e8ee }
.seen { background: #e3f6e8 } .missing { background: #fbdcd9; font-weight: 700 }
"""

Answer = tuple[str, int]


def documented() -> set[Answer]:
    return {(name, int(status)) for name, operation in CONTRACT.raw.items() for status in operation["responses"]}


def rows(seen: Counter[Answer]) -> Iterator[tuple[str, list[str]]]:
    """Each operation with a cell for each status: how often it was seen, `-` for never, nothing where it is not documented."""
    expected = documented()
    for operation in CONTRACT.raw:
        cells = [str(seen[operation, status] or "-") if (operation, status) in expected else "" for status in statuses()]
        yield operation, cells


def statuses() -> list[int]:
    return sorted({status for _, status in documented()})


def missing(seen: Counter[Answer]) -> list[Answer]:
    return sorted(documented() - seen.keys())


def as_text(seen: Counter[Answer]) -> Iterator[str]:
    width = max(map(len, CONTRACT.raw))
    yield " " * width + "".join(f"{status:>7}" for status in statuses())
    for operation, cells in rows(seen):
        yield operation.ljust(width) + "".join(cell.rjust(7) for cell in cells)


def as_html(seen: Counter[Answer]) -> str:
    head = "".join(f"<th>{status}</th>" for status in statuses())
    body = "".join(f"<tr><th>{escape(operation)}</th>{''.join(map(_cell, cells))}</tr>" for operation, cells in rows(seen))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Operation × status</title><style>{STYLE}</style>"
        f"<table><caption>{_summary(seen)}</caption><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(text: str) -> str:
    kind = {"": "", "-": " class=missing"}.get(text, " class=seen")
    return f"<td{kind}>{text}</td>"


def _summary(seen: Counter[Answer]) -> str:
    total = len(documented())
    return f"{total - len(missing(seen))} of {total} documented answers were seen, by {sum(seen.values())} requests"


def is_whole(config: pytest.Config) -> bool:
    """Whether every test was asked for, so that every answer should have been seen."""
    chosen = config.option.keyword or config.option.markexpr or config.getoption("lf", False) or config.option.collectonly
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """What a worker of pytest-xdist has seen, once it is done."""
    OBSERVED.update({(operation, status): times for operation, status, times in node.workeroutput.get("observed", ())})


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["observed"] = [(*answer, times) for answer, times in OBSERVED.items()]
    elif is_whole(session.config) and exitstatus == pytest.ExitCode.OK and missing(OBSERVED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    if not OBSERVED:
        return
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(as_html(OBSERVED), encoding="utf-8")
    terminalreporter.section("operation × status")
    if is_whole(config) or config.option.verbose > 0:
        for line in as_text(OBSERVED):
            terminalreporter.write_line(line, red=" - " in f"{line} ")
    terminalreporter.write_line(f"{_summary(OBSERVED)}: {PAGE.relative_to(PAGE.parents[1])}")
    if is_whole(config):
        for operation, status in missing(OBSERVED):
            terminalreporter.write_line(f"FAILED no test has seen {operation} answer {status}", red=True)
