"""What each provider says of a person, in its own words, read into one shape."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from unpuzzle_server.kernel import spec

Said = dict[str, Any]
"""The claims of an id token, or the answer of a user-info call."""

MICROSOFT_PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of personal Microsoft accounts, whose addresses Microsoft has confirmed itself."""


@dataclass(frozen=True)
class Person:
    """Somebody as a provider knows them."""

    subject: str
    """What names them at the provider, for good."""
    email: str | None
    email_verified: bool
    """Whether the provider has made sure that the address is theirs."""
    name: str | None
    picture: str | None = None


ADDRESS = {"$ref": "#/components/schemas/SignUp/properties/email"}
NAME = {"$ref": "#/components/schemas/SignUp/properties/full_name"}
PICTURE = {"type": "string", "format": "uri", "maxLength": 2000}


def told(person: Person) -> Person:
    """Without what nobody could sign up with, such as an address in another script or a name of two lines: as if untold."""
    if not spec.compiled(ADDRESS).is_valid(person.email):
        person = replace(person, email=None, email_verified=False)
    name = person.name if spec.compiled(NAME).is_valid(person.name) else None
    return replace(person, name=name, picture=person.picture if spec.compiled(PICTURE).is_valid(person.picture) else None)


Reader = Callable[[Said], Person]


def oidc(said: Said) -> Person:
    """The standard claims; Apple writes truth as a string."""
    verified = said.get("email_verified") is True or said.get("email_verified") == "true"
    return Person(said["sub"], said.get("email"), verified, said.get("name"), said.get("picture"))


def microsoft(said: Said) -> Person:
    """A work account's address is whatever its admin typed, unless the claim `xms_edov` says that its domain is theirs."""
    verified = said.get("tid") == MICROSOFT_PERSONAL or said.get("xms_edov") in (True, 1, "1", "true")
    return Person(said["sub"], said.get("email"), verified, said.get("name"))


def github(said: Said) -> Person:
    """With the addresses of a second call under `emails`."""
    primary: Said = next((item for item in said["emails"] if item["primary"]), {})
    email, verified = primary.get("email"), bool(primary.get("verified"))
    return Person(str(said["id"]), email, verified, said.get("name") or said["login"], said.get("avatar_url"))


def facebook(said: Said) -> Person:
    """Facebook tells an address only once it is confirmed."""
    picture = said.get("picture", {}).get("data", {}).get("url")
    return Person(said["id"], said.get("email"), "email" in said, said.get("name"), picture)


def twitter(said: Said) -> Person:
    """Of the address there is only the confirmed one."""
    data = said["data"]
    email = data.get("confirmed_email")
    return Person(data["id"], email, email is not None, data.get("name"), data.get("profile_image_url"))


def discord(said: Said) -> Person:
    name, avatar = said.get("global_name") or said["username"], said.get("avatar")
    picture = f"https://cdn.discordapp.com/avatars/{said['id']}/{avatar}.png" if avatar else None
    return Person(said["id"], said.get("email"), said.get("verified") is True, name, picture)


def spotify(said: Said) -> Person:
    """Spotify does not confirm addresses, and says so: it is a way in for accounts that linked it."""
    pictures = said.get("images") or [{}]
    return Person(said["id"], said.get("email"), False, said.get("display_name"), pictures[0].get("url"))
