"""Reading an access token as FastAPI's documentation does it, at every request; ours reads each token once and remembers it."""

from uuid import UUID

import jwt

from unpuzzle_server.auth.tokens import ALGORITHM, AUDIENCE, ISSUER, Claims, derived_key


class TokenReader:
    def __init__(self, secret_key: str) -> None:
        self.key = derived_key(secret_key, "access-token")

    def read(self, token: str) -> Claims:
        payload = jwt.decode(token, self.key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER)
        return Claims(UUID(payload["sub"]), UUID(payload["sid"]))
