"""The command line of the Unpuzzle API."""

from unpuzzle_cli._version import __version__

__all__ = ["__version__"]
