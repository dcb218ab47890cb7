"""Tokens that are not ours, forged in every classic way: each is refused, and none is told why."""

import base64
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness import TEST_SETTINGS, Api, Person, code_of
from unpuzzle_server.auth.tokens import derived_key

PROFILE = "/api/v1/auth/profile/"
KEY = derived_key(TEST_SETTINGS.secret_key, "access-token")
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
JWK = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()))
ANOTHER = "00000000-0000-4000-8000-000000000000"
NOW = int(time.time())


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], claims: dict[str, Any], signature: str) -> str:
    """What no library would write."""
    return f"{encoded(header)}.{encoded(claims)}.{signature}"


def spliced(token: str, claims: dict[str, Any]) -> str:
    """Other claims between a good head and a good signature."""
    head, _, signature = token.split(".")
    return f"{head}.{encoded(claims)}.{signature}"


def hmac_with_public_key(claims: dict[str, Any]) -> str:
    """The confusion of HS with RS: a public key taken for a secret one."""

    unsigned = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims)}"
    digest = hmac.digest(PUBLIC, unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "HS256", **headers: Any) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def without(claims: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in names}


FORGERIES: dict[str, Any] = {
    "algorithm none": lambda c, t: by_hand({"alg": "none", "typ": "JWT"}, c, ""),
    "algorithm nOnE": lambda c, t: by_hand({"alg": "nOnE", "typ": "JWT"}, c, ""),
    "no algorithm": lambda c, t: by_hand({"typ": "JWT"}, c, t.split(".")[2]),
    "algorithm none over a good signature": lambda c, t: ".".join([encoded({"alg": "none"}), *t.split(".")[1:]]),
    "a public key taken for the secret": lambda c, t: hmac_with_public_key(c),
    "RS256 of another": lambda c, t: signed(c, RSA, "RS256"),
    "PS256 of another": lambda c, t: signed(c, RSA, "PS256"),
    "ES256 of another": lambda c, t: signed(c, ec.generate_private_key(ec.SECP256R1()), "ES256"),
    "HS384 with the right key": lambda c, t: signed(c, KEY * 2, "HS384"),
    "HS512 with the right key": lambda c, t: signed(c, KEY * 2, "HS512"),
    "another key": lambda c, t: signed(c, "k" * 32),
    "an empty signature": lambda c, t: t.rpartition(".")[0] + ".",
    "a signature cut short": lambda c, t: t[:-4],
    "a signature with one bit more": lambda c, t: t + "A",
    "other claims under a good signature": lambda c, t: ".".join(
        [t.split(".")[0], encoded({**c, "sub": ANOTHER}), t.split(".")[2]]
    ),
    "another audience": lambda c, t: signed({**c, "aud": "another"}),
    "no audience": lambda c, t: signed(without(c, "aud")),
    "another issuer": lambda c, t: signed({**c, "iss": "another"}),
    "no issuer": lambda c, t: signed(without(c, "iss")),
    "expired": lambda c, t: signed({**c, "exp": NOW - 1}),
    "no end": lambda c, t: signed(without(c, "exp")),
    "an end that is no number": lambda c, t: signed({**c, "exp": "never"}),
    "not yet valid": lambda c, t: signed({**c, "nbf": NOW + 3600}),
    "issued in the future": lambda c, t: signed({**c, "iat": NOW + 3600}),
    "an unknown key id": lambda c, t: signed(c, kid="another"),
    "a key id that is a path": lambda c, t: signed(c, b"\0" * 32, kid="../../dev/null"),
    "a key that it brings": lambda c, t: signed(
        c, RSA, "RS256", jwk=json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()))
    ),
    "a key that is elsewhere": lambda c, t: signed(c, RSA, "RS256", jku="https://evil.example/keys.json"),
    "a certificate that is elsewhere": lambda c, t: signed(c, x5u="https://evil.example/cert.pem"),
    "an extension that must be known": lambda c, t: signed(c, crit=["exp"], b64=False),
    "another user": lambda c, t: signed({**c, "sub": ANOTHER}),
    "another session": lambda c, t: signed({**c, "sid": ANOTHER}),
    "no session": lambda c, t: signed(without(c, "sid")),
    "a user that is no id": lambda c, t: signed({**c, "sub": "admin"}),
    "two tokens in one": lambda c, t: f"{t}.{t}",
    "a part too few": lambda c, t: t.rpartition(".")[0],
}


def claims_of(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(person.tokens["access_token"], KEY, algorithms=["HS256"], audience="unpuzzle-api")
    return found


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_lets_nobody_in(api: Api, learner: Person, forgery: str) -> None:
    token = FORGERIES[forgery](claims_of(learner), learner.tokens["access_token"])
    refused = api.get(PROFILE, headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 401
    assert code_of(refused) in ("AUTH_INVALID_TOKEN", "AUTH_USER_NOT_FOUND")


def test_the_forger_could_make_a_good_one(api: Api, learner: Person) -> None:
    """Else the refusals would prove nothing."""
    token = signed(claims_of(learner))
    assert api.get(PROFILE, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_refresh_token_is_no_access_token(api: Api, learner: Person) -> None:
    refused = api.get(PROFILE, headers={"Authorization": f"Bearer {learner.tokens['refresh_token']}"})
    assert code_of(refused) == "AUTH_INVALID_TOKEN"
