"""A whole run, from the first request to the report."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import requests
from hypothesis.configuration import set_hypothesis_home_dir

from unpuzzle_cli.conformance.callers import Cast, Selection, reader
from unpuzzle_cli.conformance.people import NoAccountError, ask
from unpuzzle_cli.conformance.report import Report
from unpuzzle_cli.conformance.settings import Options
from unpuzzle_cli.conformance.suite import Show, Suite
from unpuzzle_cli.conformance.telling import Teller
from unpuzzle_cli.conformance.wire import Wire
from unpuzzle_cli.errors import SIGN_IN, UNREACHABLE, CommandError, UsageError


def hold(options: Options, selection: Selection, token: str, headers: dict[str, str], show: Show) -> Report:
    """Holds a server to the contract, as the profile says."""
    wire = Wire(options.base_url, may_write=not options.read_only, headers=headers)
    teller = Teller({token, *headers.values()} - {""})
    with wire.connected(), notebook():
        reach(options.base_url, token)
        if options.read_only:
            caller = reader(selection, options.base_url, token)
            if not caller.operations:
                raise UsageError("No operation that only reads is of that name.", "See their names: unpuzzle --help")
            return Suite(options, wire, [caller], teller, show).run()
        return write(Cast(options.base_url, wire), options, selection, teller, show)


@contextmanager
def notebook() -> Iterator[None]:
    """Hypothesis keeps its tables somewhere else than where the command was called."""
    with TemporaryDirectory(prefix="unpuzzle-conformance-") as folder:
        set_hypothesis_home_dir(folder)
        yield
        set_hypothesis_home_dir(None)


def write(cast: Cast, options: Options, selection: Selection, teller: Teller, show: Show) -> Report:
    try:
        return written(cast, options, selection, teller, show)
    except NoAccountError as error:
        raise CommandError(str(error), "See: unpuzzle conformance --help", SIGN_IN) from None


def written(cast: Cast, options: Options, selection: Selection, teller: Teller, show: Show) -> Report:
    with cast.on_stage():
        teller.secrets |= {person.password for person in cast.people.values()}
        callers = cast.callers(selection)
        if not callers:
            raise UsageError("No operation is of that name.", "See their names: unpuzzle --help")
        report = Suite(options, cast.wire, callers, teller, show).run()
    report.notes += cast.notes
    return report


def reach(base_url: str, token: str) -> None:
    """Whether there is a server, and whether it knows the token: else nothing that follows would say anything."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        reply = ask(base_url, "auth.get_profile" if token else "system.health", headers=headers)
    except requests.RequestException as error:
        hint = "Is it the right address? Choose it: --base-url URL"
        raise CommandError(f"{base_url} can't be reached: {error}", hint, UNREACHABLE) from None
    if token and reply.status == 401:
        raise CommandError("The server does not know the token.", "Set another one: UNPUZZLE_TOKEN", SIGN_IN)
