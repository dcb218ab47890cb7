"""`unpuzzle conformance`: holds any server to the contract."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from unpuzzle_cli import console
from unpuzzle_cli.errors import (
    FAILED,
    INTERRUPTED,
    LIMIT,
    SIGN_IN,
    TERMINATED,
    UNREACHABLE,
    USAGE,
    CommandError,
    UsageError,
)
from unpuzzle_cli.group import Command
from unpuzzle_cli.session import Choice

if TYPE_CHECKING:
    from unpuzzle_cli.conformance.report import Finding, Report

EXTRA = ("schemathesis", "jinja2", "nh3", "requests", "yaml", "jsonschema_rs")
"""What the extra brings."""
FORMATS = ("junit", "json", "html")
SENT, WRITTEN = "What is sent", "What is written"
Names = list[str] | None
Row = tuple[str, ...]


class Profile(StrEnum):
    """What may be sent."""

    read_only = "read-only"
    full = "full"


class ConformanceCommand(Command):
    """Its profile is not one of the configuration; that is chosen in front of the command, or by UNPUZZLE_PROFILE."""

    def get_params(self, ctx: Any) -> list[Any]:
        own, seen = [], set()
        for parameter in super().get_params(ctx):
            if parameter.name not in seen:
                own.append(parameter)
                seen.add(parameter.name)
        return own


def conformance(
    context: typer.Context,
    profile: Annotated[
        Profile, typer.Option(help="read-only sends no unsafe request; full makes accounts and what it needs.")
    ] = Profile.read_only,
    include: Annotated[Names, typer.Option(metavar="GLOB", help="Only operations like courses.*", rich_help_panel=SENT)] = None,
    exclude: Annotated[Names, typer.Option(metavar="GLOB", help="No operations like auth.*", rich_help_panel=SENT)] = None,
    tag: Annotated[Names, typer.Option("--tag", metavar="TAG", help="Only operations of a tag.", rich_help_panel=SENT)] = None,
    max_examples: Annotated[
        int, typer.Option(metavar="N", help="Made-up requests of each operation.", min=1, rich_help_panel=SENT)
    ] = 10,
    seed: Annotated[
        int, typer.Option(metavar="N", help="The same seed sends the same requests.", min=0, rich_help_panel=SENT)
    ] = 7,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="End with the first finding.", rich_help_panel=SENT)] = False,
    header: Annotated[
        Names, typer.Option("--header", "-H", metavar="NAME:VALUE", help="Sent along.", rich_help_panel=SENT)
    ] = None,
    allow_header: Annotated[
        Names, typer.Option(metavar="NAME", help="A header that a proxy adds to answers.", rich_help_panel=SENT)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before writing.", rich_help_panel=SENT)] = False,
    report: Annotated[
        str, typer.Option(metavar="FORMATS", help="junit, json, html, or some of them.", rich_help_panel=WRITTEN)
    ] = "junit,json,html",
    report_dir: Annotated[Path, typer.Option(metavar="DIR", help="Where reports go.", rich_help_panel=WRITTEN)] = Path(
        "conformance-report"
    ),
) -> None:
    """Hold a server to the contract.

    Exit codes: 0 it conforms, 1 it does not, 2 usage, 4 the token is not good or accounts are missing, 6 limits hid too much,
    7 it can't be reached.
    With full, accounts that are there can be used: UNPUZZLE_CONFORMANCE_LEARNER, _INSTRUCTOR and _ADMIN=email:password.
    """
    formats = _formats(report)
    _needs_the_extra()
    from unpuzzle_cli.conformance import writing
    from unpuzzle_cli.conformance.callers import Selection, prepared
    from unpuzzle_cli.conformance.progress import heard, shown
    from unpuzzle_cli.conformance.running import chosen, hold
    from unpuzzle_cli.conformance.settings import BETWEEN, Options

    choice = Choice.of(context)
    _is_address(choice.server)
    reads = profile is Profile.read_only
    between = BETWEEN | {name.lower() for name in allow_header or []}
    options = Options(choice.server, reads, seed, max_examples, fail_fast, between)
    selection = Selection(tuple(include or ()), tuple(exclude or ()), tuple(tag or ()))
    headers = dict(map(_header, header or []))
    token = _token(choice) if reads else str
    chosen(selection, options)
    prepared()
    _can_write(report_dir)
    if not reads:
        _confirmed(choice.server, yes)
    with shown() as show:
        found = hold(options, selection, token, headers, show, heard(console.talk))
    written = writing.write(found, report_dir, formats)
    heard(_tell)(found)
    heard(_conclude)(found)
    for path in written:
        heard(console.talk)(f"Written: {path}")
    if not found.conforms:
        raise typer.Exit(_code(found))


def _code(report: "Report") -> int:
    """Why it ended comes before what was found; a limit that hid something after it."""
    from unpuzzle_cli.conformance.report import Stop

    ends = {Stop.LOST: UNREACHABLE, Stop.INTERRUPTED: INTERRUPTED, Stop.TERMINATED: TERMINATED}
    otherwise = LIMIT if report.hidden and not report.findings else FAILED
    return ends.get(report.stopped, otherwise)


def _formats(names: str) -> list[str]:
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in FORMATS]:
        raise UsageError(f"There is no report {unknown[0]}.", f"There are: {', '.join(FORMATS)}")
    if not wanted:
        raise UsageError("No report is wanted, and one is written.", f"Such as: --report {FORMATS[0]}")
    return wanted


def _is_address(server: str) -> None:
    """No secret stands in it, which reports would show, and nothing that a path could not follow."""
    parts = urlsplit(server)
    if "@" in parts.netloc:
        raise UsageError(
            "The address of the server holds a name or a password, which reports would show.",
            "Give it without them: --base-url https://HOST",
        )
    if parts.query or parts.fragment:
        raise UsageError("The address of the server has more than a path.", "Such as: --base-url https://HOST/PATH")


def _can_write(folder: Path) -> None:
    """Seen before anything is sent, as there is nothing to show for it otherwise."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"Reports can't be written to {folder}: {error.strerror}", "Choose where: --report-dir DIR") from None


