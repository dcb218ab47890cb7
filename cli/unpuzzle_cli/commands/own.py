"""Commands and aliases that are not operations of the contract, and the operations written by hand; all stand here."""

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from unpuzzle_cli import chat, config, console, runner, show, values
from unpuzzle_cli.commands import api, bulk
from unpuzzle_cli.commands.conformance import ConformanceCommand, conformance
from unpuzzle_cli.commands.transcribed import upload_transcript
from unpuzzle_cli.commands.uploading import upload
from unpuzzle_cli.errors import SIGN_IN, CommandError, UsageError
from unpuzzle_cli.group import Command, Group
from unpuzzle_cli.runner import AsJson, Fields
from unpuzzle_cli.session import Choice

MORE_COMMANDS = "More commands"

config_app = typer.Typer(cls=Group, no_args_is_help=True)


def sign_in(
    context: typer.Context,
    email: Annotated[str, typer.Option(help="The address to sign in with; asked for if absent.", show_default=False)] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    with_key: Annotated[bool, typer.Option("--with-key", help="Read an API key from stdin, and use that.")] = False,
    provider: Annotated[
        str, typer.Option(help="Sign in with it in the browser: google, github, …", show_default=False)
    ] = "",
    as_json: AsJson = False,
    fields: Fields = "",
) -> None:
    """Sign in with a password, a provider or an API key, and stay so.

    The tokens are kept in the keyring, or where none works in a file that only you can read. They are refreshed by themselves.
    """
    choice = Choice.of(context)
    if choice.token:
        raise UsageError(
            "UNPUZZLE_TOKEN or UNPUZZLE_API_KEY is set and would win over what you sign in to.",
            "First: unset UNPUZZLE_TOKEN UNPUZZLE_API_KEY",
        )
    if with_key:
        _keep_key(choice, values.secret("API key", from_stdin=True, required=True) or "")
        return
    if provider:
        session = _by_browser(choice, provider)
        _signed_in(choice, session, as_json, fields)
        return
    address = email or console.ask("e-mail address", "--email you@example.com")
    password = values.secret("password", from_stdin=password_stdin, required=True)
    with choice.client() as client:
        session = client.auth.sign_in(email=address, password=password or "")
    _signed_in(choice, session, as_json, fields)


def _signed_in(choice: Choice, session: Any, as_json: bool, fields: str) -> None:
    console.talk(f"Signed in to {choice.server} as {session.user.full_name} ({', '.join(session.user.roles)}).")
    if as_json or fields:
        show.one(session.to_dict(), show.Shape(as_json, fields))


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
    """Once the server has taken it; a key may do too little to ask whose it is."""
    from unpuzzle_sdk import Tokens, Unpuzzle, errors

    with Unpuzzle(base_url=choice.server, api_key=key) as client:
        try:
            whose = client.auth.get_profile().email
        except errors.PermissionDeniedError:
            whose = "the owner of the key"
    choice.credentials.save(Tokens(key))
    console.talk(f"Signed in to {choice.server} as {whose}.")


def sign_out(context: typer.Context) -> None:
    """End the session, here and on the server."""
    from unpuzzle_sdk import errors

    choice = Choice.of(context)
    _needs_a_session(choice)
    try:
        with choice.client() as client:
            client.auth.sign_out()
    except errors.AuthenticationError:
        pass  # the server has ended it already
    choice.credentials.clear()
    console.talk(f"Signed out of {choice.server}.")


def status(context: typer.Context, as_json: AsJson = False, fields: Fields = "") -> None:
    """Tell who is signed in, where, and where the token is kept."""
    choice = Choice.of(context)
    _needs_a_session(choice)
    with choice.client() as client:
        user = client.auth.get_profile()
    found = {
        "server": choice.server,
        "profile": choice.profile,
        "email": user.email,
        "name": user.full_name,
        "roles": list(user.roles),
        "token": "UNPUZZLE_TOKEN" if choice.token else choice.credentials.place,
    }
    show.one(found, show.Shape(as_json, fields))


