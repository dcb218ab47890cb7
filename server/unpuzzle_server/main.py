"""The command `unpuzzle-server`."""

import os
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from platformdirs import user_data_path

from unpuzzle_server import __version__

app = typer.Typer(help="The reference server of the Unpuzzle API.", no_args_is_help=True, pretty_exceptions_enable=False)
tasks_app = typer.Typer(help="What the workers could not do.", no_args_is_help=True)
admin_app = typer.Typer(help="Accounts of those who run the platform.", no_args_is_help=True)
app.add_typer(admin_app, name="admin")
outbox_app = typer.Typer(help="Mail that is kept because no SMTP_URL is set.", no_args_is_help=True)
app.add_typer(outbox_app, name="outbox")
app.add_typer(tasks_app, name="tasks")
payments_app = typer.Typer(help="Payments, held against Stripe's books.", no_args_is_help=True)
app.add_typer(payments_app, name="payments")
analytics_app = typer.Typer(help="What is counted of learning and earning.", no_args_is_help=True)
app.add_typer(analytics_app, name="analytics")
webhooks_app = typer.Typer(help="Stripe's events that could not be followed.", no_args_is_help=True)
app.add_typer(webhooks_app, name="webhooks")

DataDir = Annotated[
    Path,
    typer.Option(
        envvar="UNPUZZLE_DATA_DIR", help="Where the embedded PostgreSQL and the signing key are kept.", show_default=False
    ),
]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        envvar="DATABASE_URL", help="PostgreSQL 15 or later, as the owner of the schema; embedded if absent.", show_default=False
    ),
]


def default_data_dir() -> Path:
    return user_data_path("unpuzzle", appauthor=False)


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        print(f"unpuzzle-server {__version__}")
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 picks a free one.", min=0, max=65535)] = 8000,
    data_dir: DataDir = default_data_dir(),  # noqa: B008 - a path, made when the command is
    database_url: DatabaseUrl = "",
    workers: Annotated[int, typer.Option(help="Web processes.", min=1, max=64)] = 1,
    worker: Annotated[bool, typer.Option(help="Run a worker beside the web processes.")] = True,
    oauth_sandbox: Annotated[bool, typer.Option(help="Play every OAuth provider, so that signing in needs no internet.")] = False,
    reload: Annotated[bool, typer.Option(help="Restart when the code changes.")] = False,
    seed: Annotated[str, typer.Option(help="none or demo, a catalogue to try; demo where PostgreSQL is embedded.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Say that the server is ready in one line of JSON.")] = False,
) -> None:
    """Start the server. Its other settings are environment variables: see `unpuzzle-server settings`."""
    if seed not in ("", "none", "demo"):
        raise typer.BadParameter("takes none or demo", param_hint="--seed")
    settings = _settings(database_url)

    from unpuzzle_server import serving  # after what may be wrong, which is said at once
    from unpuzzle_server.kernel import logs

    settings = replace(settings, oauth_sandbox=oauth_sandbox or settings.oauth_sandbox)
    logs.configure(settings)
    chosen_seed = seed or ("none" if database_url else "demo")
    options = serving.Options(host, port, data_dir.expanduser().resolve(), workers, reload, chosen_seed, as_json, worker)
    with PlainErrors():
        serving.serve(options, settings)


@app.command()
def worker(data_dir: DataDir = default_data_dir(), database_url: DatabaseUrl = "") -> None:  # noqa: B008 - as above
    """Run a worker alone, on this machine or on others; `serve` runs one by itself."""
    from unpuzzle_server import worker as program
    from unpuzzle_server.kernel import logs

    settings = _settings(database_url)
    logs.configure(settings)
    with PlainErrors():
        program.run(program.prepared(data_dir.expanduser().resolve(), settings))


@app.command()
def settings() -> None:
    """List the environment variables that the server reads, with their present values."""
    from unpuzzle_server.kernel.settings import Settings

    present = _settings(os.environ.get("DATABASE_URL", ""))
    for item in fields(Settings):
        shown = getattr(present, item.name) if item.repr else "set" if getattr(present, item.name) else "not set"
        print(f"{item.metadata.get('variable', item.name.upper()):<30} {_as_written(shown):<28} {item.metadata['about']}")


