"""A whole run, from the first request to the report."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory

import requests
from hypothesis.configuration import set_hypothesis_home_dir

from unpuzzle_cli.conformance.callers import Cast, Selection, prepared, reader
from unpuzzle_cli.conformance.people import NoAccountError, ask
from unpuzzle_cli.conformance.report import Report, Stop
from unpuzzle_cli.conformance.settings import Options
from unpuzzle_cli.conformance.suite import Show, Suite
from unpuzzle_cli.conformance.telling import Teller
from unpuzzle_cli.conformance.wire import Tell, Wire
from unpuzzle_cli.errors import SIGN_IN, UNREACHABLE, CommandError, UsageError

UNTRUSTED = "If it is your own certificate, name the file of who signed it: REQUESTS_CA_BUNDLE=FILE"
Token = Callable[[], str]
"""The token of the moment, empty for nobody's."""
NAMES = "A name is a tag and a command: content.list_sections is `unpuzzle content list-sections`. See: unpuzzle TAG --help"


def hold(options: Options, selection: Selection, token: Token, headers: dict[str, str], show: Show, tell: Tell) -> Report:
    """Holds a server to the contract, as the profile says."""
    chosen(selection, options)
    wire = Wire(options.base_url, may_write=not options.read_only, headers=headers, tell=tell)
    teller = Teller(given={*headers.values(), *(password for _, password in prepared().values())} - {""})
    with wire.connected(), notebook():
        roles = reach(options.base_url, token())
        if options.read_only:
            return read(wire, options, selection, token, teller, show, roles)
        return write(Cast(options.base_url, wire), options, selection, teller, show)


def chosen(selection: Selection, options: Options) -> None:
    """That something is chosen, before anything is sent."""
    if misses := selection.misses:
        raise UsageError(f"No operation is of the name {misses[0]}.", NAMES)
    if not [*(reader(selection, options.base_url, str).operations if options.read_only else selection)]:
        raise UsageError(f"No operation{' that only reads' if options.read_only else ''} is of that name.", NAMES)


def read(
    wire: Wire, options: Options, selection: Selection, token: Token, teller: Teller, show: Show, roles: frozenset[str] | None
) -> Report:
    """As one caller, whose token may be another after an hour."""

    def authorization() -> str:
        found = f"Bearer {now}" if (now := token()) else ""
        wire.owners[found] = "the caller"
        teller.given |= {now} - {""}
        return found

    caller = reader(selection, options.base_url, authorization, roles)
    headers = {"Authorization": mine} if (mine := authorization()) else {}
    with suppress(requests.RequestException):  # it is to tell the limit; what is wrong with it is found later
        ask(options.base_url, "system.info", headers=headers)
    warned = warn(wire, ["the caller"], len(caller.operations))
    report = Suite(options, wire, [caller], teller, show).run()
    report.notes += warned
    return report


def warn(wire: Wire, whose: list[str], operations: int) -> list[str]:
    """What is said before a run that the server's limits will not let come to its end."""
    found = [*filter(None, (wire.allowances.too_small(owner, operations) for owner in whose))]
    for line in found:
        wire.tell(line)
    return found


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
        cast.invite(selection)
        teller.secrets |= {person.password for person in cast.people.values()}
        callers = cast.callers(selection)
        for caller in callers:
            cast.notes += warn(cast.wire, [caller.email], len(caller.operations))
        report = Suite(options, cast.wire, callers, teller, show, cast.people).run()
        cast.interrupted = report.stopped in (Stop.INTERRUPTED, Stop.TERMINATED)
    report.notes += cast.notes
    report.stopped = Stop.by(cast.stopped) if cast.stopped else report.stopped
    return report


def reach(base_url: str, token: str) -> frozenset[str] | None:
    """The roles of whose token it is, as far as they are told.

    Raises where there is no server, or it does not know the token: nothing that follows would say anything.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        reply = ask(base_url, "auth.get_profile" if token else "system.health", headers=headers)
    except (requests.ConnectionError, requests.Timeout) as error:
        hint = (
            UNTRUSTED if isinstance(error, requests.exceptions.SSLError) else "Is it the right address? Choose it: --base-url URL"
        )
        raise CommandError(f"{base_url} can't be reached: {error}", hint, UNREACHABLE) from None
    except requests.RequestException:
        return None  # an answer, of a kind: what is wrong with it is found
    if token and reply.status == 401:
        raise CommandError("The server does not know the token.", "Set another one: UNPUZZLE_TOKEN", SIGN_IN)
    told = reply.fields.get("roles") if token else []
    return frozenset(map(str, told)) if isinstance(told, list) else None
