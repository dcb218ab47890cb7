"""`unpuzzle api`: any request, with the session, the retries and the errors of every other command."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from unpuzzle_cli import console, show, values
from unpuzzle_cli.errors import CommandError, UsageError
from unpuzzle_cli.group import FLAGS, FilteredCommand
from unpuzzle_cli.session import Choice

READS = ("GET", "HEAD")
REDIRECTION = 3
METHODS = (*READS, "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Pairs = list[str] | None


class ApiCommand(FilteredCommand):
    """The method may be absent, as gh has it: then it is GET."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(args=[*args])
        alone = isinstance(given.get("method"), str) and not isinstance(given.get("path"), str)
        return super().parse_args(ctx, ["GET", *args] if alone and given["method"].upper() not in METHODS else args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[method]", "<path>", FLAGS]


def send(
    context: typer.Context,
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE; GET if absent.")],
    path: Annotated[str, typer.Argument(help="Such as /api/v1/courses/, or courses/ for short.")],
    text: Annotated[Pairs, typer.Option("--raw-field", "-f", metavar="KEY=VALUE", help="A text.")] = None,
    typed: Annotated[
        Pairs,
        typer.Option("--field", "-F", metavar="KEY=VALUE", help="JSON where it is JSON, what is in `@file`, else text."),
    ] = None,
    header: Annotated[Pairs, typer.Option("--header", "-H", metavar="NAME:VALUE", help="A header.")] = None,
    body: Annotated[str, typer.Option("--input", metavar="FILE", help="The JSON body, from a file or `-`.")] = "",
    paginate: Annotated[bool, typer.Option("--paginate", help="Every result of a list, over all pages.")] = False,
    include: Annotated[bool, typer.Option("--include", "-i", help="Show the status and the headers too.")] = False,
) -> None:
    """Send any request and print what comes back.

    The fields are the query of a GET, else the body; with --input they are the query. --jq and --template see all pages as one
    list; an error is shown as it comes.
    """
    if paginate and method.upper() not in READS:
        raise UsageError("--paginate is for GET.")
    fields = {**dict(map(values.pair, text or [])), **{key: values.typed(value) for key, value in map(values.pair, typed or [])}}
    arguments: dict[str, Any] = {"headers": dict(map(_header, header or []))}
    if body:
        arguments["json"] = _json_in(body)
    if fields:
        arguments["params" if body or method.upper() in READS else "json"] = fields
    shape = show.Shape.of(context)
    with Choice.of(context).client() as client:
        answer = client.raw.request(method, _on_the_server(path, client.base_url), **arguments)
        if include:
            console.say("\n".join(_head(answer)))
        if paginate and answer.status_code < 400:
            shape.say(_all_results(client, answer, arguments["headers"]))
        else:
            _show(answer, shape if answer.status_code < 400 else show.Shape())
        answer.raise_for_status()
    if "location" in answer.headers and answer.status_code // 100 == REDIRECTION and not include:
        raise CommandError(f"The server leads on to {answer.headers['location']}.", "See the whole answer: --include")


def _head(answer: Any) -> list[str]:
    return [f"HTTP {answer.status_code}", *(f"{name}: {value}" for name, value in sorted(answer.headers.items())), ""]


def _show(answer: Any, shape: show.Shape) -> None:
    if isinstance(answer.parsed, (dict, list)):
        shape.say(answer.parsed)
    elif answer.content:
        console.say_bytes(answer.content)


def _all_results(client: Any, answer: Any, headers: dict[str, str]) -> list[Any]:
    page = answer.parsed
    results = [*_results(page)]
    while page.get("next"):
        page = client.request("GET", _next(page["next"], client.base_url), headers=headers)
        results += _results(page)
    return results


def _results(page: Any) -> list[Any]:
    found = page.get("results") if isinstance(page, dict) else None
    if isinstance(found, list):
        return found
    raise CommandError("This is not a list of pages: --paginate is for those.")


def _on_the_server(path: str, base_url: str) -> str:
    """The whole path. The token must not go to any other server."""
    found = "/" + path.removeprefix(f"{base_url}/") if path.startswith(f"{base_url}/") else path
    if "://" in found.partition("?")[0] or found.startswith("//"):
        raise UsageError(f"{path} is not on {base_url}.", "Choose the server with --base-url, and give the path alone")
    return found if found.startswith("/") else f"/api/v1/{found}"


def _next(url: str, base_url: str) -> str:
    """The next page on the server that gave this one, by whatever name it calls itself."""
    parts = urlsplit(url)
    return f"{parts.path.removeprefix(urlsplit(base_url).path)}?{parts.query}"


def _header(line: str) -> tuple[str, str]:
    name, separator, value = line.partition(":")
    if not separator:
        # Said without the line, which may hold a secret.
        raise UsageError("A header is not of the form Name: value.", "Such as: -H 'If-Match: *'")
    return name.strip(), value.strip()


def _json_in(source: str) -> Any:
    try:
        return values.parsed(values.content("-" if source == "-" else f"@{source}"))
    except ValueError as error:
        raise UsageError(f"The input is not JSON: {error}") from None
