"""The version of this SDK."""

__version__ = "1.0.0"
