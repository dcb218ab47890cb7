"""`--jq`: what an expression makes of JSON. Loads jq, so import it late."""

from typing import Any

import jq

from unpuzzle_cli import console
from unpuzzle_cli.common import Printer
from unpuzzle_cli.errors import CommandError, UsageError


def printer(expression: str) -> Printer:
    """Prints what the expression makes of a value, each result on its own: texts as they are, as `gh` has it."""
    try:
        program = jq.compile(expression)
    except ValueError as error:
        raise UsageError(f"--jq: {_where(error)}") from None

    def run(value: Any) -> None:
        try:
            for result in program.input_text(console.in_json(value)):
                _say(result)
        except ValueError as error:
            raise CommandError(f"--jq: {error}", "See what there is: --json") from None

    return run


def _say(result: Any) -> None:
    if isinstance(result, (dict, list)):
        console.say_json(result)
    elif isinstance(result, str):
        console.say(result)
    else:
        console.say("" if result is None else console.in_json(result))


def _where(error: ValueError) -> str:
    """What jq says of an expression, with the place and without its name before every line."""
    lines = str(error).removeprefix("jq: error: ").splitlines()
    return "\n".join(line for line in lines if not line.startswith("jq: ")).replace(" at <top-level>", "")
