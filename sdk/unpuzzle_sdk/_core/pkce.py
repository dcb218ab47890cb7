"""Proof Key for Code Exchange (RFC 7636): shows that who comes back is who went away."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_urlsafe

from attrs import field, frozen


@frozen
class PKCE:
    """A secret and its digest, for signing in with a provider without cookies.

    Attributes:
        verifier: The secret, 43 characters. Keep it until the person comes back.
        challenge: Its SHA-256 in base64url (the method S256).

    Example:
        ```python
        from unpuzzle_sdk import PKCE

        pkce, url = PKCE.new(), "http://127.0.0.1:8765/callback"
        start = client.auth.oauth_sign_in(
            provider="github", redirect_url=url, code_challenge=pkce.challenge
        )
        print("Sign in at", start.auth_url)
        code = "what came back to `url` with the same `state`"
        client.auth.oauth_callback(
            provider="github", code=code, state=start.state, code_verifier=pkce.verifier
        )
        ```
    """

    verifier: str = field(repr=False)
    challenge: str

    @classmethod
    def new(cls) -> PKCE:
        """Make a new one, for one attempt.

        Returns:
            A secret of 43 characters with its digest.

        Example:
            ```python
            from unpuzzle_sdk import PKCE

            pkce = PKCE.new()
            print(pkce.challenge)
            ```
        """
        verifier = token_urlsafe(32)
        return cls(verifier, urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode())
