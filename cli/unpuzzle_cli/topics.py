"""`unpuzzle help <topic>`: what holds for every command, each fact from the one place that it has."""

from unpuzzle_cli.errors import EXIT_CODES

ENVIRONMENT = {
    "UNPUZZLE_TOKEN": "A token to sign requests with; it wins over what `unpuzzle auth login` has kept.",
    "UNPUZZLE_API_KEY": "An API key, in the place of a token.",
    "UNPUZZLE_BASE_URL": "The server; `--base-url` wins over it, and it over the profile.",
    "UNPUZZLE_PROFILE": "The profile; `--profile` wins over it.",
    "UNPUZZLE_CONFIG_DIR": "Where settings, aliases and tokens are.",
    "UNPUZZLE_NO_KEYRING": "If set, tokens are kept in a file that only you can read.",
    "UNPUZZLE_LOG": "`info` or `debug` shows requests on stderr, without what is secret.",
    "NO_COLOR": "If set, nothing is coloured or bold.",
    "COLUMNS": "The width of the terminal, where it does not tell it.",
}

FORMATTING = """\
On a terminal answers are tables and aligned values, with relative times. In a pipe they are lines with tabs, and times are
RFC 3339. Data goes to stdout, everything else to stderr.

--fields NAMES chooses the columns of that: `--fields slug,instructor.name`.

--json [FIELDS] prints JSON. Alone it is the whole answer, of a list too: `count`, `next`, `results`. With fields it is these
fields; of a list an array of them. The help of a command lists its fields. The word behind `--json` is its fields unless an
argument of the command is missing.

--jq EXPRESSION filters that JSON, and implies --json. Texts are printed as they are. It sees a list whole, never page by page;
of a stream each event.

  $ unpuzzle courses list --all --json slug,price --jq '.[] | select(.price > 50).slug'
  $ unpuzzle courses list --jq .count

--template TEMPLATE, or @FILE, renders that JSON with Jinja, in a sandbox, and implies --json. The fields of an object are its
variables; `this` is the whole, a list for instance.

  $ unpuzzle courses list --template '{% for each in results %}{{ tablerow(each.slug, each.published_at | timeago) }}{% endfor %}'

Besides what Jinja has (join, length, map, tojson, upper …) there are:

  tablerow(cell, …)       a row of a table, which is shown at the end
  tablerender()           the table so far
  x | autocolor('green')  colour on a terminal; `color` colours always
  x | hyperlink(text)     a link
  x | pluck('name')       a field of every item
  x | timeago             a time as `3 days ago`
  x | timefmt('%d %b')    a time in a form of strftime's
  x | truncate(20)        at most so many cells
"""

VALUES = """\
`null` clears what may be empty. Lists are repeated options; '' is an empty list.

Long texts, JSON and templates are taken from `@file`, or `-` for stdin; so a text that begins with @ comes from stdin.

Times are RFC 3339, such as 2026-01-20T00:00:00Z or 2026-01-20T01:00:00+01:00, and days 2026-01-20.

Objects are `key=value`, repeated, or one JSON object. Lists of objects are `--watched start=0,end=30 --watched start=60,end=90`,
or JSON.

Secrets are asked for, or read from stdin with `--password-stdin`: they never stand on the command line, which others can read.

Questions are asked on a terminal only. Deletions ask first; `--yes` answers them.
"""

LISTS = """\
Lists show the first 20 results. `--limit N` shows more, `--all` all of them, `--page N` and `--page-size N` one page.

What takes several pages shows on a terminal how far it is; Ctrl-C ends it.
"""


def _rows(rows: dict[str, str]) -> str:
    widest = max(map(len, rows))
    return "".join(f"{name:<{widest}}  {about}\n" for name, about in rows.items())


def environment() -> str:
    return _rows(ENVIRONMENT)


def exit_codes() -> str:
    return _rows({str(code): about for code, about in EXIT_CODES.items()})


TOPICS = {
    "environment": ("Environment variables.", environment),
    "exit-codes": ("What a command ends with.", exit_codes),
    "formatting": ("JSON, jq and templates.", lambda: FORMATTING),
    "lists": ("How much of a list is shown.", lambda: LISTS),
    "values": ("How values are given.", lambda: VALUES),
}
