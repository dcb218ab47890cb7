"""Signing in and out, and who is signed in."""

import os
from typing import Annotated, Any

import typer

from unpuzzle_cli import console, show, values
from unpuzzle_cli.errors import GIVEN, SIGN_IN, CommandError, UsageError
from unpuzzle_cli.session import Choice


def sign_in(
    context: typer.Context,
    email: Annotated[str, typer.Option(help="The address to sign in with; asked for if absent.", show_default=False)] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    with_key: Annotated[bool, typer.Option("--with-key", help="Use an API key: asked for, or a line of stdin.")] = False,
    provider: Annotated[
        str, typer.Option(help="Sign in with it in the browser: google, github, …", show_default=False)
    ] = "",
) -> None:
    """Sign in with a password, a provider or an API key, and stay so.

    The tokens are kept in the keyring, or where none works in a file that only you can read. They are refreshed by themselves.
    """
    choice = Choice.of(context, may_be_new=True)
    if choice.token:
        raise _another_token("would win over what you sign in to")
    if [bool(email or password_stdin), with_key, bool(provider)].count(True) > 1:
        raise UsageError("One can't sign in in two ways at once.", "Choose: a password (--email, --password-stdin), --with-key or --provider")
    if with_key:
        _keep_key(choice, values.secret("API key", from_stdin=not console.can_ask(), required=True) or "")
    elif provider:
        _signed_in(context, choice, _by_browser(choice, provider))
    else:
        _signed_in(context, choice, _by_password(choice, email, from_stdin=password_stdin))
    choice.keep()


def _another_token(does: str) -> UsageError:
    return UsageError(f"UNPUZZLE_TOKEN or UNPUZZLE_API_KEY is set and {does}.", "First: unset UNPUZZLE_TOKEN UNPUZZLE_API_KEY")


def _by_password(choice: Choice, email: str, *, from_stdin: bool) -> Any:
    address = email or console.ask("e-mail address", "--email you@example.com")
    password = values.secret("password", from_stdin=from_stdin, required=True)
    with choice.client() as client:
        return client.auth.sign_in(email=address, password=password or "")


def _signed_in(context: typer.Context, choice: Choice, session: Any) -> None:
    console.talk(f"Signed in to {choice.server} as {session.user.full_name} ({', '.join(session.user.roles)}).")
    shape = show.Shape.of(context)
    if shape.asked:
        show.one(session.to_dict(), shape)


def _by_browser(choice: Choice, provider: str) -> Any:
    """The person signs in at the provider; their browser brings its code back to this machine, where the proof for it is."""
    from unpuzzle_cli import browser
    from unpuzzle_sdk import PKCE

    pkce = PKCE.new()
    with choice.client() as client, browser.waiting() as back:
        start = client.auth.oauth_sign_in(provider=provider, redirect_url=back.url, code_challenge=pkce.challenge)
        opened = browser.open_page(start.auth_url)
        console.talk(f"{'Sign in in your browser' if opened else 'Open this page to sign in'}: {start.auth_url}")
        said = back.answer(start.state)
        code = browser.code_of(said)
        return client.auth.oauth_callback(provider=provider, code=code, state=start.state, code_verifier=pkce.verifier)


def _keep_key(choice: Choice, key: str) -> None:
    """Once the server has taken it."""
    from unpuzzle_sdk import Tokens

    with choice.client(api_key=key) as client:
        user = _whose(client)
    choice.credentials.save(Tokens(key))
    console.talk(f"Signed in to {choice.server} as {user.email if user else 'the owner of the key'}.")


def _whose(client: Any) -> Any:
    """Who is signed in; None with an API key that may do too little to ask for that."""
    from unpuzzle_sdk import errors

    try:
        return client.auth.get_profile()
    except errors.PermissionDenied:
        return None


def sign_out(context: typer.Context) -> None:
    """End the session, here and on the server.

    What is kept here is forgotten in any case. A session that the server could not end lives on there until it expires.
    """
    choice = Choice.of(context)
    if choice.token:
        raise _another_token("is not what `unpuzzle auth login` has kept")
    _needs_a_session(choice)
    try:
        _end_at_the_server(choice)
    finally:
        choice.credentials.clear()
    console.talk(f"Signed out of {choice.server}.")


def _end_at_the_server(choice: Choice) -> None:
    from unpuzzle_sdk import errors

    try:
        with choice.client() as client:
            client.auth.sign_out()
    except errors.AuthenticationError:
        pass  # it has ended it already
    except errors.PermissionDenied:  # an API key, which has no session
        console.talk("The API key stays good. To end that too: unpuzzle auth delete-api-key")
    except errors.UnpuzzleError as error:
        console.talk(f"The session lives on at the server, until it expires: {error}")


def status(context: typer.Context) -> None:
    """Tell who is signed in, where, and where the token is kept."""
    choice = Choice.of(context)
    _needs_a_session(choice)
    with choice.client() as client:
        user = _whose(client)
    found = {
        "server": choice.server,
        "profile": choice.profile,
        "email": user and user.email,
        "name": user and user.full_name,
        "roles": list(user.roles) if user else None,
        "token": next(filter(os.environ.get, GIVEN), choice.credentials.place),
    }
    show.one(found, show.Shape.of(context))


def token(context: typer.Context) -> None:
    """Print the access token, for other programs."""
    choice = Choice.of(context)
    _needs_a_session(choice)
    with choice.client() as client:
        _whose(client)  # a token that has ended is exchanged on the way
    kept = choice.credentials.load()
    console.say(choice.token or (kept.access_token if kept else ""))


def _needs_a_session(choice: Choice) -> None:
    if not choice.token and choice.credentials.load() is None:
        raise CommandError(f"Nobody is signed in to {choice.server}.", "Sign in: unpuzzle auth login", SIGN_IN)
