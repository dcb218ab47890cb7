"""The providers that people can sign in with: where they are, and what is peculiar about each.

Their own documentation is the source. A provider without an issuer speaks OAuth 2 alone, and is asked who somebody is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from unpuzzle_server.auth.oauth import profiles
from unpuzzle_server.kernel.settings import SettingsError

OPENID = ("openid", "email", "profile")
BASIC, POST = "client_secret_basic", "client_secret_post"


@dataclass(frozen=True)
class Provider:
    name: str
    title: str
    """What people call it."""
    scopes: tuple[str, ...] = OPENID
    read: profiles.Reader = profiles.oidc
    issuer: str = ""
    """Where OpenID Connect discovery begins; else the three addresses below are all there is."""
    authorize_url: str = ""
    token_url: str = ""
    userinfo_url: str = ""
    authenticates_by: str = BASIC
    also_asks: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the authorization request."""
    sends_nonce: bool = True
    """Whether its id tokens carry our nonce."""

    @property
    def posts(self) -> bool:
        """Whether it sends people back with a form."""
        return self.also_asks.get("response_mode") == "form_post"


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("google", "Google", issuer="https://accounts.google.com"),
        Provider(
            "github",
            "GitHub",
            ("read:user", "user:email"),
            profiles.github,
            authorize_url="https://github.com/login/oauth/authorize",
            token_url="https://github.com/login/oauth/access_token",
            userinfo_url="https://api.github.com/user",
            authenticates_by=POST,
        ),
        Provider("gitlab", "GitLab", issuer="https://gitlab.com"),
        # Its issuer names the tenant of whoever signed in: see `Client._issued_by`.
        Provider("microsoft", "Microsoft", read=profiles.microsoft, issuer="https://login.microsoftonline.com/common/v2.0"),
        Provider(
            "apple",
            "Apple",
            ("openid", "email", "name"),
            issuer="https://appleid.apple.com",
            authenticates_by=POST,
            also_asks={"response_mode": "form_post"},
        ),
        Provider(
            "facebook",
            "Facebook",
            ("email", "public_profile"),
            profiles.facebook,
            authorize_url="https://www.facebook.com/v23.0/dialog/oauth",
            token_url="https://graph.facebook.com/v23.0/oauth/access_token",
            userinfo_url="https://graph.facebook.com/v23.0/me?fields=id,name,email,picture",
            authenticates_by=POST,
        ),
        Provider(
            "linkedin",
            "LinkedIn",
            issuer="https://www.linkedin.com/oauth",
            authenticates_by=POST,
            sends_nonce=False,
        ),
        Provider(
            "twitter",
            "X",
            ("users.read", "tweet.read", "users.email"),
            profiles.twitter,
            authorize_url="https://x.com/i/oauth2/authorize",
            token_url="https://api.x.com/2/oauth2/token",
            userinfo_url="https://api.x.com/2/users/me?user.fields=confirmed_email,name,profile_image_url",
        ),
        Provider(
            "discord",
            "Discord",
            ("identify", "email"),
            profiles.discord,
            authorize_url="https://discord.com/oauth2/authorize",
            token_url="https://discord.com/api/oauth2/token",
            userinfo_url="https://discord.com/api/users/@me",
        ),
        Provider(
            "spotify",
            "Spotify",
            ("user-read-email",),
            profiles.spotify,
            authorize_url="https://accounts.spotify.com/authorize",
            token_url="https://accounts.spotify.com/api/token",
            userinfo_url="https://api.spotify.com/v1/me",
        ),
        Provider("slack", "Slack", issuer="https://slack.com", authenticates_by=POST),
        Provider(
            "twitch",
            "Twitch",
            ("openid", "user:read:email"),
            issuer="https://id.twitch.tv/oauth2",
            authenticates_by=POST,
            also_asks={"claims": '{"id_token":{"email":null,"email_verified":null,"preferred_username":null,"picture":null}}'},
        ),
    )
}


def title_of(name: str) -> str:
    """What people call a provider."""
    return PROVIDERS[name].title if name in PROVIDERS else name.replace("-", " ").title()


ADDRESSES = ("issuer", "authorize_url", "token_url", "userinfo_url")
APPLE_KEY = ("team_id", "key_id", "private_key")
"""Apple's client secret is a token, signed with a key of ours."""


@dataclass(frozen=True)
class Registration:
    """A provider, and who this server is to it."""

    provider: Provider
    client_id: str
    client_secret: str = field(default="", repr=False)
    team_id: str = ""
    key_id: str = ""
    private_key: str = field(default="", repr=False)


def registrations(given: Mapping[str, Mapping[str, str]]) -> dict[str, Registration]:
    """From the settings `OAUTH_<PROVIDER>_…`; raises SettingsError for what is missing."""
    return {name: _registration(name, values) for name, values in sorted(given.items())}


def _registration(name: str, given: Mapping[str, str]) -> Registration:
    provider = PROVIDERS.get(name) or Provider(name, title_of(name))
    moved: dict[str, Any] = {key: given[key].rstrip("/") for key in ADDRESSES if key in given}
    provider = replace(provider, **moved)
    needed = ["client_id", *(APPLE_KEY if name == "apple" else ["client_secret"])]
    if not provider.issuer and not provider.authorize_url:
        needed.append("issuer")
    missing = [f"OAUTH_{name.upper().replace('-', '_')}_{key.upper()}" for key in needed if not given.get(key)]
    if missing:
        raise SettingsError(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.")
    return Registration(provider, **{key: value for key, value in given.items() if key not in ADDRESSES})


def played_by(sandbox_url: str, credentials: Callable[[str], Mapping[str, str]]) -> dict[str, Registration]:
    """Every provider, played by the sandbox; `credentials` tells who this server is to each."""
    moved = {name: _moved(provider, f"{sandbox_url}/{name}") for name, provider in PROVIDERS.items()}
    return {name: Registration(provider, **credentials(name)) for name, provider in moved.items()}


def _moved(provider: Provider, to: str) -> Provider:
    if provider.issuer:
        return replace(provider, issuer=to)
    return replace(provider, authorize_url=f"{to}/authorize", token_url=f"{to}/token", userinfo_url=f"{to}/userinfo")