def token(context: typer.Context) -> None:
    """Print the access token, for other programs."""
    choice = Choice.of(context)
    _needs_a_session(choice)
    with choice.client() as client:
        client.auth.get_profile()  # a token that has ended is exchanged on the way
    kept = choice.credentials.load()
    console.say(choice.token or (kept.access_token if kept else ""))


def _needs_a_session(choice: Choice) -> None:
    if not choice.token and choice.credentials.load() is None:
        raise CommandError(f"Nobody is signed in to {choice.server}.", "Sign in: unpuzzle auth login", SIGN_IN)


@config_app.command("list", cls=Command)
def list_settings(as_json: AsJson = False, fields: Fields = "") -> None:
    """Show the settings of every profile."""
    found = [
        {"profile": name, "key": key, "value": value} for name, kept in config.load().items() for key, value in kept.items()
    ]
    show.many({"count": len(found), "results": found}, show.Shape(as_json, fields or "profile,key,value"))


@config_app.command("get", cls=Command)
def get_setting(context: typer.Context, key: str) -> None:
    """Show a setting of the profile."""
    console.say(Choice.of(context).setting(config.known(key)))


@config_app.command("set", cls=Command)
def set_setting(context: typer.Context, key: str, value: str) -> None:
    """Keep a setting in the profile."""
    config.change(Choice.of(context).profile, key, value)


@config_app.command("unset", cls=Command)
def unset_setting(context: typer.Context, key: str) -> None:
    """Forget a setting of the profile."""
    config.change(Choice.of(context).profile, key, None)


def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.", autocompletion=lambda: ["bash", "zsh", "fish"])],
) -> None:
    r"""Print the script that completes commands in a shell.

    Load it where your shell starts: eval "$(unpuzzle completion bash)" in ~/.bashrc or ~/.zshrc, or in
    ~/.config/fish/config.fish: unpuzzle completion fish | source. `unpuzzle --install-completion` does it for you.
    """
    from typer._completion_shared import get_completion_script  # typer has no public name for it

    if shell not in ("bash", "zsh", "fish"):
        raise UsageError(f"There is no completion for {shell}.", "There is one for bash, zsh and fish")
    console.say(get_completion_script(prog_name="unpuzzle", complete_var="_UNPUZZLE_COMPLETE", shell=shell))


FOLLOWED_SECONDS = 2
AT_ITS_END = {"succeeded", "partially_refunded", "refunded", "failed", "canceled"}
"""How a payment ends."""


def watch(
    context: typer.Context,
    payment_id: Annotated[str, typer.Argument(help="The payment, pay_… or pi_….", show_default=False)],
    timeout: Annotated[int, typer.Option(help="Seconds to wait at most.", min=1)] = 600,
) -> None:
    """Follow a payment to its end, a line for each change.

    It ends with 0 when the payment has succeeded, with 1 when it has failed, was cancelled, or takes too long.
    """
    until, told = time.monotonic() + timeout, ""
    with Choice.of(context).client() as client:
        while True:
            payment = client.payments.get_intent(payment_id)
            if payment.status != told:
                told = payment.status
                console.say(f"{payment.payment_id}\t{told}\t{show.cell(payment.amount, people=False)} {payment.currency}")
                if payment.next_action_url:
                    console.talk(f"The holder of the card authenticates here: {payment.next_action_url}")
            if told in AT_ITS_END:
                break
            if time.monotonic() > until:
                raise CommandError(f"The payment is still {told}.", f"Go on: unpuzzle payments watch {payment_id}")
            time.sleep(FOLLOWED_SECONDS)
    if told == "failed":
        hint = f"Try another card: unpuzzle payments confirm-intent {payment_id} --payment-method-id pm_…"
        raise CommandError(f"The payment has failed: {payment.decline_code or 'no reason was given'}.", hint)
    if told == "canceled":
        raise CommandError("The payment was cancelled.", "Begin anew: unpuzzle payments create-intent")


