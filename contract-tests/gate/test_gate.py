"""Schemathesis against the real server with the demo catalogue: every phase, every check, no failure, nothing left out."""
