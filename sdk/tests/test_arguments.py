"""What programs give as arguments: ids in paths, texts, and members of enums."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable
from typing import Any

import pytest
from test_secrets import SENT, leaks, shown

from unpuzzle_sdk import Unpuzzle
from unpuzzle_sdk.testing import MockUnpuzzle
from unpuzzle_sdk.testing._checks import rules
from unpuzzle_sdk.testing._contract import contract

HALF = "\ud800"


class Slug(str, enum.Enum):  # noqa: UP042 - the `str` of a StrEnum is its value
    PYTHON = "python"


def test_an_id_with_a_slash_is_refused_as_servers_take_it_for_the_path_of_another_operation(
    mock: MockUnpuzzle, mocked: Unpuzzle
) -> None:
    with pytest.raises(ValueError, match="course_id must not be 'a-course/curriculum'"):
        mocked.courses.get("a-course/curriculum")
    assert not mock.requests


def test_no_parameter_in_a_path_of_the_contract_takes_a_slash() -> None:
    for operation in contract().operations.values():
        for parameter in operation.parameters:
            assert parameter["in"] != "path" or [*rules().problems(parameter["schema"], "a/b")]


def test_the_member_of_an_enum_is_sent_as_its_value_wherever_it_stands(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mocked.courses.get(Slug.PYTHON)
    mocked.courses.list(category=Slug.PYTHON)
    mocked.courses.create(title=Slug.PYTHON)
    one, many, created = mock.requests
    assert (one.path_params, many.query, created.json) == (
        {"course_id": "python"},
        {"category": "python"},
        {"title": "python"},
    )


@pytest.mark.parametrize(
    ("value", "kind"), [(b"x", "bytes"), (object(), "object"), (datetime.time(1), "time"), (enum.Enum("E", "A").A, "E")]
)
def test_what_json_has_no_place_for_is_named(mocked: Unpuzzle, value: Any, kind: str) -> None:
    for call in (lambda: mocked.courses.create(title=value), lambda: mocked.courses.list(search=value)):
        with pytest.raises(TypeError, match=f"a value of the type {kind} has no place in JSON"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.auth.sign_in(email="jane@example.com", password=f"{SENT}{HALF}"),
        lambda client: client.auth.oauth_redirect(code=f"{SENT}{HALF}", state=SENT),
        lambda client: client.auth.oauth_redirect(code=object(), state=SENT),
    ],
)
def test_what_can_not_be_encoded_is_not_shown_by_the_error_that_says_so(
    mock: MockUnpuzzle, mocked: Unpuzzle, call: Callable[[Unpuzzle], Any]
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        call(mocked)
    assert not leaks("call", shown(caught.value))
    assert not mock.requests
