"""The command `unpuzzle`."""

import sys


def run() -> None:
    """The entry point; `--version` alone costs no more than starting Python."""
    if sys.argv[1:] == ["--version"]:
        from unpuzzle_cli import __version__

        print(f"unpuzzle {__version__}")
        return
    from unpuzzle_cli.errors import guarded
    from unpuzzle_cli.tree import app

    sys.exit(guarded(app))
