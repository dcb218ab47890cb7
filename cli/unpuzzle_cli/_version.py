"""The version of the contract, made by openapi/bundle.py. Do not edit."""

__version__ = "1.0.0"
