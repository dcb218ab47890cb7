"""What of the site is made and not written: the reference of the SDK and of the command line, and the pages from outside docs/.

A hook of MkDocs (`mkdocs.yml`); mkdocstrings turns each `:::` into the documentation of a class.
"""

import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from click import unstyle
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
SDK = ROOT / "sdk" / "unpuzzle_sdk"
CONTRACT = json.loads((ROOT / "server" / "unpuzzle_server" / "contract.json").read_text(encoding="utf-8"))
ELSEWHERE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that stand where people look for them first."""
OF_THE_SDK = "ad_hoc|answer|call|exchange|page_from|send_elsewhere|stream|from_answer|from_headers|of"
IN_EXAMPLES = """
`client` is an `Unpuzzle` in the examples. With an `AsyncUnpuzzle` the same methods are awaited, and lists and streams are gone
through with `async for`.
"""
CLASS_ONLY = "    options: {members: false}\n"
CORE = {
    "Clients": ["_client.Unpuzzle", "_async_client.AsyncUnpuzzle"],
    "Lists": ["_core.pages.Page", "_core.pages.AsyncPage", "_core.pages.AsyncPager"],
    "Streams": ["_core.sync_stream.Stream", "_core.async_stream.AsyncStream", "_core.events.Event"],
    "Answers": ["_core.response.RawResponse", "_core.response.RateLimit", "_core.unset.Unset"],
    "Sessions": [
        *(f"_core.auth.{name}" for name in ("Tokens", "TokenStore", "MemoryTokenStore", "FileTokenStore")),
        "_core.pkce.PKCE",
    ],
}
REMOTE = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    pages = {section: [*group] for section, group in groupby(reference(), key=lambda page: page[0])}
    config.nav.extend({section: [{title: path} for _, title, path, _ in group]} for section, group in pages.items())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    written = [(path, (ROOT / name).read_text(encoding="utf-8")) for name, path in ELSEWHERE.items()]
    written.append(("sdk/readme.md", (ROOT / "sdk/README.md").read_text(encoding="utf-8")))
    for path, text in [*written, *((path, text) for _, _, path, text in reference())]:
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links hold on the site as they do in the repository."""
    if page.file.src_uri in ELSEWHERE.values():
        markdown = markdown.replace("](docs/", "](")
        for name, path in ELSEWHERE.items():
            markdown = markdown.replace(f"]({name})", f"]({path})")
    return markdown


def on_post_page(output: str, page: Any, **_: Any) -> str:
    if found := REMOTE.search(output):
        raise PluginError(f"{page.file.src_uri} would have readers fetch something from elsewhere: {found.group()}")
    return output


def reference() -> Iterator[tuple[str, str, str, str]]:
    """Each page of the reference: its section, its title, where it is, and its text."""
    yield "Reference", "Client", "reference/client.md", client_page()
    for tag in CONTRACT["tags"]:
        yield "Reference", tag["name"], f"reference/{tag['name']}.md", resource_page(tag["name"])
    yield "Reference", "Errors", "reference/errors.md", errors_page()
    yield "Reference", "Testing", "reference/testing.md", testing_page()
    for letter, names in models().items():
        yield "Models", letter, f"reference/models/{letter.lower()}.md", models_page(letter, names)
    for name, text in command_pages():
        yield "Command line", name, f"reference/cli/{name}.md", text


def client_page() -> str:
    parts = ["# The client\n", f"{IN_EXAMPLES}\n"]
    for title, names in CORE.items():
        parts += [f"## {title}\n", *(entry(f"unpuzzle_sdk.{name}", 3) for name in names)]
    return "\n".join(parts)


def entry(name: str, level: int) -> str:
    """A class of the hand-written core: how it is made, and its members but those that only the SDK itself calls."""
    hidden = f"{OF_THE_SDK}|page" if name.endswith("Unpuzzle") else OF_THE_SDK
    return (
        f"::: {name}\n    options: {{heading_level: {level}, inherited_members: true, merge_init_into_class: true, "
        f"filters: ['!^_', '!^({hidden})$']}}\n"
    )


def resource_page(tag: str) -> str:
    return (
        f"# client.{tag}\n\n::: unpuzzle_sdk.resources.{tag}.{class_name(tag)}\n"
        "    options: {heading_level: 2, inherited_members: true, show_root_heading: false, show_root_toc_entry: false}\n"
    )


def errors_page() -> str:
    schema = CONTRACT["components"]["schemas"]["ErrorCode"]
    meanings, statuses = schema["x-unpuzzle-meanings"], schema["x-unpuzzle-statuses"]
    rows = [
        f"| {status} | `{code}` | [{class_name(code)}][unpuzzle_sdk.errors.{class_name(code)}] | {meanings[code]} |"
        for code, status in sorted(statuses.items(), key=lambda item: (item[1], item[0]))
    ]
    table = "\n".join(["| Status | Code | Class | When |", "| --- | --- | --- | --- |", *rows])
    parts = {
        "The codes": table,
        "By kind and status": module("unpuzzle_sdk._core.errors", "'!^class_of', '!^status_of'"),
        "By code": module("unpuzzle_sdk._error_codes", "'!^BY_CODE'"),
    }
    sections = "\n".join(f"## {title}\n\n{text}\n" for title, text in parts.items())
    return (
        "# Errors\n\nEverything that the SDK raises is an `errors.UnpuzzleError`. "
        f"A code that this version does not know raises the class of its status.\n\n{sections}"
    )


def module(name: str, hidden: str) -> str:
    return (
        f"::: {name}\n    options: {{heading_level: 3, show_root_heading: false, show_root_toc_entry: false, "
        f"filters: ['!^_', {hidden}]}}\n"
    )


def class_name(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("_"))


def testing_page() -> str:
    names = re.findall(r'^    "(\w+)": "\.(\w+)"', (SDK / "testing" / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
    return "# Testing\n\n" + "\n".join(entry(f"unpuzzle_sdk.testing.{module}.{name}", 2) for name, module in names)


def models() -> dict[str, list[tuple[str, str]]]:
    """The models by their first letters: the name of each with its module."""
    text = (SDK / "models" / "__init__.py").read_text(encoding="utf-8")
    found = sorted((name, module) for module, name in re.findall(r"^    from \.(\w+) import (\w+)$", text, re.MULTILINE))
    return {letter: [*names] for letter, names in groupby(found, key=lambda item: item[0][0])}


def models_page(letter: str, names: list[tuple[str, str]]) -> str:
    text = "\n".join(f"::: unpuzzle_sdk.models.{module}.{name}\n{CLASS_ONLY}" for name, module in names)
    return f"# Models: {letter}\n\n{text}"


def command_pages() -> Iterator[tuple[str, str]]:
    """The help of each command, a page for each group."""
    from unpuzzle_cli.tree import app

    for name in app.list_commands(opened(app, "unpuzzle")):
        yield name, "\n".join([f"# unpuzzle {name}\n", *helps(app.commands[name], f"unpuzzle {name}", 2)])


def helps(command: Any, path: str, level: int) -> Iterator[str]:
    context = opened(command, path)
    yield f"```text\n{unstyle(command.get_help(context)).strip()}\n```\n"
    for name, inner in getattr(command, "commands", {}).items():
        yield f"{'#' * level} {name}\n"
        yield from helps(inner, f"{path} {name}", level + 1)


def opened(command: Any, path: str) -> Any:
    return command.make_context(path, [], resilient_parsing=True, terminal_width=86)
