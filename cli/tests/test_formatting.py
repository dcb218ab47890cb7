"""`--json`, `--jq` and `--template`, as one knows them from gh."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from loopback import Reply, error

PYTHON = "introduction-to-python-programming"
BOTH = ["--jq", ".count", "--template", "{{ count }}"]


def test_the_word_behind_json_is_its_fields_unless_an_argument_is_missing(
    unpuzzle: Any, stand_in: Any, examples: dict[str, Any]
) -> None:
    assert unpuzzle("courses", "list", "--json", "slug").stdout == f'[{{"slug": "{PYTHON}"}}]\n'
    stand_in.respond = lambda _: Reply(200, examples["Course"])
    for words in ([PYTHON, "--json", "slug"], ["--json", "slug", PYTHON], ["--json=slug", PYTHON]):
        assert json.loads(unpuzzle("courses", "get", *words).stdout) == {"slug": PYTHON}
    assert json.loads(unpuzzle("courses", "get", "--json", PYTHON).stdout) == examples["Course"]
    assert {each.path for each in stand_in.received[1:]} == {f"/api/v1/courses/{PYTHON}/"}


def test_jq_filters_what_json_would_print_and_implies_it(unpuzzle: Any) -> None:
    assert unpuzzle("courses", "list", "--jq", ".count").stdout == "1\n"
    assert unpuzzle("courses", "list", "--json", "slug,price", "--jq", ".[] | .slug, .price").stdout == f"{PYTHON}\n49.99\n"
    assert unpuzzle("courses", "list", "--jq", '.results[0].category, .next, "a\\u001bb"').stdout.splitlines()[1:] == [
        "",
        "a\ufffdb",
    ]


def test_an_empty_expression_changes_nothing(unpuzzle: Any) -> None:
    assert unpuzzle("courses", "list", "--jq", "").stdout == unpuzzle("courses", "list", "--json").stdout


def test_any_answer_can_be_filtered_whatever_made_it(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.script = [
        Reply(200, {"results": [1, 2], "next": "https://elsewhere.example/api/v1/courses/?page=2"}),
        Reply(200, {"results": [3], "next": None}),
    ]
    assert unpuzzle("api", "GET", "courses/", "--paginate", "--jq", "add").stdout == "6\n"
    stand_in.respond = lambda _: error(404, "NOT_FOUND")
    refused = unpuzzle("api", "GET", "nothing/", "--jq", ".x")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (5, "NOT_FOUND")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--jq", ".results[] | {"], "line 1, column 14"),
        (["--jq", ".a | nothing(1)"], "nothing/1 is not defined, line 1, column 6"),
        (["--template", "a\n{% if %}"], "--template, line 2:"),
        (["--template", "{{ count | colour }}"], "No filter named 'colour'"),
        (["--template", "@/not/there"], "/not/there can't be read"),
        (BOTH, "do not go together"),
    ],
)
def test_an_expression_that_can_not_be_read_says_where_and_sends_nothing(
    unpuzzle: Any, stand_in: Any, given: list[str], said: str
) -> None:
    refused = unpuzzle("courses", "list", *given)
    assert (refused.returncode, refused.stdout, stand_in.received) == (2, "", [])
    assert said in refused.stderr


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["--jq", ".count[]"], 1, "Cannot iterate over number"),
        (["--template", "{{ colour }}"], 1, "There are: this, count, "),
        (["--template", "{{ count | color('mauve') }}"], 1, "there is no colour mauve"),
        (["--template", "{{ results | pluck('nope') }}"], 1, "there is no field nope in every item"),
        (["--template", "{{ 'a' | color(5) }}"], 1, "there is no colour 5"),
        (["--template", "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}"], 1, "--template: maximum recursion"),
        (["--template", "{{ ''.__class__.__mro__ }}"], 1, "unsafe"),
    ],
)
def test_an_expression_that_fails_on_the_answer_says_why(unpuzzle: Any, given: list[str], code: int, said: str) -> None:
    refused = unpuzzle("courses", "list", *given)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert said in refused.stderr


def test_a_template_has_the_fields_and_the_whole(unpuzzle: Any, tmp_path: Path) -> None:
    assert unpuzzle("courses", "list", "--template", "{{ count }} {{ this.results | length }}").stdout == "1 1\n"
    asked = ["courses", "list", "--json", "slug,title", "--template"]
    assert unpuzzle(*asked, "{{ this | pluck('slug') | join(', ') }}").stdout == f"{PYTHON}\n"
    (tmp_path / "line.j2").write_text("{% for each in this %}\n{{ each.title | truncate(12) }}\n{% endfor %}")
    assert unpuzzle(*asked, f"@{tmp_path}/line.j2").stdout == "Introductio…\n"


def test_a_template_never_writes_a_method_in_the_place_of_a_field(unpuzzle: Any) -> None:
    """Whoever goes over an object goes over its keys, which are texts and have methods."""
    result = unpuzzle("courses", "list", "--template", "{% for each in this %}{{ each.title }}{% endfor %}")
    assert (result.returncode, result.stdout) == (1, "")
    assert "title is no field here: the items of a list are in this.results" in result.stderr


def test_rows_of_a_template_are_a_table_on_a_terminal_and_tabs_in_a_pipe(unpuzzle: Any) -> None:
    row = "{{ tablerow(each.slug | autocolor('green'), each.price) }}"
    rows = f"{{{{ tablerow('SLUG', 'PRICE') }}}}{{% for each in results %}}{row}{{% endfor %}}"
    assert unpuzzle("courses", "list", "--template", rows).stdout == f"SLUG\tPRICE\n{PYTHON}\t49.99\n"
    seen = unpuzzle("courses", "list", "--template", rows, screen=True).stdout
    assert f"\x1b[32m{PYTHON}\x1b[0m  49.99" in seen
    assert re.search(r"^SLUG {32}PRICE$", seen, re.MULTILINE)
    assert "\x1b" not in unpuzzle("courses", "list", "--template", rows, screen=True, NO_COLOR="1").stdout


def test_times_and_links_of_a_template(unpuzzle: Any) -> None:
    asked = ["courses", "list", "--template"]
    moment = "{{ results[0].published_at | timefmt('%d.%m.%Y') }}"
    assert unpuzzle(*asked, moment + " {{ results[0].published_at | timeago }}").stdout.startswith("05.01.2026 ")
    link = "{{ 'https://example.com' | hyperlink('there') }}"
    assert unpuzzle(*asked, link).stdout == "there\n"
    assert "\x1b]8;;https://example.com\x1b\\there\x1b]8;;\x1b\\" in unpuzzle(*asked, link, screen=True).stdout


def test_what_a_server_says_can_not_command_the_terminal_by_a_template(
    unpuzzle: Any, stand_in: Any, examples: dict[str, Any]
) -> None:
    stand_in.respond = lambda _: Reply(200, {**examples["Course"], "title": "Red \x1b[31m \x9b2J"})
    for asked in (["--template", "{{ title }}"], ["--jq", ".title"], ["--jq", "{title}"]):
        assert not re.search("\x1b\\[31m|\x9b", unpuzzle("courses", "get", PYTHON, *asked, screen=True).stdout)


def test_the_help_of_a_command_lists_the_fields_of_its_answer(unpuzzle: Any, examples: dict[str, Any]) -> None:
    shown = unpuzzle("courses", "get", "--help").stdout.partition("JSON fields:")[2]
    assert set(examples["Course"]) <= set(shown.replace(",", "").split())


def test_fields_are_completed_one_behind_another(unpuzzle: Any, stand_in: Any) -> None:
    asked = {"_UNPUZZLE_COMPLETE": "complete_bash", "COMP_WORDS": "unpuzzle courses get x --json title,pri", "COMP_CWORD": "5"}
    assert unpuzzle(**asked).stdout.split() == ["title,price"]
    assert stand_in.received == []
