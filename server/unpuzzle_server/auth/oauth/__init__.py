"""Signing in with a provider: who they are, how one talks to them, and the rules of identities."""