def _as_written(value: Any) -> str:
    """A setting's value as it stands in its environment variable."""
    if isinstance(value, tuple):
        return ",".join(part if isinstance(part, str) else f"{part[0]}={'/'.join(part[1:])}" for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@admin_app.command("create")
def create_admin(
    email: Annotated[str, typer.Option(prompt=True, help="The address to sign in with; an account with it becomes an admin.")],
    name: Annotated[str, typer.Option(help="The name, for a new account.")] = "Admin",
    password: Annotated[str, typer.Option(envvar="UNPUZZLE_ADMIN_PASSWORD", help="For a new account; asked for if absent.")] = "",
    data_dir: DataDir = default_data_dir(),  # noqa: B008 - as above
    database_url: DatabaseUrl = "",
) -> None:
    """Make an admin, of a new account or of one that is there; the server may be running or not."""
    from unpuzzle_server import admins

    settings = _settings(database_url)
    with PlainErrors():
        print(admins.create(data_dir.expanduser().resolve(), settings, email, name, password))


@outbox_app.command("list")
def list_outbox(
    limit: Annotated[int, typer.Option(help="How many mails.", min=1)] = 20,
    data_dir: DataDir = default_data_dir(),  # noqa: B008 - as above
    database_url: DatabaseUrl = "",
) -> None:
    """List the newest mails."""
    from unpuzzle_server import outbox, serving

    with PlainErrors(), serving.owners_database(data_dir.expanduser().resolve(), _settings(database_url)) as owner_url:
        print(outbox.list_mails(owner_url, limit))


@outbox_app.command("show")
def show_outbox(
    mail: Annotated[str, typer.Argument(help="The beginning of its id, or `last`.")] = "last",
    data_dir: DataDir = default_data_dir(),  # noqa: B008 - as above
    database_url: DatabaseUrl = "",
) -> None:
    """Show a mail, with the link that it carries."""
    from unpuzzle_server import outbox, serving

    with PlainErrors(), serving.owners_database(data_dir.expanduser().resolve(), _settings(database_url)) as owner_url:
        print(outbox.show_mail(owner_url, mail))


@tasks_app.command("failed")
def failed_tasks(data_dir: DataDir = default_data_dir(), database_url: DatabaseUrl = "") -> None:  # noqa: B008 - as above
    """List the tasks that were given up, the latest first."""
    from unpuzzle_server import deadletters

    settings = _settings(database_url)
    with PlainErrors():
        print(deadletters.listed(data_dir.expanduser().resolve(), settings))


@tasks_app.command("retry")
def retry_tasks(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `tasks failed` shows.", show_default=False)] = "",
    every: Annotated[bool, typer.Option("--all", help="Every task that was given up.")] = False,
    data_dir: DataDir = default_data_dir(),  # noqa: B008 - as above
    database_url: DatabaseUrl = "",
) -> None:
    """Give a task to the workers again, or all of them."""
    from unpuzzle_server import deadletters

    if bool(task_id) == every:
        raise typer.BadParameter("give the id of a task, or --all", param_hint="ID")
    settings = _settings(database_url)
    with PlainErrors():
        print(deadletters.retry(data_dir.expanduser().resolve(), settings, task_id or None))


@payments_app.command("reconcile")
def reconcile_payments(
    days: Annotated[int, typer.Option(help="How far back to look.", min=1)] = 2,
    data_dir: DataDir = default_data_dir(),  # noqa: B008 - as above
    database_url: DatabaseUrl = "",
) -> None:
    """Ask Stripe how every payment stands, and mend what a missed webhook has left; workers do so by themselves."""
    from unpuzzle_server import reconciling

    settings = _settings(database_url)
    with PlainErrors():
        print(reconciling.reconcile(data_dir.expanduser().resolve(), settings, days))


@analytics_app.command("rebuild")
def rebuild_analytics(data_dir: DataDir = default_data_dir(), database_url: DatabaseUrl = "") -> None:  # noqa: B008 - as above
    """Count everything anew from the raw rows; nobody learns or pays meanwhile."""
    from unpuzzle_server import recounting, serving

    with PlainErrors(), serving.owners_database(data_dir.expanduser().resolve(), _settings(database_url)) as owner_url:
        print(recounting.rebuild(owner_url))


@webhooks_app.command("failed")
def failed_events(data_dir: DataDir = default_data_dir(), database_url: DatabaseUrl = "") -> None:  # noqa: B008 - as above
    """List the events that were given up, the latest first."""
    from unpuzzle_server import deadletters

    settings = _settings(database_url)
    with PlainErrors():
        print(deadletters.listed(data_dir.expanduser().resolve(), settings, deadletters.EVENTS))


@webhooks_app.command("replay")
def replay_events(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The id at Stripe, evt_….", show_default=False)] = "",
    every: Annotated[bool, typer.Option("--all", help="Every event that was given up.")] = False,
    data_dir: DataDir = default_data_dir(),  # noqa: B008 - as above
    database_url: DatabaseUrl = "",
) -> None:
    """Have the workers follow an event again, given up or not, or all that were given up."""
    from unpuzzle_server import deadletters

    if bool(event_id) == every:
        raise typer.BadParameter("give the id of an event, or --all", param_hint="ID")
    settings = _settings(database_url)
    with PlainErrors():
        print(deadletters.replay(data_dir.expanduser().resolve(), settings, event_id or None))


def _settings(database_url: str):  # type: ignore[no-untyped-def]  # imported late: --help needs none of it
    from unpuzzle_server.kernel.settings import Settings, SettingsError

    try:
        return Settings.from_environment({**os.environ, "DATABASE_URL": database_url})
    except SettingsError as error:
        _fail(str(error))


class PlainErrors:
    """Turns what a person can mend into one sentence and exit code 1."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        from unpuzzle_server.kernel.errors import Problem
        from unpuzzle_server.kernel.postgres_binaries import EmbeddedPostgresError
        from unpuzzle_server.kernel.schema import SchemaError
        from unpuzzle_server.kernel.settings import SettingsError
        from unpuzzle_server.serving import ServeError

        if isinstance(error, (ServeError, SchemaError, SettingsError, EmbeddedPostgresError)):
            _fail(str(error))
        if isinstance(error, Problem):
            _fail(error.message)
        if isinstance(error, KeyboardInterrupt):
            raise SystemExit(130) from None


def _fail(sentence: str) -> None:
    print(f"unpuzzle-server: {sentence}", file=sys.stderr)
    raise SystemExit(1)