def watch_notifications(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="Begin after the event with this id.", show_default=False, metavar="ID")] = "",
    as_json: AsJson = False,
    fields: Fields = "created_at,title,message",
) -> None:
    """Show notifications as they happen, until Ctrl-C.

    A connection that is lost comes back, and nothing is missed or shown twice.
    """
    runner.follow(context, "notifications.stream", {"last_event_id": since or None}, as_json=as_json, fields=fields)


def learning(
    context: typer.Context,
    period: Annotated[str, typer.Option(help="week, month, year or all_time.")] = "month",
    course_id: Annotated[str, typer.Option(help="Only what was done in this course.", show_default=False)] = "",
    as_json: AsJson = False,
    fields: Fields = "",
) -> None:
    """Show what you have learnt, day by day.

    A chart of the days on a terminal. In a pipe a line for each day: date, minutes, lessons, quizzes.
    """
    with Choice.of(context).client() as client:
        found = client.analytics.get_learning(**values.given(period=period, course_id=course_id or None)).to_dict()
    if as_json or fields:
        show.one(found, show.Shape(as_json, fields))
    elif console.for_people():
        _chart(found)
    else:
        for day in found["daily_activity"]:
            console.say("\t".join(str(day[name]) for name in ("date", "minutes_learned", "lessons_completed", "quizzes_taken")))


def _chart(found: dict[str, Any]) -> None:
    from datetime import date

    from unpuzzle_cli import chart

    days = [chart.Day(date.fromisoformat(day["date"]), day["minutes_learned"]) for day in found["daily_activity"]]
    for line in chart.lines(days, console.width()):
        console.say(line)
    told = found["summary"]
    score = "" if told["average_quiz_score"] is None else f", {told['average_quiz_score']:g} % on average"
    hours, minutes = divmod(told["total_learning_time_minutes"], 60)
    console.say(
        f"{hours} h {minutes} min · lessons: {told['lessons_completed']} · quizzes: {told['quizzes_taken']}{score}"
        f" · days in a row: {told['current_streak']}"
    )
    for achievement in found["achievements"]:
        console.say(f"★ {achievement['title']}: {achievement['description']}")


CONTRACT: dict[str, Callable[..., None]] = {
    "auth.sign_in": sign_in,
    "auth.sign_out": sign_out,
    "enrollments.bulk_enroll": bulk.bulk_enroll,
}
"""Operations whose commands are written by hand, since they keep or forget the session, or read a file and wait."""
EXTRAS: dict[str, Callable[..., None]] = {
    "auth.login": sign_in,
    "auth.logout": sign_out,
    "auth.status": status,
    "auth.token": token,
    "notifications.watch": watch_notifications,
    "content.upload_transcript": upload_transcript,
    "payments.watch": watch,
    "media.upload": upload,
    "analytics.learning": learning,
    "ai.chat": chat.chat,
}
"""Aliases, and commands that are not operations."""


def add_to(tag: str, group: typer.Typer) -> None:
    """Adds what is written here to the commands of a tag."""
    for name, command in (CONTRACT | EXTRAS).items():
        owner, _, verb = name.partition(".")
        if owner == tag:
            group.command(verb.replace("_", "-"), cls=Command)(command)


def add_to_root(root: typer.Typer) -> None:
    """Adds the commands that stand beside the tags."""
    root.command("api", cls=Command, rich_help_panel=MORE_COMMANDS)(api.send)
    root.command("conformance", cls=ConformanceCommand, rich_help_panel=MORE_COMMANDS)(conformance)
    about = "Settings, by profile: " + ", ".join(config.KEYS) + "."
    root.add_typer(config_app, name="config", help=about, rich_help_panel=MORE_COMMANDS)
    root.command("completion", cls=Command, rich_help_panel=MORE_COMMANDS)(completion)
