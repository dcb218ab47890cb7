"""From what went wrong to a few lines on stderr and an exit code: the one place for both."""

import os
import sys
from collections.abc import Callable
from typing import Any

FAILED, USAGE, SIGN_IN, NOT_FOUND, LIMIT, INTERRUPTED = 1, 2, 4, 5, 6, 130


class CommandError(Exception):
    """A command can't go on; the message says why, `hint` what to type next."""

    def __init__(self, message: str, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def guarded(command: Callable[[], Any]) -> int:
    """Runs a command and answers its exit code."""
    try:
        command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read from the pipe has enough. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except CommandError as error:
        _tell(str(error), [], error.hint)
        return error.code
    except Exception as error:
        return _explain(error)
    return 0


def _explain(error: Exception) -> int:
    from unpuzzle_sdk import errors  # only when something went wrong with a request

    match error:
        case errors.APIStatusError():
            details = [f"{detail.field}: {detail.message}" for detail in error.details or []]
            if error.request_id:
                details.append(f"request id: {error.request_id}")
            _tell(f"{error.message} ({error.code or error.status_code})", details, _next_step(error))
            return _exit_code(error)
        case errors.APIConnectionError():
            _tell(f"The server can't be reached: {error}", [], "Choose it: unpuzzle --base-url URL …, or UNPUZZLE_BASE_URL")
            return FAILED
        case errors.UnpuzzleError() | ValueError():
            _tell(str(error), [], "")
            return FAILED
        case _:
            raise error


def _exit_code(error: Any) -> int:
    return {401: SIGN_IN, 404: NOT_FOUND, 429: LIMIT}.get(error.status_code, FAILED)


def _next_step(error: Any) -> str:
    if error.status_code == 401:
        return "Sign in: unpuzzle auth login"
    if error.code == "PERMISSION_DENIED" and "instructor" in error.message:
        return "Become an instructor: unpuzzle auth apply-as-instructor"
    if error.status_code == 429 and error.retry_after:
        return f"Try again in {int(error.retry_after)} seconds"
    return ""


def _tell(message: str, details: list[str], hint: str) -> None:
    from unpuzzle_cli.console import plain

    print(
        f"unpuzzle: {plain(message)}",
        *(f"  {plain(line)}" for line in details),
        *([hint] if hint else []),
        sep="\n",
        file=sys.stderr,
    )
