"""What the sandbox says of a person, in the words of each provider."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
Shape = dict[str, Any]


@dataclass(frozen=True)
class Someone:
    """Who was typed on the consent page."""

    provider: str
    email: str
    name: str
    verified: bool

    @property
    def subject(self) -> str:
        """The same person at the same provider, each time."""
        return sha256(f"{self.provider}:{self.email.lower()}".encode()).hexdigest()[:32]

    @property
    def number(self) -> int:
        return int(self.subject[:12], 16)


def claims(someone: Someone) -> Shape:
    """The claims of an id token, besides those about the token."""
    said: Shape = {"sub": someone.subject, "email": someone.email}
    match someone.provider:
        case "apple":
            return {**said, "email_verified": str(someone.verified).lower()}
        case "microsoft":
            return {**said, "name": someone.name, "tid": "0f1e2d3c-sandbox", "xms_edov": someone.verified}
        case "twitch":
            return {"sub": someone.subject, "preferred_username": someone.name}
        case _:
            return {**said, "email_verified": someone.verified, "name": someone.name}


def userinfo(someone: Someone) -> Shape:
    """What a user-info call answers."""
    return USERINFO.get(someone.provider, _oidc)(someone)


def github_emails(someone: Someone) -> list[Shape]:
    other = {"email": f"{someone.number}@users.noreply.github.com", "primary": False, "verified": True, "visibility": None}
    return [other, {"email": someone.email, "primary": True, "verified": someone.verified, "visibility": "private"}]


def _oidc(someone: Someone) -> Shape:
    return {"sub": someone.subject, "email": someone.email, "email_verified": someone.verified, "name": someone.name}


def _github(someone: Someone) -> Shape:
    login = someone.email.partition("@")[0]
    return {"id": someone.number, "login": login, "name": someone.name or None, "email": None, "avatar_url": None}


def _facebook(someone: Someone) -> Shape:
    """An address that is not confirmed is not told."""
    return {"id": str(someone.number), "name": someone.name, **({"email": someone.email} if someone.verified else {})}


def _twitter(someone: Someone) -> Shape:
    data = {"id": str(someone.number), "name": someone.name, "username": someone.email.partition("@")[0]}
    return {"data": {**data, **({"confirmed_email": someone.email} if someone.verified else {})}}


def _discord(someone: Someone) -> Shape:
    username = someone.email.partition("@")[0]
    named = {"username": username, "global_name": someone.name, "avatar": None}
    return {"id": str(someone.number), **named, "email": someone.email, "verified": someone.verified}


def _spotify(someone: Someone) -> Shape:
    return {"id": someone.subject, "display_name": someone.name, "email": someone.email, "images": [], "type": "user"}


USERINFO: dict[str, Callable[[Someone], Shape]] = {
    "github": _github,
    "facebook": _facebook,
    "twitter": _twitter,
    "discord": _discord,
    "spotify": _spotify,
}
"""OpenID Connect's shape for all others."""
OAUTH_ONLY = frozenset(USERINFO)
"""Providers that issue no id tokens."""
