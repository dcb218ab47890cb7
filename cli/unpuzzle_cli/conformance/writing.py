"""The report as files: JUnit for CI, JSON for programs, HTML for people."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as Xml

from unpuzzle_cli.conformance.report import Finding, Outcome, Report

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML may hold, not even escaped."""
NAME = "unpuzzle-conformance"


def write(report: Report, folder: Path, formats: list[str]) -> list[Path]:
    """Writes the formats that are wanted, and says where."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_written(folder / FILES[name], WRITERS[name](report)) for name in formats]


def _written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def as_json(report: Report) -> str:
    return json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n"


def as_html(report: Report) -> str:
    """One file that asks nobody for anything."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(loader=PackageLoader("unpuzzle_cli.conformance", ""), autoescape=True, undefined=StrictUndefined)
    return templates.get_template("report.html").render(report=report)


def as_junit(report: Report) -> str:
    """A suite for each operation, a case for each check of it, as GitLab, Jenkins and GitHub's actions read them."""
    root = Xml.Element("testsuites", {"name": NAME, "time": str(report.seconds)})
    for outcome in report.operations:
        root.append(_suite(outcome, [finding for finding in report.findings if finding.operation == outcome.id], report))
    if report.stopped:
        root.append(_end(report))
    for count in ("tests", "failures", "errors"):  # the schema of Jenkins has no more
        root.set(count, str(sum(int(suite.get(count, 0)) for suite in root)))
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(outcome: Outcome, findings: list[Finding], report: Report) -> Xml.Element:
    suite = Xml.Element("testsuite", {"name": outcome.id, "timestamp": report.started, "time": f"{outcome.seconds:.3f}"})
    properties = Xml.SubElement(suite, "properties")
    for name, statuses in (("documented", outcome.documented), ("seen", sorted(outcome.seen)), ("unseen", outcome.unseen)):
        Xml.SubElement(properties, "property", {"name": name, "value": " ".join(map(str, statuses))})
    for check in sorted(outcome.checks):
        case = Xml.SubElement(suite, "testcase", {"classname": outcome.id, "name": check, "time": "0"})
        if broken := [finding for finding in findings if finding.check == check]:  # a case fails once, with all that was found
            message = _text(broken[0].message.partition("\n")[0])
            failure = Xml.SubElement(case, "failure", {"type": check, "message": message})
            failure.text = _text("\n\n".join(map(_told, broken)))
    return _counted(suite)


def _end(report: Report) -> Xml.Element:
    """A run that did not come to its end is an error of its own."""
    suite = Xml.Element("testsuite", {"name": NAME, "timestamp": report.started, "time": "0"})
    case = Xml.SubElement(suite, "testcase", {"classname": NAME, "name": "completed", "time": "0"})
    Xml.SubElement(case, "error", {"type": "stopped", "message": _text(report.stopped)})
    return _counted(suite)


def _counted(suite: Xml.Element) -> Xml.Element:
    counts = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error", "skipped": "testcase/skipped"}
    for name, path in counts.items():
        suite.set(name, str(len(suite.findall(path))))
    return suite


def _told(finding: Finding) -> str:
    answer = f"{finding.status}, request id {finding.request_id}" if finding.status else "none"
    times = f" ({finding.times} times)" if finding.times > 1 else ""
    return "\n".join(
        (f"{finding.rule}{times}", finding.message, f"Request: {finding.curl}", f"Answer: {answer}", finding.contract)
    )


def _text(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)


WRITERS: dict[str, Callable[[Report], str]] = {"junit": as_junit, "json": as_json, "html": as_html}
FILES = {"junit": "junit.xml", "json": "report.json", "html": "report.html"}
