"""What the contract, or a later one, says of operations that are going away."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._deprecations import NOTICES
from .operation import Operation
from .response import Answer

if TYPE_CHECKING:
    # Type checkers know it by themselves, and strike through what it marks; programs need nothing of it.
    from typing_extensions import deprecated as deprecated
else:

    def deprecated(notice: str) -> Callable[[Any], Any]:
        """Mark a method for type checkers and editors. To warn is the business of the call."""
        return lambda method: method


def warn_of(operation: Operation[Any], answer: Answer) -> None:
    """Warn whoever called what is deprecated, by the contract that this SDK knows, or else by what the API says."""
    if operation.name in NOTICES:
        _warn(NOTICES[operation.name])
    elif "deprecation" in answer.headers:
        sunset = answer.headers.get("sunset")
        until = f", and will be gone on {sunset}" if sunset else ""
        _warn(f"{operation.name} is deprecated{until}. See {answer.headers.get('link', 'the documentation')}")


def _warn(notice: str) -> None:
    warnings.warn(notice, DeprecationWarning, stacklevel=_frames_of_ours())


def _frames_of_ours() -> int:
    """Count the frames up to the caller's: Python shows a warning once for each line that causes it."""
    package = __name__.partition(".")[0]
    count, frame = 0, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        count, frame = count + 1, frame.f_back
    return count
