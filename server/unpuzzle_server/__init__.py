"""The reference server of the Unpuzzle API."""

__version__ = "1.0.0"
