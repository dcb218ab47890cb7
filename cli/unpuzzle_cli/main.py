"""The command `unpuzzle`."""

import gc
import sys


def run() -> None:
    """The entry point; `--version` alone costs no more than starting Python."""
    if sys.argv[1:] == ["--version"]:
        from unpuzzle_cli import __version__

        print(f"unpuzzle {__version__}")
        return
    from unpuzzle_cli.errors import guarded

    sys.exit(guarded(_command_line))


def _command_line() -> int:
    gc.disable()  # a tenth of the time to the help is spent on looking whether what is imported could go
    from unpuzzle_cli.tree import app

    gc.enable()

    # Not standalone: typer would turn errors into messages and exit codes of its own.
    code: int | None = app(prog_name="unpuzzle", standalone_mode=False)
    return code or 0
