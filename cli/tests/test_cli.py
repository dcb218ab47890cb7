"""The command line, run as a process against a running server: what it prints, where, and how it ends."""

import json
import os
import pty
import re
import select
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import PASSWORD, Api, Person, Server

COMMAND = [sys.executable, "-c", "import sys; sys.argv[0] = 'unpuzzle'; from unpuzzle_cli.main import run; run()"]
CONTRACT = yaml.safe_load((Path(__file__).parents[2] / "openapi" / "unpuzzle.yaml").read_bytes())

Unpuzzle = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(server: Server, tmp_path: Path) -> dict[str, str]:
    own = {"UNPUZZLE_BASE_URL": server.base_url, "UNPUZZLE_CONFIG_DIR": str(tmp_path / "config"), "UNPUZZLE_NO_KEYRING": "1"}
    return {**os.environ, **own, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "120"}


@pytest.fixture
def unpuzzle(environment: dict[str, str]) -> Unpuzzle:
    def run(*arguments: str, stdin: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env={**environment, **changes},
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def signed_in(unpuzzle: Unpuzzle, instructor: Person) -> Person:
    outcome = unpuzzle("auth", "login", "--email", instructor.email, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert outcome.returncode == 0, outcome.stderr
    return instructor


def on_a_terminal(environment: dict[str, str], *arguments: str, typed: str = "") -> tuple[str, int]:
    """What a person sees who runs a command."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    seen = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the terminal is gone with its last process
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    return seen.decode(), process.wait(30)


def operations() -> Iterator[dict[str, Any]]:
    for item in CONTRACT["paths"].values():
        for method in ("get", "put", "post", "patch", "delete"):
            if method in item:
                yield item[method]


def commands_of(tag: str) -> dict[str, Any]:
    from typer.main import get_command

    from unpuzzle_cli.tree import app

    found: dict[str, Any] = get_command(app).commands[tag].commands  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("operation", list(operations()), ids=lambda operation: operation["operationId"])
def test_every_operation_has_a_command_with_every_field_of_its_body(operation: dict[str, Any]) -> None:
    tag, verb = operation["operationId"].split(".")
    command = commands_of(tag)[verb.replace("_", "-")]
    options = {option for parameter in command.params for option in parameter.opts}
    if "requestBody" in operation:
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        for field in CONTRACT["components"]["schemas"][name]["properties"]:
            spelled = "--" + field.replace("_", "-")
            assert spelled in options or f"{spelled}-stdin" in options


def test_the_commands_are_those_that_the_contract_makes(tmp_path: Path) -> None:
    commands = Path(__file__).parents[1] / "unpuzzle_cli" / "commands"
    before = {path.name: path.read_bytes() for path in commands.glob("*.py")}
    subprocess.run([sys.executable, str(Path(__file__).parents[1] / "codegen" / "generate.py")], check=True)
    assert {path.name: path.read_bytes() for path in commands.glob("*.py")} == before


def test_the_version_needs_neither_the_sdk_nor_rich() -> None:
    code = "import sys; sys.argv = ['unpuzzle', '--version']; from unpuzzle_cli.main import run; run(); print(*sys.modules)"
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path).stdout
    assert printed.startswith("unpuzzle 1.0.0\n")
    assert not {"httpx", "rich", "typer", "unpuzzle_sdk", "keyring"} & set(printed.split())


def test_a_pipe_gets_lines_with_tabs(unpuzzle: Unpuzzle, instructor: Person) -> None:
    category = instructor.api.category()
    course = instructor.published_course(title="Piped", price=12.5, category_id=category["id"])
    outcome = unpuzzle("courses", "list", "--category", category["slug"])
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines()[0].split("\t")[:3] == [course["id"], course["slug"], "Piped"]
    chosen = unpuzzle("courses", "list", "--category", category["slug"], "--fields", "title,published_at").stdout
    title, published = chosen.strip().split("\t")
    assert (title, published[:10]) == ("Piped", course["published_at"][:10])


def test_json_is_the_whole_answer_and_money_is_a_number(unpuzzle: Unpuzzle, instructor: Person) -> None:
    course = instructor.published_course(price=12.5)
    whole = json.loads(unpuzzle("courses", "get", course["id"], "--json").stdout)
    assert whole.keys() == instructor.api.get(f"/api/v1/courses/{course['id']}/").json().keys()
    assert whole["price"] == 12.5
    assert json.loads(unpuzzle("courses", "get", course["id"], "--json", "--fields", "slug").stdout) == {"slug": course["slug"]}


def test_a_list_ends_at_its_limit_or_goes_through_all_pages(unpuzzle: Unpuzzle, instructor: Person, signed_in: Person) -> None:
    for _ in range(3):
        signed_in.course()
    assert len(unpuzzle("courses", "list-own", "--limit", "2").stdout.splitlines()) == 2
    assert len(unpuzzle("courses", "list-own", "--all").stdout.splitlines()) == 3


def test_a_terminal_gets_a_table_and_a_word_on_how_many(environment: dict[str, str], instructor: Person) -> None:
    category = instructor.api.category()
    instructor.published_course(title="Tabled", category_id=category["id"])
    seen, code = on_a_terminal(environment, "courses", "list", "--category", category["slug"])
    assert code == 0
    assert "TITLE" in seen
    assert "Tabled" in seen
    assert "1 in all" in seen
    lines = [re.sub("\u001b\\[[0-9;]*m", "", line) for line in seen.splitlines()]
    assert max(len(line) for line in lines) <= 120


def test_what_a_server_says_can_not_command_the_terminal(environment: dict[str, str], instructor: Person) -> None:
    course = instructor.published_course(title="Red \u001b[31m alert \u0007")
    seen, _ = on_a_terminal(environment, "courses", "get", course["id"])
    assert "\u001b[31m alert" not in seen
    assert "\u0007" not in seen


def test_writing_a_course_from_the_command_line(unpuzzle: Unpuzzle, signed_in: Person, tmp_path: Path) -> None:
    article = tmp_path / "article.html"
    article.write_text("<p>From a file</p>")
    made = json.loads(
        unpuzzle("courses", "create", "--title", "Typed", "--price", "9.99", "--tags", "a", "--tags", "b", "--json").stdout
    )
    assert (made["price"], made["tags"]) == (9.99, ["a", "b"])
    section = json.loads(unpuzzle("content", "create-section", made["id"], "--title", "One", "--is-published", "--json").stdout)
    lesson = unpuzzle("content", "create-lesson", section["id"], "--title", "L", "--body", f"@{article}", "--json")
    assert json.loads(lesson.stdout)["body"] == "<p>From a file</p>"
    cleared = json.loads(unpuzzle("courses", "update", made["id"], "--price", "null", "--json").stdout)
    assert cleared["price"] is None
    refused = unpuzzle("courses", "publish", made["id"])
    assert refused.returncode == 1
    assert {"description", "category_id", "price"} <= {line.strip().split(":")[0] for line in refused.stderr.splitlines()}


def test_talk_goes_to_stderr_and_can_be_silenced(unpuzzle: Unpuzzle, signed_in: Person) -> None:
    loud = unpuzzle("courses", "create", "--title", "Loud")
    assert "Course created successfully" in loud.stderr
    assert "Course created successfully" not in loud.stdout
    assert unpuzzle("--quiet", "courses", "create", "--title", "Quiet").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["auth", "get-profile"], 4, "unpuzzle auth login"),
        (["courses", "get", "nothing-of-this-name"], 5, "COURSE_NOT_FOUND"),
        (["courses", "list", "--sort", "colour"], 1, "sort: must be one of"),
        (["courses", "list", "--limit", "x"], 2, "--limit"),
        (["courses", "nonsense"], 2, "No such command"),
        (["config", "set", "colour", "red"], 2, "base_url"),
        (["api", "GET", "nothing/"], 5, "NOT_FOUND"),
        (["api", "POST", "auth/signin/", "-f", "email"], 2, "key=value"),
        (["auth", "login", "--email", "x@example.com"], 2, "--password-stdin"),
    ],
)
def test_an_error_says_what_and_what_to_type_next(unpuzzle: Unpuzzle, arguments: list[str], code: int, said: str) -> None:
    outcome = unpuzzle(*arguments)
    assert (outcome.returncode, outcome.stdout) == (code, "")
    assert said in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_an_error_of_the_server_carries_its_request_id(unpuzzle: Unpuzzle) -> None:
    assert "request id: req_" in unpuzzle("courses", "get", "nothing-of-this-name").stderr


def test_a_server_that_is_not_there_is_one_sentence(unpuzzle: Unpuzzle) -> None:
    outcome = unpuzzle("--base-url", "http://127.0.0.1:1", "courses", "get", "x")
    assert outcome.returncode == 1
    assert "can't be reached" in outcome.stderr


def test_a_wrong_password_is_told_and_never_shown(unpuzzle: Unpuzzle, learner: Person) -> None:
    outcome = unpuzzle("auth", "login", "--email", learner.email, "--password-stdin", stdin="s3cr3t-guess\n")
    assert outcome.returncode == 4
    assert "s3cr3t-guess" not in outcome.stderr


def test_tokens_are_kept_in_a_file_that_only_its_owner_reads(unpuzzle: Unpuzzle, signed_in: Person, tmp_path: Path) -> None:
    kept = list((tmp_path / "config").glob("tokens-*.json"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in kept] == [0o600]
    assert signed_in.email in unpuzzle("auth", "status").stdout
    assert unpuzzle("auth", "logout").returncode == 0
    assert unpuzzle("auth", "status").returncode == 4


def test_a_flag_wins_over_the_environment_and_that_over_the_profile(unpuzzle: Unpuzzle, server: Server) -> None:
    nowhere = "http://127.0.0.1:1"
    unpuzzle("config", "set", "base_url", nowhere)
    assert unpuzzle("config", "get", "base_url").stdout.strip() == nowhere
    assert unpuzzle("system", "info", UNPUZZLE_BASE_URL="").returncode == 1
    assert unpuzzle("system", "info").returncode == 0
    assert unpuzzle("--base-url", nowhere, "system", "info").returncode == 1
    assert unpuzzle("--base-url", server.base_url, "system", "info", UNPUZZLE_BASE_URL=nowhere).returncode == 0
    unpuzzle("config", "unset", "base_url")
    assert unpuzzle("config", "list").stdout == ""


def test_a_token_in_the_environment_is_used(unpuzzle: Unpuzzle, learner: Person) -> None:
    shown = unpuzzle("auth", "get-profile", "--json", UNPUZZLE_TOKEN=learner.tokens["access_token"])
    assert json.loads(shown.stdout)["email"] == learner.email


def test_deleting_asks_first(unpuzzle: Unpuzzle, environment: dict[str, str], signed_in: Person) -> None:
    course = signed_in.course()
    assert unpuzzle("courses", "delete", course["id"]).returncode == 2
    seen, code = on_a_terminal(environment, "courses", "delete", course["id"], typed="n\n")
    assert (code, "Nothing was deleted" in seen) == (1, True)
    assert unpuzzle("courses", "delete", course["id"], "--yes").returncode == 0
    assert signed_in.get(f"/api/v1/instructor/courses/{course['id']}/").status_code == 404


def test_api_sends_anything(unpuzzle: Unpuzzle, signed_in: Person) -> None:
    made = json.loads(
        unpuzzle("api", "POST", "instructor/courses/create/", "-f", "title=Raw", "-F", 'tags=["a"]', "-F", "price=5").stdout
    )
    assert (made["title"], made["tags"], made["price"]) == ("Raw", ["a"], 5)
    body = json.dumps({"title": "Piped in"})
    assert (
        json.loads(unpuzzle("api", "POST", "/api/v1/instructor/courses/create/", "--input", "-", stdin=body).stdout)["title"]
        == "Piped in"
    )
    everything = json.loads(unpuzzle("api", "GET", "instructor/courses/", "-f", "page_size=1", "--paginate").stdout)
    assert [course["title"] for course in everything] == ["Piped in", "Raw"]


def test_a_reader_that_has_enough_is_no_error(environment: dict[str, str], api: Api) -> None:
    command = " ".join(
        f"'{part}'" if " " in part else part for part in ["exec", sys.executable, "-m", "unpuzzle_cli", "system", "openapi-yaml"]
    )
    outcome = subprocess.run(
        ["bash", "-c", f"{command} | head -c 10"], capture_output=True, text=True, env=environment, check=False
    )
    assert (len(outcome.stdout), outcome.stderr) == (10, "")


def test_completion_knows_slugs_and_never_complains(unpuzzle: Unpuzzle, instructor: Person) -> None:
    course = instructor.published_course(title="Completable course of mine")
    asked = {"_UNPUZZLE_COMPLETE": "complete_bash", "COMP_WORDS": "unpuzzle courses get completable", "COMP_CWORD": "3"}
    assert course["slug"] in unpuzzle(**asked).stdout
    silent = unpuzzle(**asked, UNPUZZLE_BASE_URL="http://127.0.0.1:1")
    assert (silent.stdout.strip(), silent.stderr) == ("", "")
