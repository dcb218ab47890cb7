"""The story of a course from the command line, on the real server."""

import json
from typing import Any

import pytest
from browser import Browser, Visitor

from harness import PASSWORD, Person, Server


@pytest.fixture
def environment(environment: dict[str, str], server: Server) -> dict[str, str]:
    return {**environment, "UNPUZZLE_BASE_URL": server.base_url}


@pytest.fixture
def signed_in(unpuzzle: Any, instructor: Person) -> Person:
    outcome = unpuzzle("auth", "login", "--email", instructor.email, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert outcome.returncode == 0, outcome.stderr
    return instructor


def test_a_course_is_written_published_found_and_taken(unpuzzle: Any, signed_in: Person) -> None:
    def answer(*arguments: str) -> Any:
        outcome = unpuzzle(*arguments, "--json")
        assert outcome.returncode == 0, outcome.stderr
        return json.loads(outcome.stdout)

    category = signed_in.api.category()
    course = answer("courses", "create", "--title", "Typed by hand", "--price", "0", "--category-id", category["id"])
    refused = unpuzzle("courses", "publish", course["id"])
    assert (refused.returncode, "description: " in refused.stderr) == (1, True)
    answer("courses", "update", course["id"], "--description", "Written in a shell.")
    section = answer("content", "create-section", course["id"], "--title", "One", "--is-published")
    answer("content", "create-lesson", section["id"], "--title", "First", "--body", "<p>Hello</p>")
    assert answer("courses", "publish", course["id"])["status"] == "published"
    assert unpuzzle("courses", "list", "--category", category["slug"], "--fields", "title").stdout == "Typed by hand\n"
    assert answer("courses", "get-curriculum", course["slug"])["lessons_count"] == 1
    learner = signed_in.api.sign_up()
    token = learner.tokens["access_token"]
    taken = unpuzzle("enrollments", "enroll", course["slug"], "--fields", "course_id", UNPUZZLE_TOKEN=token)
    assert (taken.returncode, taken.stdout.strip()) == (0, f"course_id\t{course['id']}")
    assert unpuzzle("courses", "delete", course["id"], "--yes").returncode == 1
    assert unpuzzle("auth", "logout").returncode == 0


def test_an_answer_is_shown_as_the_server_gave_it(unpuzzle: Any, instructor: Person) -> None:
    course = instructor.published_course(price=12.5)
    shown = json.loads(unpuzzle("courses", "get", course["slug"], "--json").stdout)
    assert shown == instructor.api.get(f"/api/v1/courses/{course['id']}/").json()


def test_the_contract_comes_byte_for_byte(unpuzzle: Any, instructor: Person) -> None:
    assert unpuzzle("system", "openapi-yaml").stdout == instructor.api.get("/api/v1/openapi.yaml").text


def by_browser(start: Any, server: Server, visitor: Visitor) -> tuple[int, str, str]:
    """What the command ends with and says, and the page that the person ends at, when they have been to the provider."""
    with start("auth", "login", "--provider", "github", BROWSER="true") as command, Browser(server.base_url) as browser:
        line = next(line for line in map(bytes.decode, command.stderr) if "http" in line)
        back = browser.come_back(browser.consent(line.split(": ", 1)[1].strip(), visitor))
        page = browser.client.get(back.headers["location"]).text
        said = command.stderr.read().decode()
    return command.returncode, said, page


def test_a_provider_signs_in_by_the_browser(start: Any, unpuzzle: Any, server: Server) -> None:
    """The command waits on this machine; the person goes to the provider and comes back."""
    code, said, page = by_browser(start, server, Visitor("typist@example.com", "Type Ist"))
    assert (code, "as Type Ist (student)" in said, "Back to your terminal" in page) == (0, True, True)
    shown = json.loads(unpuzzle("auth", "status", "--json").stdout)
    assert shown["email"] == "typist@example.com"
    (identity,) = json.loads(unpuzzle("auth", "list-identities", "--json").stdout)["results"]
    assert identity["provider"] == "github"
    refused = unpuzzle("auth", "unlink-identity", identity["id"], "--yes")
    assert (refused.returncode, "last way in" in refused.stderr) == (1, True)


def test_who_says_no_at_the_provider_is_told_so(start: Any, server: Server) -> None:
    code, said, page = by_browser(start, server, Visitor("typist@example.com", answer="deny"))
    assert (code, "The person said no" in said, "Not signed in" in page) == (1, True, True)


def test_a_provider_that_the_server_does_not_know_is_refused_at_once(unpuzzle: Any) -> None:
    refused = unpuzzle("auth", "login", "--provider", "myspace")
    assert (refused.returncode, "oauth/providers" in refused.stderr) == (1, True)


def test_an_api_key_signs_in_and_does_what_its_scopes_say(unpuzzle: Any, signed_in: Person) -> None:
    made = unpuzzle("auth", "create-api-key", "--name", "script", "--scopes", "courses:read", "--json")
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)["key"]
    assert unpuzzle("auth", "login", "--with-key", stdin="unp_wrong\n").returncode == 4
    assert unpuzzle("auth", "login", "--with-key", stdin=f"{key}\n").returncode == 0
    assert unpuzzle("courses", "list-own", "--json").returncode == 0
    refused = unpuzzle("courses", "create", "--title", "No")
    assert (refused.returncode, "courses:write" in refused.stderr) == (4, True)
    assert unpuzzle("courses", "list-own", "--json", UNPUZZLE_API_KEY=key).returncode == 0
