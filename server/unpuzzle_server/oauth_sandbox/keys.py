"""The sandbox's keys and what its clients prove themselves with, derived from one secret: every process has the same."""

import hmac
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey

CLIENT_ID = "unpuzzle-sandbox"
TEAM_ID, KEY_ID = "SANDBOX001", "SANDBOXKEY"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256."""


def derived(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, purpose.encode(), "sha512")


def client_secret(key: bytes) -> str:
    return derived(key, "client")[:32].hex()


def signing_key(key: bytes, purpose: str = "id-token") -> ECKey:
    """A key on P-256; `id-token` signs what the sandbox says, `apple` what Apple's client says of itself."""
    private = ec.derive_private_key(1 + int.from_bytes(derived(key, purpose)) % (ORDER - 1), ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    found = ECKey.import_key(pem, {"use": "sig", "alg": "ES256"})
    found.ensure_kid()
    return found


def public_set(key: bytes) -> dict[str, Any]:
    """The JWK set of the sandbox."""
    return {"keys": [signing_key(key).as_dict(private=False)]}


def credentials(key: bytes, provider: str) -> dict[str, str]:
    """What this server is to a provider that the sandbox plays, in the words of the settings."""
    if provider != "apple":
        return {"client_id": CLIENT_ID, "client_secret": client_secret(key)}
    pem = signing_key(key, "apple").as_pem(private=True).decode()
    return {"client_id": CLIENT_ID, "team_id": TEAM_ID, "key_id": KEY_ID, "private_key": pem}
