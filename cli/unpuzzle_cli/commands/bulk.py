"""Bulk enrolment: from a CSV file, followed to its end."""

import csv
import io
import time
from typing import Annotated, Any

import typer

from unpuzzle_cli import console, progress, show, values
from unpuzzle_cli.errors import STOPS, UsageError, stopped
from unpuzzle_cli.session import Choice

FOLLOWED_SECONDS = 1.0
SEPARATORS = ",;\t"
COUNTS = ("enrolled", "invited", "already_enrolled", "already_invited", "duplicate", "invalid")


def bulk_enroll(
    context: typer.Context,
    course_id: Annotated[str, typer.Option("--course-id", help="The course, which is published.", show_default=False, metavar="ID")],
    file: Annotated[
        str, typer.Option("--file", help="A CSV file with a column `email`, or `-` for stdin.", show_default=False, metavar="FILE")
    ] = "",
    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--rows",
            help="Whom to enrol, as `email=…`. May be repeated; JSON, an array of it, `@file` and `-` are taken too.",
            show_default=False,
            metavar="KEY=VALUE,…",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run/--no-dry-run", help="Tell what would come of it, and change nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job to its end.")] = True,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="Makes it safe to send it again.", show_default=False, metavar="TEXT")
    ] = None,
) -> None:
    """Enrol many by their addresses.

    Whoever has an account is enrolled, the others are invited by mail. It ends with a line for each row of which nothing came.
    """
    listed = [*(values.objects(rows, fields=("email",), strings=("email",)) or []), *(_from_csv(file) if file else [])]
    if not listed:
        raise UsageError("There is nobody to enrol.", "Say whom: --file students.csv, or --rows email=…")
    with Choice.of(context).client() as client:
        job = client.enrollments.bulk_enroll(course_id=course_id, rows=listed, dry_run=dry_run, **values.given(idempotency_key=idempotency_key))
        if wait:
            job = _followed(client, job.job_id)
    shape = show.Shape.of(context)
    if shape.asked or not wait:
        show.one(job.to_dict(), shape)
        return
    for row in job.results:
        if row.message:
            console.say(f"{row.row}\t{row.email}\t{row.outcome}\t{row.message}")
    told = ", ".join(f"{getattr(job, name)} {name.replace('_', ' ')}" for name in COUNTS if getattr(job, name))
    console.talk(f"{'Nothing was changed. ' if dry_run else ''}{job.total} rows: {told}.")


def _from_csv(file: str) -> list[dict[str, str]]:
    """The addresses of a CSV file: of its column `email`, or of the only one."""
    lines = _lines(file, values.content("-" if file == "-" else f"@{file}").decode("utf-8-sig", "replace"))
    if not lines:
        return []
    header = [cell.strip().lower() for cell in lines[0]]
    if "email" in header:
        column = header.index("email")
        return [{"email": line[column].strip() or "-" if column < len(line) else "-"} for line in lines[1:]]
    if len(header) == 1 and "@" in header[0]:
        return [{"email": line[0].strip()} for line in lines]
    raise UsageError(f"{file} has no column `email`.", f"It has: {', '.join(header)}")


def _lines(file: str, text: str) -> list[list[str]]:
    """The lines that are not empty, with whatever end; Excel separates by semicolons in many languages."""
    first = next(filter(str.strip, text.splitlines()), "")
    separator = max(SEPARATORS, key=first.count)
    try:
        found = list(csv.reader(io.StringIO(text, newline=None), delimiter=separator))
    except csv.Error as error:
        raise UsageError(f"{file} can't be read as CSV: {error}.") from None
    return [line for line in found if any(cell.strip() for cell in line)]


def _followed(client: Any, job_id: str) -> Any:
    """The job at its end; how far it is is shown on the way."""
    try:
        with progress.shown("Enrolling") as tell:
            while (job := client.enrollments.get_bulk_job(job_id, with_results=False)).status == "running":
                tell(job.processed, job.total)
                time.sleep(FOLLOWED_SECONDS)
    except STOPS as stop:
        hint = f"See how far it is: unpuzzle enrollments get-bulk-job {job_id}"
        raise stopped(stop, "Stopped looking on. The job goes on by itself.", hint) from None
    return client.enrollments.get_bulk_job(job_id)
