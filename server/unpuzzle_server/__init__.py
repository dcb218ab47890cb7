"""The reference server of the Unpuzzle API."""

import warnings

from unpuzzle_server._version import __version__

# Connexion imports Starlette's test client, which tells everybody at every start of a library it would rather use.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")

__all__ = ["__version__"]
