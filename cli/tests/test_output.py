"""What is printed, and where: tables for people, lines for programs, JSON on request."""

import json
import re
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from loopback import Reply
from rich.cells import cell_len

from unpuzzle_cli import show

PYTHON = "introduction-to-python-programming"


def course(examples: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**examples["CoursePage"]["results"][0], **changes}


def page(examples: dict[str, Any], *courses: dict[str, Any], **changes: Any) -> Reply:
    return Reply(200, {**examples["CoursePage"], "count": len(courses), "next": None, "results": list(courses), **changes})


def test_a_pipe_gets_lines_with_tabs_and_times_as_the_server_writes_them(unpuzzle: Any) -> None:
    shown = unpuzzle("courses", "list")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.split("\t")[:3] == ["b6b28414-328b-5b14-930c-0a8320288e81", PYTHON, "Introduction to Python Programming"]
    assert unpuzzle("courses", "list", "--fields", "slug,published_at").stdout == f"{PYTHON}\t2026-01-05T00:00:00Z\n"


def test_a_line_stays_a_line(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.script = [page(examples, course(examples, title="Two\nlines\tand a tab"))]
    assert unpuzzle("courses", "list", "--fields", "title,price").stdout == "Two lines and a tab\t49.99\n"


def test_an_empty_list_is_no_error(unpuzzle: Any, terminal: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: page(examples)
    assert unpuzzle("courses", "list").stdout == ""
    assert "0 in all" in terminal("courses", "list")[0]


def test_json_is_the_whole_answer(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    answer = page(examples, course(examples), count=57, next="http://x/?page=2").json
    stand_in.script = [Reply(200, answer)]
    assert json.loads(unpuzzle("courses", "list", "--json", "--limit", "1").stdout) == answer
    stand_in.respond = lambda _: Reply(200, examples["Course"])
    assert json.loads(unpuzzle("courses", "get", PYTHON, "--json").stdout) == examples["Course"]


def test_json_with_fields_has_only_these(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    for asked in (["--json", "id,instructor.name"], ["--json", "--fields", "id,instructor.name"]):
        found = json.loads(unpuzzle("courses", "list", *asked).stdout)
        assert found == [{"id": "b6b28414-328b-5b14-930c-0a8320288e81", "instructor.name": "Jane Smith"}]
    stand_in.respond = lambda _: Reply(200, examples["Course"])
    assert json.loads(unpuzzle("courses", "get", PYTHON, "--json", "price").stdout) == {"price": 49.99}


def test_a_field_that_is_not_there_is_told_with_those_that_are(unpuzzle: Any) -> None:
    shown = unpuzzle("courses", "list", "--fields", "colour")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "There is no field colour." in shown.stderr
    assert "slug" in shown.stderr


@pytest.mark.parametrize("asked", ["--json=nope", "--fields=nope", "--json=nope.name"])
def test_a_field_that_no_answer_has_is_refused_before_anything_is_sent(unpuzzle: Any, stand_in: Any, asked: str) -> None:
    for command in (
        ["courses", "create", "--title", "x", "--category-id", "x", "--description", "x", "--difficulty", "beginner"],
        ["courses", "list", "--search", "zzzz"],
        ["media", "upload", __file__],
        ["config", "list"],
    ):
        shown = unpuzzle(*command, asked)
        assert (shown.returncode, shown.stdout) == (2, "")
        assert "There is no field nope" in shown.stderr
    assert stand_in.received == []


def test_a_field_that_is_missed_when_the_answer_is_there_has_failed_and_was_not_misunderstood(unpuzzle: Any) -> None:
    shown = unpuzzle("courses", "list", "--json", "instructor.nope")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "There is no field instructor.nope" in shown.stderr


def test_what_the_server_adds_later_is_shown(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.script = [page(examples, course(examples, mood="happy"))]
    assert unpuzzle("courses", "list", "--jq", ".results[0].mood").stdout == "happy\n"


def test_a_single_resource_is_aligned_on_a_terminal_and_tabbed_in_a_pipe(
    unpuzzle: Any, terminal: Any, stand_in: Any, examples: dict[str, Any]
) -> None:
    stand_in.respond = lambda _: Reply(200, examples["Course"])
    lines = unpuzzle("courses", "get", PYTHON).stdout.splitlines()
    assert f"slug\t{PYTHON}" in lines
    assert "category.name\tProgramming" in lines
    seen = terminal("courses", "get", PYTHON)[0]
    assert re.search(rf"^slug +{PYTHON}\r?$", seen, re.MULTILINE)


def test_lists_inside_are_tables_on_a_terminal(terminal: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(200, examples["Curriculum"])
    seen = terminal("courses", "get-curriculum", PYTHON)[0]
    assert "TITLE" in seen
    assert "Getting Started" in seen


def test_lists_inside_of_lists_are_tables_too_if_they_hold_things(terminal: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(200, examples["LearningCourse"])
    seen = terminal("learning", "get-course", PYTHON, columns=140)[0]
    assert "Getting Started: lessons" in seen
    assert "3b0f6c1d-2a4e-4f7b-8c9d-0e1f2a3b4c5d  Introduction" in seen
    assert "Introduction: watched" not in seen


@pytest.mark.parametrize(
    ("page", "command", "names", "hidden"),
    [
        ("StudentCoursePage", ["learning", "list-courses"], "COURSE.SLUG STATUS PROGRESS.PERCENTAGE", "ENROLLMENT_ID"),
        ("EnrollmentPage", ["enrollments", "list"], "ENROLLMENT_ID COURSE STATUS PROGRESS_PERCENTAGE", "CERTIFICATE"),
        ("ReflectionPage", ["reflections", "list"], "ID CONTENT LESSON TYPE", "LESSON_ID"),
        ("ReviewPage", ["courses", "list-reviews", PYTHON], "ID COMMENT USER RATING", "COURSE_ID"),
        ("NotificationPage", ["notifications", "list"], "ID TITLE MESSAGE TYPE IS_READ", "READ_AT"),
    ],
)
def test_a_list_shows_what_to_type_next_then_names_and_texts_and_no_other_ids_nor_empty_columns(
    terminal: Any, stand_in: Any, examples: dict[str, Any], page: str, command: list[str], names: str, hidden: str
) -> None:
    stand_in.respond = lambda _: Reply(200, examples[page])
    shown = terminal(*command, columns=140, NO_COLOR="1")[0].splitlines()[0].split()
    assert " ".join(shown).startswith(names)
    assert hidden not in shown


def test_a_pipe_gets_the_fields_of_objects_without_a_name(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(200, examples["StudentCoursePage"])
    (item,) = examples["StudentCoursePage"]["results"]
    fields = [item["course"]["slug"], item["course"]["title"], item["status"], str(item["progress"]["percentage"])]
    assert unpuzzle("learning", "list-courses").stdout.split("\t")[:4] == fields


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_a_table_fits_the_terminal(terminal: Any, stand_in: Any, examples: dict[str, Any], columns: int) -> None:
    stand_in.respond = lambda _: page(examples, course(examples, title="A very long title of a course " * 5))
    seen, code = terminal("courses", "list", columns=columns)
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in seen.splitlines()]
    assert code == 0
    assert max(map(len, lines)) <= columns
    assert "1 in all" in seen


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_what_names_an_item_to_the_next_command_is_never_cut(
    terminal: Any, stand_in: Any, examples: dict[str, Any], columns: int
) -> None:
    stand_in.respond = lambda _: page(examples, course(examples, slug="jazz-harmony-voicings-and-reharmonisation"))
    seen = terminal("courses", "list", columns=columns)[0]
    assert "jazz-harmony-voicings-and-reharmonisation" in seen
    assert "TITLE" in seen
    stand_in.respond = lambda _: Reply(200, examples["CategoryPage"])
    assert examples["CategoryPage"]["results"][0]["id"] in terminal("courses", "list-categories", columns=columns)[0]


def test_columns_that_were_asked_for_are_all_there(terminal: Any) -> None:
    seen = terminal("courses", "list", "--fields", "id,slug,title,published_at", columns=60)[0]
    assert "PUBLISHED_AT" in seen.replace("\r\n", "")


def test_times_are_relative_for_people(terminal: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    moment = (datetime.now(UTC) - timedelta(days=3, minutes=5)).isoformat()
    stand_in.respond = lambda _: page(examples, course(examples, published_at=moment))
    assert "3 days ago" in terminal("courses", "list", "--fields", "published_at")[0]


def test_a_terminal_that_tells_no_width_has_a_usual_one(terminal: Any) -> None:
    for columns, changes in ((100, {"COLUMNS": "0"}), (0, {})):
        seen, code = terminal("courses", "list", columns=columns, **changes)
        assert (code, PYTHON in seen, "TITLE" in seen) == (0, True, True)


def test_a_dumb_terminal_gets_text(terminal: Any) -> None:
    for arguments in (["courses", "list"], ["courses", "--help"]):
        assert "\x1b" not in terminal(*arguments, TERM="dumb")[0]


def test_no_color_is_obeyed(terminal: Any) -> None:
    assert "\x1b[1m" in terminal("courses", "list")[0]
    assert "\x1b" not in terminal("courses", "list", NO_COLOR="1")[0]


def test_what_a_server_says_can_not_command_the_terminal(terminal: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    evil = "Red \x1b[31m \x9b2J \u202eback \x07"
    stand_in.respond = lambda _: Reply(200, {**examples["Course"], "title": evil})
    aligned, as_json = (terminal("courses", "get", PYTHON, *more)[0] for more in ([], ["--json"]))
    assert not re.search("\x1b\\[31m|\x9b|\u202e|\x07", aligned + as_json)
    assert json.loads(as_json)["title"] == evil


def test_pages_are_fetched_until_there_are_enough(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    def answer(received: Any) -> Reply:
        number, size = int(received.query.get("page", ["1"])[0]), int(received.query["page_size"][0])
        slugs = [f"course-{index}" for index in range((number - 1) * size, min(number * size, 250))]
        more = "http://x/?page=2" if number * size < 250 else None
        return page(examples, *(course(examples, slug=slug) for slug in slugs), count=250, next=more, page=number)

    stand_in.respond = answer
    only = ["courses", "list", "--fields", "slug"]
    assert len(unpuzzle(*only).stdout.splitlines()) == 20
    assert len(unpuzzle(*only, "--limit", "150").stdout.splitlines()) == 150
    assert len(unpuzzle(*only, "--all").stdout.splitlines()) == 250
    assert unpuzzle(*only, "--page", "2", "--page-size", "3").stdout.split() == ["course-3", "course-4", "course-5"]
    assert len(json.loads(unpuzzle(*only, "--all", "--json").stdout)) == 250
    assert unpuzzle("courses", "list", "--all", "--json", "slug", "--jq", "length").stdout == "250\n"
    assert unpuzzle(*only, "--page", "2", "--all").returncode == 2


def test_a_person_is_told_that_there_is_more(terminal: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: page(examples, course(examples), count=57)
    assert "1 of 57. All of them: --all" in terminal("courses", "list", "--limit", "1")[0]


def test_talk_goes_to_stderr_and_can_be_silenced(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(200, examples["OwnCourseResult"])
    loud = unpuzzle("courses", "publish", "x")
    assert loud.stderr == examples["OwnCourseResult"]["message"] + "\n"
    assert examples["OwnCourseResult"]["message"] not in loud.stdout
    assert unpuzzle("--quiet", "courses", "publish", "x").stderr == ""
    assert unpuzzle("courses", "publish", "x", "--quiet").stderr == ""


def test_a_reader_that_has_enough_is_no_error(start: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: page(examples, *(course(examples, title="x" * 1000) for _ in range(100)))
    with start("courses", "list", "--json") as process:
        process.stdout.read(10)
        process.stdout.close()
        assert (process.stderr.read(), process.wait(20)) == (b"", 0)


def test_an_interrupted_command_ends_without_a_word(start: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: time.sleep(2) or Reply(500)
    with start("courses", "list") as process:
        while not stand_in.received:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10) == (b"", b"")
        assert process.returncode == -signal.SIGINT


def test_a_file_goes_to_stdout_or_to_a_file(unpuzzle: Any, start: Any, terminal: Any, stand_in: Any, tmp_path: Any) -> None:
    stand_in.respond = lambda _: Reply(200, content=b"openapi: \xff", headers={"Content-Type": "application/yaml"})
    kept = tmp_path / "contract.yaml"
    assert unpuzzle("system", "openapi-yaml", "--output", str(kept)).stdout == ""
    assert kept.read_bytes() == b"openapi: \xff"
    with start("system", "openapi-yaml", "--output", "-") as process:
        assert process.communicate()[0] == b"openapi: \xff"
    seen, code = terminal("system", "openapi-yaml")
    assert ("--output FILE" in seen, code) == (True, 1)


def test_an_encoding_without_a_character_is_no_crash(start: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: page(examples, course(examples, title="Größe 木"))
    with start("courses", "list", "--fields", "title", PYTHONIOENCODING="latin-1:strict", PYTHONUTF8="0") as process:
        assert process.communicate() == ("Größe \\u6728\n".encode("latin-1"), b"")
        assert process.returncode == 0


@pytest.mark.parametrize(
    "changes",
    [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["latin-1", "C"],
)
def test_a_terminal_without_a_character_shows_an_escape_in_tables_too(
    terminal: Any, stand_in: Any, examples: dict[str, Any], changes: dict[str, str]
) -> None:
    stand_in.respond = lambda _: page(examples, course(examples, title="木"))
    seen, code = terminal("courses", "list", **changes)
    assert (code, "\\u6728" in seen, "1 in all" in seen) == (0, True, True)
    assert terminal("courses", "list", "--help", **changes)[1] == 0


def test_a_stream_that_is_closed_is_no_terminal_and_no_crash(line: Any) -> None:
    assert line("unpuzzle courses list >&-") == (0, "")
    assert line("unpuzzle --version >&-") == (0, "")
    code, said = line("unpuzzle auth delete-account <&-")
    assert (code, "--yes" in said, "Traceback" in said) == (2, True, False)
    assert line("unpuzzle nothing 2>&-") == (2, "")


@pytest.mark.parametrize("command", ["--version", "--help", "courses list"])
def test_a_full_disk_is_told_once_and_a_reader_that_has_enough_is_no_error(line: Any, command: str) -> None:
    code, said = line(f"unpuzzle {command} >/dev/full")
    assert (code, said) == (1, "unpuzzle: No space left on device\n")
    assert line(f"unpuzzle {command} | true") == (0, "")


def test_wide_characters_take_two_cells() -> None:
    from rich.cells import cell_len

    from unpuzzle_cli.tables import Column, lines

    columns = [Column("title", ["木" * 40, "short"], cuttable=True), Column("price", ["9.90", "120.00"], numeric=True)]
    shown = [line.plain for line in lines(columns, 40)]
    assert max(map(cell_len, shown)) <= 40
    assert shown[1].endswith("木…     9.90")
    assert shown[2].endswith("  120.00")


def test_a_dumb_terminal_has_its_width_too(terminal: Any) -> None:
    seen, _ = terminal("courses", "list", columns=40, TERM="dumb")
    assert all(len(line) <= 40 for line in seen.splitlines())


def test_a_number_is_money_where_there_is_a_currency() -> None:
    item = {"currency": "USD", "total": 2, "discount.discount_amount": 10, "gross": 1173}
    assert [show._cell_of(item, name) for name in item] == ["USD", "2.00", "10.00", "1,173.00"]
    assert show._cell_of({"total": 2}, "total") == "2"


def test_an_answer_of_text_ends_its_line_on_a_terminal(terminal: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: Reply(502, content=b"<html>Bad Gateway</html>")
    assert terminal("api", "courses/")[0].startswith("<html>Bad Gateway</html>\r\nunpuzzle: ")


def test_long_texts_are_wrapped_by_cells_and_addresses_stay_whole(terminal: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    address = f"https://cdn.example.com/{'x' * 80}"
    told = {**examples["Course"], "description": "漢字かな交じり文 " * 10, "thumbnail_url": address}
    stand_in.respond = lambda _: Reply(200, told)
    seen, _ = terminal("courses", "get", PYTHON, "--fields", "description,thumbnail_url", columns=60)
    assert all(cell_len(line) <= 60 for line in seen.splitlines() if address not in line)
    assert f"thumbnail_url  {address}\r\n" in seen


def test_a_message_that_was_sent_is_data_and_no_talk(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(201, examples["Announcement"])
    told = unpuzzle("enrollments", "announce", "b6b28414-328b-5b14-930c-0a8320288e81", "--title", "t", "--message", "hello")
    assert (told.returncode, told.stderr, "\nmessage\tWe meet" in told.stdout) == (0, "", True)
