"""Events on the command line, from the real server: each is there when it has come, on a line."""

import json
import signal
from typing import Any

import pytest

from harness import Person, Server, wait_for

TELL = "INSERT INTO notifications (user_id, type, title, message, icon) VALUES (%s, 'system', %s, 'Read it', 'x')"


@pytest.fixture
def environment(environment: dict[str, str], server: Server, learner: Person) -> dict[str, str]:
    return {**environment, "UNPUZZLE_BASE_URL": server.base_url, "UNPUZZLE_TOKEN": learner.tokens["access_token"]}


def tell(person: Person, title: str) -> None:
    person.api.server.sql(TELL, person.id, title)


def following(person: Person) -> bool:
    """Whether the server has begun to tell somebody: from then on it numbers what happens."""
    numbered = "SELECT count(*) FROM notifications WHERE user_id = %s AND number IS NOT NULL"
    return bool(person.api.server.sql(numbered, person.id)[0][0])


def test_each_is_shown_when_it_happens_until_ctrl_c(start: Any, learner: Person) -> None:
    tell(learner, "before")
    with start("notifications", "watch", "--fields", "title,message") as watching:
        wait_for(lambda: following(learner), seconds=20)
        for title in ("One", "Two\x1b"):
            tell(learner, title)
            shown = title.replace("\x1b", "\ufffd")
            assert watching.stdout.readline().decode() == f"notification\t{shown}\tRead it\n"
        watching.send_signal(signal.SIGINT)
        assert (watching.wait(10), watching.stderr.read()) == (-signal.SIGINT, b"")


def test_json_is_one_object_a_line_and_goes_on_after_an_id(start: Any, learner: Person) -> None:
    tell(learner, "One")
    tell(learner, "Two")

    def lines(*arguments: str, count: int) -> list[Any]:
        with start("notifications", *arguments, "--json") as watching:
            found = [json.loads(watching.stdout.readline()) for _ in range(count)]
            watching.terminate()
        return found

    one, two = lines("stream", "--last-event-id", "0", count=2)
    assert (one["event"], one["data"]["title"], two["data"]["title"]) == ("notification", "One", "Two")
    assert lines("watch", "--since", one["id"], "--fields", "title", count=1) == [{**two, "data": {"title": "Two"}}]


def test_whoever_is_not_signed_in_is_told_so(unpuzzle: Any) -> None:
    refused = unpuzzle("notifications", "watch", UNPUZZLE_TOKEN="x")
    assert refused.returncode == 4


def test_whoever_reads_the_pipe_may_have_enough(start: Any, learner: Person) -> None:
    tell(learner, "One")
    with start("notifications", "stream", "--last-event-id", "0") as watching:
        watching.stdout.readline()
        watching.stdout.close()
        tell(learner, "Two")
        assert (watching.wait(10), watching.stderr.read()) == (0, b"")
