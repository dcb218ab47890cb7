"""`unpuzzle completion`: the scripts that complete commands in shells."""

from typing import Annotated

import typer

from unpuzzle_cli import console
from unpuzzle_cli.errors import UsageError


def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.", autocompletion=lambda: ["bash", "zsh", "fish"])],
) -> None:
    r"""Print the script that completes commands in a shell.

    Load it where your shell starts: eval "$(unpuzzle completion bash)" in ~/.bashrc or ~/.zshrc, or in
    ~/.config/fish/config.fish: unpuzzle completion fish | source. `unpuzzle --install-completion` does it for you.
    """
    from typer._completion_shared import get_completion_script  # typer has no public name for it

    if shell not in ("bash", "zsh", "fish"):
        raise UsageError(f"There is no completion for {shell}.", "There is one for bash, zsh and fish")
    console.say(get_completion_script(prog_name="unpuzzle", complete_var="_UNPUZZLE_COMPLETE", shell=shell))
