"""The command `unpuzzle`."""

import gc
import os
import signal
import sys


def run() -> None:
    """The entry point; `--version` alone costs no more than starting Python."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to clean up, Ctrl-C just ends it
    _open_streams()
    from unpuzzle_cli.errors import end, guarded

    end(guarded(_version if sys.argv[1:] == ["--version"] else _command_line))


def _open_streams() -> None:
    """One that is closed is no terminal, and swallows what it gets."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process


def _version() -> int:
    from unpuzzle_cli import __version__

    print(f"unpuzzle {__version__}")
    return 0


def _command_line() -> int:
    gc.disable()  # a tenth of the time to the help is spent on looking whether what is imported could go
    from unpuzzle_cli import complete, console
    from unpuzzle_cli.errors import heed_ctrl_c
    from unpuzzle_cli.tree import app

    gc.enable()
    heed_ctrl_c()
    console.prepare()
    match os.environ.get("_UNPUZZLE_COMPLETE"):
        case "complete_bash":
            complete.put_words_together(os.environ)
        case "complete_zsh" | "complete_fish":
            complete.keep_options_with_their_values()

    # Not standalone: typer would turn errors into messages and exit codes of its own.
    code: int | None = app(prog_name="unpuzzle", standalone_mode=False)
    return code or 0
