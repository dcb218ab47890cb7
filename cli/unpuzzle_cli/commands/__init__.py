"""The commands: those of the contract are generated, one module a tag; `own.py` and `api.py` are written by hand."""
