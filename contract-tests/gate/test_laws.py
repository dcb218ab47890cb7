"""Each law lets a good answer pass and finds what it is there for: one that is broken on purpose fails."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gate import test_laws_of_callers
from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws import LAWS, closed_world, echo, limits, lists, locations, ownership, sums
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Exchange, Reply, Request
from unpuzzle_cli.conformance.laws.request_ids import request_ids

HOST = "http://server"
OPERATIONS = {operation.id: operation for operation in CONTRACT.operations}
IDS = {"course_id": "c1", "section_id": "s1", "lesson_id": "l1"}
COURSE: dict[str, Any] = CONTRACT.components("schemas")["OwnCourseResult"]["example"]
SECTION: dict[str, Any] = CONTRACT.components("schemas")["Section"]["example"]
WRONG_SUMS = [tuple(case) for case in yaml.safe_load(Path(__file__).with_name("wrong_sums.yaml").read_text())]
Sender = Callable[[Request], Reply]


def json_reply(status: int, body: Any, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"content-type": "application/json", **named}, json.dumps(body).encode())


def nobody_asks(request: Request) -> Reply:
    raise AssertionError(f"the law asked for {request.url}")


def exchange(name: str, reply: Reply, sent: Any = None, query: str = "", send: Sender = nobody_asks) -> Exchange:
    operation: Operation = OPERATIONS[name]
    content = b"" if sent is None else json.dumps(sent).encode()
    url = f"{HOST}{operation.path.format(**{name: IDS[name] for name in operation.path_parameters})}{query}"
    return Exchange(operation, Request(operation.method.upper(), url, {}, content), reply, send, lambda: "stranger")


def fails(law: Callable[..., None], *arguments: Any, because: str) -> None:
    with pytest.raises(AssertionError, match=because):
        law(*arguments)


class TestClosedWorld:
    def test_what_is_declared_passes(self) -> None:
        closed_world(exchange("courses.create", json_reply(201, COURSE, etag='"1-a"', location="/x/")))

    @pytest.mark.parametrize(
        ("reply", "because"),
        [
            (json_reply(201, {**COURSE, "secret": 1}), "secret"),
            (json_reply(201, {**COURSE, "category": {"id": "1", "name": "n", "slug": "s", "secret": 1}}), "/category: .*secret"),
            (json_reply(201, COURSE, server="uvicorn"), "undeclared headers: {'server'}"),
            (json_reply(201, COURSE, access_control_allow_origin="*"), "undeclared headers"),
            (json_reply(418, {}), "status 418 is not declared"),
            (Reply(201, {"content-type": "text/plain"}, b"done"), "undeclared media type text/plain"),
        ],
    )
    def test_what_is_not_declared_is_found(self, reply: Reply, because: str) -> None:
        fails(closed_world, exchange("courses.create", reply), because=because)

    def test_a_body_that_is_not_declared_is_found(self) -> None:
        fails(closed_world, exchange("courses.delete", json_reply(204, {})), because="undeclared body")

    def test_fields_of_list_items_are_closed_too(self) -> None:
        page = page_of({**SECTION, "secret": 1})
        fails(closed_world, exchange("content.list_sections", json_reply(200, page)), because="/results/0: .*secret")


class TestEcho:
    @pytest.mark.parametrize(
        ("name", "sent", "answered"),
        [
            ("courses.create", {"title": " A title "}, {**COURSE, "title": " A title "}),
            ("courses.create", {"detailed_description": "<b>x<script>y</script></b>"}, {"detailed_description": "<b>x</b>"}),
            ("courses.create", {"category_id": "1"}, {"category": {"id": "1", "name": "n", "slug": "s"}}),
            ("auth.sign_up", {"email": "A@B.de", "full_name": " Ada "}, {"user": {"email": "a@b.de", "full_name": "Ada"}}),
            (
                "auth.update_profile",
                {"preferences": {"timezone": "UTC"}},
                {"profile": {"preferences": {"timezone": "UTC", "x": 1}}},
            ),
            ("auth.sign_up", {"full_name": " Ada\u00a0"}, {"user": {"full_name": "Ada\u00a0"}}),
            ("reflections.create", {"tags": ["b", "a", "b"]}, {"tags": ["b", "a"]}),
            ("content.update_section", {"order": 9}, {**SECTION, "order": 3}),
            ("content.reorder_sections", {"section_ids": ["2", "1"]}, {"results": [{"id": "2"}, {"id": "1"}]}),
            ("content.create_quiz", {"questions": [{"question": "?"}]}, {"questions": [{"question": "?", "points": 1}]}),
        ],
    )
    def test_what_was_sent_is_found_again(self, name: str, sent: Any, answered: Any) -> None:
        echo(exchange(name, json_reply(OPERATIONS_SUCCESS[name], answered), sent))

    @pytest.mark.parametrize(
        ("name", "sent", "answered"),
        [
            ("courses.create", {"title": " A title "}, {**COURSE, "title": "A title"}),
            ("courses.create", {"price": 79.99}, {**COURSE, "price": 79.98}),
            ("courses.create", {"price": 1}, {**COURSE, "price": True}),
            ("courses.create", {"detailed_description": "<b>x<script>y</script></b>"}, {"detailed_description": "<b></b>"}),
            ("courses.create", {"category_id": "1"}, {"category": None}),
            ("auth.sign_up", {"full_name": "Ada"}, {"user": {"full_name": "ada"}}),
            ("auth.update_profile", {"preferences": {"timezone": "UTC"}}, {"profile": {"preferences": {"timezone": "GMT"}}}),
            ("content.update_section", {"order": 2}, {**SECTION, "order": 3}),
            ("content.reorder_sections", {"section_ids": ["2", "1"]}, {"results": [{"id": "1"}, {"id": "2"}]}),
            ("content.create_quiz", {"questions": [{"question": "?"}]}, {"questions": [{"question": "!"}]}),
            ("content.create_quiz", {"questions": [{"question": "?"}]}, {"questions": []}),
            (
                "content.create_quiz",
                {"questions": [{"options": [{"text": "a"}]}]},
                {"questions": [{"options": [{"text": "b", "is_correct": True}]}]},
            ),
        ],
    )
    def test_what_was_lost_or_changed_is_found(self, name: str, sent: Any, answered: Any) -> None:
        fails(echo, exchange(name, json_reply(OPERATIONS_SUCCESS[name], answered), sent), because="was sent as")


OPERATIONS_SUCCESS = {name: int(item.successes[0].status) for name, item in OPERATIONS.items() if item.successes}


def page_of(*results: Any, **changes: Any) -> dict[str, Any]:
    page = {"count": len(results), "next": None, "previous": None, "page": 1, "page_size": 20, "total_pages": 1}
    return {**page, "results": list(results), **changes}


def listed(query: str, page: dict[str, Any], send: Sender = nobody_asks) -> Exchange:
    return exchange("courses.list", json_reply(200, page), query=query, send=send)


def next_page(number: int, sort: str = "") -> str:
    return f"{HOST}/api/v1/courses/?page_size=1{sort}&page={number}"


class TestLists:
    def test_a_page_that_is_as_asked_passes(self) -> None:
        items = [{"id": "1", "price": 1, "difficulty": "beginner", "tags": ["a"], "category": {"slug": "music"}}]
        items += [{**items[0], "id": "2", "price": 2}, {**items[0], "id": "3", "price": None}]
        lists(listed("?difficulty=beginner&tag=a&category=music&search=x&sort=price", page_of(*items)))

    @pytest.mark.parametrize(
        ("query", "page", "because"),
        [
            ("?page=2", page_of(), "page is 1, not 2"),
            ("?page_size=5", page_of(), "page_size is 20, not 5"),
            ("", page_of(count=41, total_pages=2), "total_pages"),
            ("", page_of({"id": "1"}, count=2), "1 results, not 2"),
            ("", page_of({"id": "1"}, next=next_page(2)), "where there is no such page"),
            ("?page_size=1", page_of({"id": "1"}, page_size=1, count=2, total_pages=2), "next is null"),
            ("?page_size=1", page_of({"id": "1"}, page_size=1, count=2, total_pages=2, next=next_page(3)), "does not ask for"),
            ("?page=2", page_of(page=2, count=1, previous=f"{HOST}/api/v1/categories/?page=1"), "leads to another list"),
            ("?difficulty=beginner", page_of({"difficulty": "advanced"}), "difficulty=beginner found"),
            ("?tag=a", page_of({"tags": ["b"]}), "tag=a found"),
            ("?category=music", page_of({"category": {"slug": "art"}}), "category=music found"),
            ("?sort=price", page_of({"price": 2}, {"price": 1}), "price is not in ascending order"),
            ("?sort=price&order=desc", page_of({"price": 1}, {"price": 2}), "price is not in descending order"),
            ("?sort=rating", page_of({"rating": 1}, {"rating": 2}), "rating is not in descending order"),
        ],
    )
    def test_a_page_that_is_not_is_found(self, query: str, page: dict[str, Any], because: str) -> None:
        fails(lists, listed(query, page), because=because)

    @pytest.mark.parametrize(
        ("second", "because"),
        [
            (json_reply(200, page_of({"id": "2"}, page=2, page_size=1, count=2, total_pages=2)), None),
            (json_reply(200, page_of({"id": "1"}, page=2, page_size=1, count=2, total_pages=2)), "on two pages"),
            (json_reply(200, page_of(page=2, page_size=1, count=2, total_pages=2)), "1 items on all pages"),
            (json_reply(500, {}), "answers 500"),
        ],
    )
    def test_the_links_lead_through_all_items_once(self, second: Reply, because: str | None) -> None:
        first = page_of({"id": "1"}, page_size=1, count=2, total_pages=2, next=next_page(2))
        walked = listed("?page_size=1", first, send=lambda _: second)
        if because is None:
            lists(walked)
        else:
            fails(lists, walked, because=because)


class TestLocations:
    @pytest.mark.parametrize(
        ("found", "because"),
        [
            (json_reply(200, {"id": COURSE["id"]}), None),
            (json_reply(404, {}), "answers 404"),
            (json_reply(200, {"id": "another"}), "shows other id"),
            (json_reply(200, {"id": COURSE["id"], "price": 1}), "shows other price"),
        ],
    )
    def test_a_location_leads_to_what_was_created(self, found: Reply, because: str | None) -> None:
        created = exchange("courses.create", json_reply(201, COURSE, location="/there/"), send=lambda _: found)
        if because is None:
            locations(created)
        else:
            fails(locations, created, because=because)


class World:
    """A server with one section, and a fault."""

    def __init__(self, refusal: int = 404, **faults: int) -> None:
        self.section = SECTION
        self.refusal = refusal
        self.faults = faults

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != "stranger":
            return json_reply(200, self.section)
        if request.method in self.faults:
            return json_reply(self.faults[request.method], {})
        return json_reply(self.refusal, {})


class Careless(World):
    """It refuses what it has done."""

    def __call__(self, request: Request) -> Reply:
        reply = super().__call__(request)
        if reply.status == self.refusal:
            self.section = {**self.section, "title": "Mine now"}
        return reply


class TestOwnership:
    @pytest.mark.parametrize("name", ["content.get_section", "content.update_section"])
    @pytest.mark.parametrize("refusal", [403, 404])
    def test_a_refusal_that_changes_nothing_passes(self, name: str, refusal: int) -> None:
        ownership(exchange(name, json_reply(200, SECTION), send=World(refusal)))

    @pytest.mark.parametrize(
        ("name", "world", "because"),
        [
            ("content.get_section", World(GET=200), "gets 200 from GET"),
            ("content.get_section", World(DELETE=204), "gets 204 from DELETE"),
            ("content.get_section", World(DELETE=412), "gets 412 from DELETE"),
            ("content.update_section", World(PATCH=200), "gets 200 from PATCH"),
            ("content.create_lesson", World(POST=201), "gets 201 from POST"),
            ("content.update_section", Careless(), "attempts changed"),
        ],
    )
    def test_another_who_reads_or_changes_is_found(self, name: str, world: World, because: str) -> None:
        fails(ownership, exchange(name, json_reply(OPERATIONS_SUCCESS[name], SECTION), send=world), because=because)

    @pytest.mark.parametrize("name", ["enrollments.enroll", "courses.get", "courses.update_category", "courses.create"])
    def test_what_is_not_one_persons_is_not_looked_at(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(IDS, "category_id", "k1")
        ownership(exchange(name, json_reply(OPERATIONS_SUCCESS[name], {})))


class TestSums:
    """Each of these answers is wrong in one number; corrected it passes."""

    @pytest.mark.parametrize(("answer", "right", "because"), WRONG_SUMS)
    def test_what_does_not_add_up_is_found(self, answer: dict[str, Any], right: dict[str, Any], because: str) -> None:
        fails(sums, exchange("courses.create", json_reply(201, {"inside": [answer]})), because=because)
        sums(exchange("courses.create", json_reply(201, {"inside": [{**answer, **right}]})))

    def test_the_contract_itself_is_no_answer_about_anything(self) -> None:
        sums(exchange("courses.create", json_reply(201, {"openapi": "3.0.3", "created_at": {}, "updated_at": {}})))


class TestLimits:
    @staticmethod
    def reply(**wrong: int) -> Reply:
        numbers = {"limit": 100, "remaining": 99, "reset": int(time.time()) + 3600, "reset_after": 3600, **wrong}
        named = {name if name == "retry_after" else f"x_ratelimit_{name}": str(number) for name, number in numbers.items()}
        return json_reply(200, {}, **named)

    def test_what_is_true_passes(self) -> None:
        limits(exchange("courses.create", self.reply()))
        limits(exchange("courses.create", json_reply(200, {})))

    @pytest.mark.parametrize(
        ("wrong", "because"),
        [
            ({"remaining": 100}, "100 requests of 100 remain"),
            ({"remaining": -1}, "-1 requests"),
            ({"reset": 3600}, "the limit is reset at 3600, which is not in 3600 s"),
            ({"remaining": 0, "retry_after": 100}, "Retry-After is 100, where the limit is reset in 3600 s"),
        ],
    )
    def test_what_can_not_be_is_found(self, wrong: dict[str, int], because: str) -> None:
        fails(limits, exchange("courses.create", self.reply(**wrong)), because=because)


class TestRequestIds:
    SENT = Request("GET", HOST, {"X-Request-ID": "mine"})

    @pytest.mark.parametrize(
        "reply",
        [json_reply(200, {}, x_request_id="mine"), json_reply(404, {"request_id": "mine"}, x_request_id="mine")],
    )
    def test_an_id_that_comes_back_passes(self, reply: Reply) -> None:
        request_ids(self.SENT, reply)

    @pytest.mark.parametrize(
        ("reply", "because"),
        [
            (json_reply(200, {}), "no X-Request-ID"),
            (json_reply(200, {}, x_request_id="other"), "not 'mine' as was sent"),
            (json_reply(404, {"request_id": "other"}, x_request_id="mine"), "error's request_id"),
        ],
    )
    def test_an_id_that_does_not_is_found(self, reply: Reply, because: str) -> None:
        fails(request_ids, self.SENT, reply, because=because)


def test_every_law_is_tested_here_or_there() -> None:
    tested = {
        name.removeprefix("Test").lower() for name in {**globals(), **vars(test_laws_of_callers)} if name.startswith("Test")
    }
    assert {law.__name__.replace("_", "") for law in [*LAWS, request_ids]} == tested
