"""The command line of the Unpuzzle API."""

__version__ = "1.0.0"