def _needs_the_extra() -> None:
    if any(find_spec(name) is None for name in EXTRA):
        raise CommandError(
            "What holds servers to the contract is not installed.", "pip install 'unpuzzle-cli[conformance]'", USAGE
        )


def _confirmed(server: str, yes: bool) -> None:
    """The full profile writes, which nobody should begin by chance."""
    question = f"Make accounts and courses at {server}, send thousands of requests that write, and delete what was made"
    if yes:
        return
    if not console.can_ask():
        raise UsageError(f"{question}: nobody is there to confirm it.", "Say that you mean it: --yes")
    if not console.confirms(question):
        raise CommandError("Nothing was sent.")


def _token(choice: Choice) -> Callable[[], str]:
    """Of the environment, or what sign-in has kept; that is exchanged when it ends, as for any other command."""
    if given := choice.token:
        if not given.isascii() or not given.isprintable() or " " in given:
            raise CommandError("The token has characters that no header may have.", "Set it anew: UNPUZZLE_TOKEN", SIGN_IN)
        return lambda: given
    return partial(_kept, choice)


def _kept(choice: Choice) -> str:
    kept = choice.credentials.load()
    if kept and kept.ends_soon:
        with choice.client() as client:
            client.auth.get_profile()  # it is exchanged on the way
        kept = choice.credentials.load()
    return kept.access_token if kept else ""


def _header(line: str) -> tuple[str, str]:
    name, separator, value = line.partition(":")
    if not separator:
        raise UsageError("A header is of the form Name: value.")
    return name.strip(), value.strip()


def _tell(report: "Report") -> None:
    """Checks and findings: tables for people, lines with tabs for programs."""
    checks: list[Row] = [(name, str(count.passed), str(count.failed)) for name, count in report.checks.items()]
    if console.for_people():
        _table(("check", "passed", "failed"), checks)
        for finding in report.findings:
            console.say("\n" + "\n".join(_told(finding)))
    else:
        for row in checks:
            console.say("\t".join(("check", *row)))
        for finding in report.findings:
            console.say("\t".join(("finding", *map(_on_one_line, _cells(finding)))))


def _conclude(report: "Report") -> None:
    """What to know of the run, and its verdict."""
    seen, documented = report.coverage
    for note in [*report.notes, *filter(None, [report.stopped]), *_unseen(report)]:
        console.talk(f"Note: {note}")
    told = f"{report.requests} requests in {report.seconds} s, {seen} of {documented} documented answers seen"
    console.talk(f"{report.base_url} {report.verdict}: {len(report.findings)} findings, {told}.")


def _unseen(report: "Report") -> list[str]:
    """What the verdict says nothing of."""
    never, limited = report.unsucceeded, report.limited
    told = f"{len(never)} of {len(report.operations)} operations never succeeded: `unsucceeded` in report.json names them."
    refused = f"{limited} requests were refused by limits, of the server or of a plan: see docs/conformance.md."
    return [*([told] if never else []), *([refused] if limited else [])]


def _table(names: tuple[str, ...], rows: list[Row]) -> None:
    from unpuzzle_cli.tables import Column

    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    console.say_table(
        [Column(name, [*cells], numeric=number > 0) for number, (name, cells) in enumerate(zip(names, columns, strict=True))]
    )


def _told(finding: "Finding") -> list[str]:
    times = f", {finding.times} times" if finding.times > 1 else ""
    answer = f"{finding.status}, request id {finding.request_id}" if finding.status else "none"
    return [
        f"✗ {finding.operation}  {finding.check}{times}: {finding.rule}",
        f"  {finding.message}",
        *([f"  Request   {finding.curl}"] if finding.curl else []),
        f"  Answer    {answer}",
        f"  Contract  {finding.contract}",
    ]


def _cells(finding: "Finding") -> tuple[str, ...]:
    status = str(finding.status or "")
    return finding.operation, finding.check, status, finding.request_id or "", finding.message, finding.curl, finding.contract


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
