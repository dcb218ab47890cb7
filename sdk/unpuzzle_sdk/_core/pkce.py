"""Proof Key for Code Exchange (RFC 7636): shows that who comes back is who went away."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_urlsafe

from attrs import field, frozen


@frozen
class PKCE:
    """A secret and its digest, for signing in with a provider without cookies.

        pkce = PKCE.new()
        start = client.auth.oauth_sign_in(provider="github", redirect_url=url, code_challenge=pkce.challenge)
        # … the person signs in at start.auth_url, and comes back to `url` with `code` and `state` …
        client.auth.oauth_callback(provider="github", code=code, state=state, code_verifier=pkce.verifier)

    Attributes:
        verifier: The secret, 43 characters. Keep it until the person comes back.
        challenge: Its SHA-256 in base64url (the method S256).
    """

    verifier: str = field(repr=False)
    challenge: str

    @classmethod
    def new(cls) -> PKCE:
        """Make a new one, for one attempt."""
        verifier = token_urlsafe(32)
        return cls(verifier, urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode())
