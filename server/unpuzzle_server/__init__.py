"""The reference server of the Unpuzzle API."""

import warnings

# Connexion imports Starlette's test client, which tells everybody at every start of a library it would rather use.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")

__version__ = "1.0.0"
