"""Commands of one's own: what a name stands for, and how it becomes the arguments of a command."""

import os
import re
import shlex
from typing import Any

from unpuzzle_cli.errors import UsageError

SHELL = "!"
"""How a line for sh begins."""
PLACE = re.compile(r"\$(\d+)")


def check(root: Any, name: str, text: str) -> None:
    """Raises UsageError where a name or what it stands for can't be taken."""
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
        raise UsageError(f"{name} is no name for a command.", "Take letters, digits, - and _")
    if name in root.commands:
        raise UsageError(f"{name} is a command already.", "Take another name")
    first = (_words(text) or [""])[0]
    if not text.startswith(SHELL) and first not in root.commands:
        raise UsageError(f"There is no command {first}.", "Begin with one, such as `courses list`, or with ! for sh")


def expanded(name: str, text: str, given: list[str], *, lenient: bool = False) -> list[str]:
    """The arguments that an alias stands for; `lenient` where they are not all typed yet."""
    wanted = max(map(int, PLACE.findall(text)), default=0)
    if wanted > len(given) and not lenient:
        raise UsageError(f"{name} needs {wanted} argument{'s' if wanted > 1 else ''}: {text}")

    def value(place: re.Match[str]) -> str:
        index = int(place[1]) - 1
        return given[index] if 0 <= index < len(given) else ""

    return [PLACE.sub(value, word) for word in _words(text)] + given[wanted:]


def run_in_shell(text: str, given: list[str], environment: dict[str, str]) -> int:
    """Runs a line by sh, and answers what it ends with as shells do: 128 and the number of a signal."""
    import subprocess

    command = ["sh", "-c", text.removeprefix(SHELL), "unpuzzle", *given]
    code = subprocess.run(command, check=False, env={**os.environ, **environment}).returncode
    return code if code >= 0 else 128 - code


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text} can't be read: {error}.") from None
