"""`python -m unpuzzle_cli`."""

from unpuzzle_cli.main import run

run()
