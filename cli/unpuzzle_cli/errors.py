"""From what went wrong to a few lines on stderr and an exit code: the one place for both."""

import math
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

FAILED, USAGE, SIGN_IN, NOT_FOUND, LIMIT, UNREACHABLE, INTERRUPTED, TERMINATED = 1, 2, 4, 5, 6, 7, 130, 143
EXIT_CODES = {
    0: "It worked, or whoever reads the pipe has had enough.",
    FAILED: "It failed, or you said no.",
    USAGE: "The command was not understood, and nothing was sent.",
    SIGN_IN: "A sign-in is needed, or another role.",
    NOT_FOUND: "It is not there.",
    LIMIT: "Too many requests, or more than a plan allows.",
    UNREACHABLE: "`unpuzzle conformance` found no server that answers.",
    INTERRUPTED: "Ctrl-C.",
    TERMINATED: "SIGTERM.",
}
"""What programs are told; `unpuzzle help exit-codes` shows it."""

CODE_OF_STATUS = {401: SIGN_IN, 403: SIGN_IN, 404: NOT_FOUND, 429: LIMIT}
NEXT_STEPS = {
    "ACCOUNT_SUSPENDED": "Ask support, and quote the request id",
    "AUTH_INVALID_CREDENTIALS": "Try again: unpuzzle auth login",
    "COURSE_NOT_FOUND": "Find it: unpuzzle courses list --search WORDS",
    "COURSE_NOT_READY": "See what is missing: unpuzzle courses check-readiness COURSE_ID",
    "PRECONDITION_FAILED": "Read it again, and send its new ETag",
}
"""What to type after an error of the API, by its code."""
WHICH_SERVER = "Is it the right server? Choose one: unpuzzle --base-url URL …, or UNPUZZLE_BASE_URL"
GIVEN = ("UNPUZZLE_TOKEN", "UNPUZZLE_API_KEY")
ALLOWED = {
    "API key": "Take a key that may do it, or sign in without one: unpuzzle auth login",
    "role instructor": "Become an instructor: unpuzzle auth apply-as-instructor",
}
"""What to type where something is not allowed, by what the message says of it."""
HOUR, MINUTE = 3600, 60


class CommandError(Exception):
    """A command can't go on; the message says why, `hint` what to type next."""

    def __init__(self, message: str, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class UsageError(CommandError):
    """The command was not given what it needs."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, USAGE)


_interrupted = False

STOPS = (KeyboardInterrupt, SystemExit)
"""Ctrl-C, and SIGTERM."""


def stopped(by: BaseException, message: str, hint: str) -> CommandError:
    """What a command that was stopped says of how to go on."""
    return CommandError(message, hint, TERMINATED if isinstance(by, SystemExit) else INTERRUPTED)


def heed_ctrl_c() -> None:
    """From now on Ctrl-C is an exception, so that files are left whole and the cursor comes back."""
    global _interrupted  # noqa: PLW0603 - one process, one keyboard
    _interrupted = False
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(*_: object) -> None:
    global _interrupted  # noqa: PLW0603 - as above
    _interrupted = True
    raise KeyboardInterrupt


def end(code: int) -> NoReturn:
    """Ends the process; by Ctrl-C itself where that ended the command, since else a shell goes on with its loop."""
    try:
        sys.stdout.flush()
    except OSError:
        forget_the_pipe()
    if _interrupted and code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    sys.exit(code)


def guarded(command: Callable[[], int]) -> int:
    """Runs a command and answers its exit code. SIGTERM ends it as Ctrl-C does: files are left whole, the cursor comes back."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        code = command()
        sys.stdout.flush()
    except SystemExit as end:
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":  # so typer says that whoever reads has enough
            return 0
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        forget_the_pipe()
        return 0
    except Exception as error:
        # What is no error of a command may come of an import that Ctrl-C has broken off.
        return INTERRUPTED if _interrupted and not isinstance(error, CommandError) else _explained(error)
    return code


def forget_the_pipe() -> None:
    """Nothing more can be written to stdout. Python would complain of that once more when it closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explained(error: Exception) -> int:
    if isinstance(error, CommandError):
        return _tell(str(error), hint=error.hint, code=error.code)
    if isinstance(error, OSError):
        return _tell(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error))
    # typer's exceptions have no public names: they are known by what they can do.
    if hasattr(error, "format_message"):
        return _misused(error)
    if type(error).__name__ == "Abort":  # the end of the input, where a person was asked
        return INTERRUPTED
    return _failed(error)


def _failed(error: Exception) -> int:
    """What the SDK raises. Anything else is a fault of this program, and shows where."""
    from unpuzzle_sdk import errors  # only when something went wrong with a request

    match error:
        case errors.APIStatusError():
            return _refused(error)
        case errors.InvalidRequestError():
            hint = "Look at the address (--base-url, UNPUZZLE_BASE_URL), at UNPUZZLE_TOKEN and at headers of your own"
            return _tell(str(error), hint=hint, code=USAGE)
        case errors.APITimeoutError():
            return _tell(f"The server is too slow: {error}", hint="Wait longer: unpuzzle config set timeout SECONDS")
        case errors.APIConnectionError():
            return _tell(f"The server can't be reached: {error}", hint=WHICH_SERVER)
        case errors.UnpuzzleError():
            return _tell(str(error), hint=WHICH_SERVER if isinstance(error, errors.InvalidResponseError) else "")
        case ValueError():  # an argument that can't be sent, such as a path of `..`
            return _tell(str(error), code=USAGE)
    raise error


def _misused(error: Any) -> int:
    """What typer did not understand."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: its message is the help
        from unpuzzle_cli import console

        console.show_help(error.message)
        return 0
    hint = f"See: {context.command_path} --help" if context else ""
    return _tell(error.format_message(), hint=hint, code=error.exit_code)


def _refused(error: Any) -> int:
    """An error answer of the API."""
    details = [f"{detail.field}: {detail.message}" for detail in error.details]
    if error.request_id:
        details.append(f"request id: {error.request_id}")
    code = CODE_OF_STATUS.get(error.status_code, FAILED)
    return _tell(f"{error.message} ({error.code})" if error.code else error.message, details, _next_step(error), code)


def _next_step(error: Any) -> str:
    if step := NEXT_STEPS.get(error.code):
        return step
    if error.status_code == 401:
        given = next(filter(os.environ.get, GIVEN), "")
        return f"{given} is not good: set it anew, or unset it and sign in" if given else "Sign in: unpuzzle auth login"
    if error.status_code == 402:
        return f"Pay: unpuzzle {_paying(error.payment_id)} --payment-method-id pm_…"
    if error.status_code == 403:
        return next((step for word, step in ALLOWED.items() if word in error.message), "See who you are: unpuzzle auth status")
    if error.retry_after:
        return f"Try again in {_in_words(error.retry_after)}"
    return "" if error.code else WHICH_SERVER  # an answer without a code is not of this API, but of a proxy, say


def _in_words(seconds: float) -> str:
    """A time to wait. It is rounded up: who comes too early is sent away again."""
    size, unit = (HOUR, "hours") if seconds >= 2 * HOUR else (MINUTE, "minutes") if seconds >= 2 * MINUTE else (1, "seconds")
    return f"{math.ceil(seconds / size)} {unit}"


def _paying(payment_id: str | None) -> str:
    """What pays for a course that is being bought, or else for a subscription."""
    return f"payments confirm-intent {payment_id}" if payment_id else "subscriptions update-payment-method"


def _tell(message: str, details: list[str] | None = None, hint: str = "", code: int = FAILED) -> int:
    from unpuzzle_cli import console

    console.complain(message, details or [], hint)
    return code
