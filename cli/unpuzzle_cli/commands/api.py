"""`unpuzzle api`: any request, with the session, the retries and the errors of every other command."""

import json
from typing import Annotated, Any

import typer

from unpuzzle_cli import console, values
from unpuzzle_cli.errors import USAGE, CommandError
from unpuzzle_cli.session import Choice

Pairs = list[str]


def send(
    context: typer.Context,
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="Such as /api/v1/courses/, or courses/.")],
    text: Annotated[Pairs, typer.Option("--field", "-f", help="key=value, as text: the query of a GET, else the body.")] = [],  # noqa: B006
    typed: Annotated[Pairs, typer.Option("--typed-field", "-F", help="key=value, as JSON, or key=@file.")] = [],  # noqa: B006
    header: Annotated[Pairs, typer.Option("--header", "-H", help="Name: value.")] = [],  # noqa: B006
    body: Annotated[str, typer.Option("--input", help="The body: a file, or - for stdin.")] = "",
    paginate: Annotated[bool, typer.Option("--paginate", help="Every result of a list, over all pages.")] = False,
) -> None:
    """Send any request and print the JSON that comes back."""
    choice: Choice = context.obj
    verb = method.upper()
    fields = {**_pairs(text), **{key: _value(value) for key, value in _pairs(typed).items()}}
    arguments: dict[str, Any] = {"headers": _headers(header)}
    if body:
        arguments["json"] = _parsed(values.text("-" if body == "-" else f"@{body}") or "")
    elif fields:
        arguments["params" if verb == "GET" else "json"] = fields
    with choice.client() as client:
        answer = client.request(verb, _path(path), **arguments)
        if paginate:
            answer = _all_results(client, answer)
    if answer is not None:
        console.print_json(answer)


def _all_results(client: Any, page: Any) -> list[Any]:
    results = list(page["results"])
    while page["next"]:
        page = client.request("GET", _after_host(page["next"]))
        results += page["results"]
    return results


def _after_host(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def _path(path: str) -> str:
    return path if path.startswith("/") else f"/api/v1/{path}"


def _pairs(pairs: Pairs) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs]
    if any(not separator for _, separator, _ in split):
        raise CommandError("Fields are of the form key=value.", code=USAGE)
    return {key: value for key, _, value in split}


def _value(value: str) -> Any:
    if value.startswith("@"):
        return values.text(value)
    try:
        return json.loads(value)
    except ValueError:
        raise CommandError(f"{value} is not JSON.", "For text use -f key=value", USAGE) from None


def _headers(lines: Pairs) -> dict[str, str]:
    split = [line.partition(":") for line in lines]
    return {name.strip(): value.strip() for name, _, value in split}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CommandError(f"The input is not JSON: {error}", code=USAGE) from None
