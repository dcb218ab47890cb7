"""Commands and aliases that are not operations of the contract; all of them stand here."""

import sys
from typing import Annotated

import typer

from unpuzzle_cli import config, console, values
from unpuzzle_cli.errors import SIGN_IN, USAGE, CommandError
from unpuzzle_cli.session import Choice

config_app = typer.Typer(help="Profiles: which server each is for.", no_args_is_help=True)

Email = Annotated[str, typer.Option(help="The address to sign in with; asked for if absent.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")]


def add_to(tag: str, group: typer.Typer) -> None:
    """Adds what belongs to a tag."""
    if tag == "auth":
        group.command("login")(login)
        group.command("logout")(logout)
        group.command("status")(status)


def login(context: typer.Context, email: Email = "", password_stdin: PasswordStdin = False) -> None:
    """Sign in with e-mail and password, and stay so. The same as `auth sign-in`, which does not ask for the address."""
    choice: Choice = context.obj
    address = email or _ask_email()
    password = values.secret("password", from_stdin=password_stdin, required=True)
    with choice.client() as client:
        session = client.auth.sign_in(email=address, password=password)
    console.talk(f"Signed in to {choice.server} as {session.user.full_name} ({', '.join(session.user.roles)}).", quiet=choice.quiet)


def logout(context: typer.Context) -> None:
    """End the session. The same as `auth sign-out`."""
    choice: Choice = context.obj
    with choice.client() as client:
        client.auth.sign_out()
    console.talk(f"Signed out of {choice.server}.", quiet=choice.quiet)


def status(context: typer.Context) -> None:
    """Tell who is signed in, and where."""
    choice: Choice = context.obj
    with choice.client() as client:
        if choice.tokens().load() is None and not _token_given():
            raise CommandError(f"Nobody is signed in to {choice.server}.", "Sign in: unpuzzle auth login", SIGN_IN)
        user = client.auth.get_profile()
    shown = {"server": choice.server, "profile": choice.profile, "email": user.email, "name": user.full_name, "roles": user.roles}
    console.one(shown, as_json=False, fields="", quiet=choice.quiet)


def _token_given() -> bool:
    import os

    return bool(os.environ.get("UNPUZZLE_TOKEN"))


def _ask_email() -> str:
    if not sys.stdin.isatty():
        raise CommandError("An address is needed.", "Give it: --email you@example.com", USAGE)
    print("E-mail: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


@config_app.command("list")
def list_profiles() -> None:
    """Show every profile."""
    for name, profile in config.load().items():
        for key, value in profile.items():
            print(f"{name}\t{key}\t{value}")


@config_app.command("get")
def get_value(context: typer.Context, key: str) -> None:
    """Show one value of the profile."""
    print(config.get(context.obj.profile, _known(key)))


@config_app.command("set")
def set_value(context: typer.Context, key: str, value: str) -> None:
    """Keep a value in the profile."""
    profiles = config.load()
    profiles.setdefault(context.obj.profile, {})[_known(key)] = value
    config.save(profiles)


@config_app.command("unset")
def unset_value(context: typer.Context, key: str) -> None:
    """Forget a value of the profile."""
    profiles = config.load()
    profiles.get(context.obj.profile, {}).pop(_known(key), None)
    config.save(profiles)


def _known(key: str) -> str:
    if key not in config.KEYS:
        raise CommandError(f"There is no setting {key}.", f"There are: {', '.join(config.KEYS)}", USAGE)
    return key
