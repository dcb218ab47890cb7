"""ETag, If-None-Match and If-Match: nothing is sent twice, and nobody overwrites what they have not seen."""

from collections.abc import Callable

import pytest

from harness import Api, Person, code_of, in_parallel
from unpuzzle_server.kernel.answers import check_version, etag, not_modified
from unpuzzle_server.kernel.errors import Problem

PROFILE, UPDATE = "/api/v1/auth/profile/", "/api/v1/auth/profile/update/"
OWN = "/api/v1/instructor/courses/"


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, False),
        ('"3-ab"', True),
        ('W/"3-ab"', True),
        ('"x", "3-ab"', True),
        ('"x",W/"3-ab" ,"y"', True),
        ("*", True),
        ('"3-AB"', False),
        ('"3-abc"', False),
        ('"3"', False),
        ("3-ab", False),
        ('"x", "y"', False),
    ],
)
def test_a_resource_is_not_modified_when_one_of_the_tags_is_its_own(header: str | None, same: bool) -> None:
    assert not_modified(header, '"3-ab"') is same


@pytest.mark.parametrize("header", [None, "*", " * ", '"3-ab"', '"3-other-body"', '"3"', '"2-x", "3-ab"', '"2-x","3-y"'])
def test_a_change_goes_ahead_when_the_version_is_the_one_that_was_read(header: str | None) -> None:
    check_version(header, 3)


@pytest.mark.parametrize("header", ['"2-ab"', '"33-ab"', 'W/"3-ab"', '"ab"', '"-3"', '""', '"2-x", "4-y"', '"03-x"'])
def test_a_change_is_refused_when_it_is_not(header: str) -> None:
    with pytest.raises(Problem) as refused:
        check_version(header, 3)
    assert (refused.value.code, refused.value.status) == ("PRECONDITION_FAILED", 412)


def test_a_tag_changes_with_the_version_and_with_the_body() -> None:
    assert len({etag(1, b"a"), etag(2, b"a"), etag(1, b"b"), etag(None, b"a")}) == 4
    assert etag(1, b"a") == etag(1, b"a")


def test_the_tag_of_an_answer_is_good_until_the_next_change(learner: Person) -> None:
    first = learner.get(PROFILE).headers["etag"]
    unchanged = learner.get(PROFILE, headers={"If-None-Match": f'"other", W/{first}'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", first)
    assert "content-type" not in unchanged.headers
    second = learner.put(UPDATE, json={"bio": "new"}, headers={"If-Match": first}).headers["etag"]
    assert learner.get(PROFILE, headers={"If-None-Match": first}).status_code == 200
    assert learner.put(UPDATE, json={"bio": "newer"}, headers={"If-Match": second}).status_code == 200
    stale = learner.put(UPDATE, json={"bio": "lost"}, headers={"If-Match": f"{first}, {second}"})
    assert (stale.status_code, code_of(stale)) == (412, "PRECONDITION_FAILED")
    assert learner.get(PROFILE).json()["bio"] == "newer"


def test_head_may_be_conditional_too(learner: Person) -> None:
    tag = learner.get(PROFILE).headers["etag"]
    client = learner.api.client
    assert client.head(PROFILE, headers={**learner.headers, "If-None-Match": tag}).status_code == 304
    assert client.head(PROFILE, headers={**learner.headers, "If-None-Match": '"other"'}).status_code == 200


def test_a_tag_tells_two_callers_apart(api: Api, learner: Person) -> None:
    other = api.sign_up()
    assert other.get(PROFILE, headers={"If-None-Match": learner.get(PROFILE).headers["etag"]}).status_code == 200


def test_without_a_tag_the_last_write_wins(learner: Person) -> None:
    learner.get(PROFILE)
    learner.put(UPDATE, json={"bio": "one"})
    assert learner.put(UPDATE, json={"bio": "two"}).json()["profile"]["bio"] == "two"
    assert learner.put(UPDATE, json={"bio": "three"}, headers={"If-Match": "*"}).status_code == 200


def test_of_many_changes_to_one_version_exactly_one_is_made(learner: Person) -> None:
    headers = {**learner.headers, "If-Match": learner.get(PROFILE).headers["etag"]}

    def change(number: int) -> Callable[[Api], int]:
        return lambda caller: caller.put(UPDATE, json={"bio": f"{number}"}, headers=headers).status_code

    statuses = in_parallel(learner.api.server, [change(number) for number in range(8)])
    assert sorted(statuses) == [200] + [412] * 7


def test_a_delete_asks_for_the_version_too(instructor: Person) -> None:
    course = instructor.course()
    path = f"{OWN}{course['id']}/"
    first = instructor.get(path).headers["etag"]
    instructor.patch(path, json={"title": "Changed"})
    assert instructor.delete(path, headers={"If-Match": first}).status_code == 412
    assert instructor.delete(path, headers={"If-Match": instructor.get(path).headers["etag"]}).status_code == 204


def test_a_refused_precondition_can_be_met_under_the_same_key(learner: Person) -> None:
    """A refusal is not an answer that is stored."""
    key = {"Idempotency-Key": "one-key"}
    assert learner.put(UPDATE, json={"bio": "x"}, headers={**key, "If-Match": '"99-x"'}).status_code == 412
    assert learner.put(UPDATE, json={"bio": "x"}, headers={**key, "If-Match": "*"}).status_code == 200
