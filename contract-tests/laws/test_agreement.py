"""What one answer says, another says too: counts are those of lists, an object is the same everywhere, links lead somewhere."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from harness import CONTRACT, PASSWORD, TEST_SETTINGS, Api, Server, running_server
from unpuzzle_cli.conformance.laws.sums import objects
from unpuzzle_server.kernel.spec import Operation
from world import World, is_open

READS = [item for item in CONTRACT.operations.values() if item.method == "GET" and item.responses[item.success]]
OF_ITSELF = {"system.openapi", "auth.oauth_redirect", "notifications.stream"}
IDS = ("id", "payment_id", "enrollment_id", "session_id", "quiz_id", "coupon_id", "job_id", "upload_id", "invoice_id")
SEEN_OTHERWISE = {
    "id", "title", "sections_count", "lessons_count", "duration_hours", "duration_minutes", "updated_at", "status", "name",
    "message", "instructor", "course_id", "type", "description", "price", "questions_count", "body",
}  # fmt: skip
"""Fields that mean something else beside another object, or count what whoever asks may see."""
BEHIND_A_VENDOR = {"api_base_url", "cdn_url"}
"""Where Stripe's paths begin, and films that only the database knows here."""
COUNTED = {
    "courses_count of a category": ("courses.get_category", "courses_count", "courses.list", "category"),
    "reviews_count of a course": ("courses.get", "reviews_count", "courses.list_reviews", ""),
    "sections_count of a course": ("courses.get_own", "sections_count", "content.list_sections", ""),
}
"""A number in an object, and the list that is as long."""


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    with Api(server) as api:
        found = World(api, published=True).populated()
        for _ in range(2):
            assert found.send(CONTRACT.operations["content.create_section"]).status_code == 201
        assert found.send(CONTRACT.operations["content.create_lesson"]).status_code == 201
        yield found


@pytest.fixture(scope="module")
def answers(world: World) -> dict[str, Any]:
    """What each read answers the owner."""
    found = {item.id: world.send(item, params=pages(item)) for item in READS if item.id not in OF_ITSELF}
    assert {answer.status_code for answer in found.values()} == {200}
    return {name: answer.json() for name, answer in found.items()}


def pages(operation: Operation) -> dict[str, int]:
    return {"page_size": 100} if operation.has("page_size") else {}


@pytest.mark.parametrize("what", COUNTED)
def test_a_count_is_that_of_the_list(world: World, what: str) -> None:
    reading, name, listing, filtered = COUNTED[what]
    found = world.send(CONTRACT.operations[reading]).json()
    params = {filtered: found["slug"]} if filtered else {}
    assert found[name] == world.send(CONTRACT.operations[listing], params=params).json()["count"]


def test_sections_have_as_many_lessons_as_their_lists(world: World) -> None:
    sections = world.send(CONTRACT.operations["content.list_sections"]).json()["results"]
    assert len({section["lessons_count"] for section in sections}) > 1
    for section in sections:
        lessons = world.owner.get(f"/api/v1/content/sections/{section['id']}/lessons/").json()
        assert section["lessons_count"] == lessons["count"]


def test_what_is_said_is_said_when_it_was_put(world: World) -> None:
    own = World(world.api)
    segments = [{"start": 0.5, "end": 2.25, "text": "What is"}, {"start": 2.75, "end": 3.125, "text": "said"}]
    body = {"format": "segments", "segments": segments}
    assert own.send(CONTRACT.operations["content.put_transcript"], json=body).json()["segments"] == segments


def test_categories_are_as_full_as_the_catalogue_shows(world: World) -> None:
    """Each by itself: one with the course, and one without any."""
    categories = world.send(CONTRACT.operations["courses.list_categories"], params={"page_size": 100}).json()["results"]
    for category in categories:
        page = world.api.get("/api/v1/courses/", params={"category": category["slug"]}).json()
        assert category["courses_count"] == page["count"]


def test_a_conversation_has_as_many_messages_as_its_list_says(answers: dict[str, Any]) -> None:
    (row,) = [item for item in answers["ai.list_sessions"]["results"] if item["id"] == answers["ai.get_session"]["id"]]
    assert row["messages_count"] == len(answers["ai.get_session"]["messages"])


def test_an_object_is_the_same_wherever_it_is_shown(answers: dict[str, Any]) -> None:
    told: dict[tuple[str, str], dict[Any, list[str]]] = defaultdict(lambda: defaultdict(list))
    for operation, answer in answers.items():
        for about, name, value in statements(answer):
            told[about, name][value].append(operation)
    assert {place: dict(values) for place, values in told.items() if len(values) > 1} == {}


def statements(answer: Any) -> Iterator[tuple[str, str, Any]]:
    """What an answer says of each object that it names: its id, a field, and the value."""
    for item in objects(answer):
        about = next((item[key] for key in IDS if isinstance(item.get(key), str)), None)
        for name, value in item.items() if about else ():
            if not isinstance(value, dict | list) and name not in SEEN_OTHERWISE and not name.endswith("_url"):
                yield about, name, value


def test_addresses_of_this_server_lead_somewhere(world: World, answers: dict[str, Any]) -> None:
    base = world.api.server.base_url
    found = {
        value: f"{name} of {operation}"
        for operation, answer in answers.items()
        for item in objects(answer)
        for name, value in item.items()
        if isinstance(value, str) and value.startswith(f"{base}/") and name not in BEHIND_A_VENDOR
    }
    assert len({where.partition(" ")[0] for where in found.values()}) > 5
    statuses = {where: world.api.client.get(url, headers=world.owner.headers).status_code for url, where in found.items()}
    assert {where: status for where, status in statuses.items() if status >= 400} == {}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("courses.publish", "status", "published"),
        ("courses.unpublish", "status", "draft"),
        ("courses.archive", "status", "archived"),
        ("enrollments.unenroll", "status", "cancelled"),
        ("payments.cancel_intent", "status", "canceled"),
        ("payments.confirm_intent", "status", "succeeded"),
        ("subscriptions.cancel", "cancel_at", ""),
        ("learning.complete_lesson", "completed_at", ""),
        ("learning.revoke_certificate", "revoked_at", ""),
    ],
)
def test_an_operation_leads_to_what_its_name_says(world: World, name: str, field: str, value: str) -> None:
    """To this status; or to a time, where none is given."""
    operation = CONTRACT.operations[name]
    answer = World(world.api, published=is_open(operation)).send(operation).json()
    assert answer[field] == value if value else answer[field] is not None


@pytest.mark.parametrize("what", ["section", "lesson"])
def test_places_have_no_gaps_whatever_is_moved(world: World, what: str) -> None:
    """Added at the end and in between, moved down and up, deleted, and put into another order."""
    own = World(world.api)
    lesson = what == "lesson"
    base = (
        f"/api/v1/content/sections/{own.section_id}/lessons/" if lesson else f"/api/v1/content/courses/{own.course_id}/sections/"
    )
    single = "/api/v1/content/lessons/" if lesson else base

    def titles() -> list[str]:
        found = own.owner.get(base).json()["results"]
        assert [item["order"] for item in found] == [*range(1, len(found) + 1)]
        return [item["title"] for item in found]

    (first,) = titles()
    made = {title: own.owner.post(base, json={"title": title, **place}).json()["id"] for title, place in (
        ("b", {}), ("c", {}), ("d", {}), ("e", {"order": 2}),
    )}  # fmt: skip
    assert titles() == [first, "e", "b", "c", "d"]
    for order, expected in ((4, [first, "b", "c", "e", "d"]), (2, [first, "e", "b", "c", "d"]), (5, [first, "b", "c", "d", "e"])):
        assert own.owner.patch(f"{single}{made['e']}/", json={"order": order}).json()["order"] == order
        assert titles() == expected
    assert own.owner.delete(f"{single}{made['c']}/").status_code == 204
    assert titles() == [first, "b", "d", "e"]
    ids = [item["id"] for item in own.owner.get(base).json()["results"]]
    assert own.owner.post(f"{base}reorder/", json={f"{what}_ids": ids[::-1]}).status_code == 200
    assert titles() == ["e", "d", "b", first]


def test_two_lessons_of_three_are_67_percent(world: World) -> None:
    """And a course of fifty minutes takes 0.8 hours, whoever says so."""
    teacher, learner = world.api.sign_up_instructor(), world.api.sign_up()
    course = teacher.published_course()
    section = teacher.section(course, is_published=True)
    lessons = [teacher.lesson(section, duration_seconds=seconds) for seconds in (1000, 1001, 999)]
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    for lesson in lessons[:2]:
        learner.post(f"/api/v1/student/lessons/{lesson['id']}/complete/")
    reads = ("/api/v1/student/courses/{}/progress/", "/api/v1/student/courses/{}/learn/", "/api/v1/courses/{}/curriculum/")
    progress, tree, curriculum = (learner.get(read.format(course["id"])).json() for read in reads)
    assert (progress["completed_lessons"], progress["total_lessons"], progress["overall_progress"]) == (2, 4, 50)
    (second,) = [each for each in progress["sections"] if each["total_lessons"] == 3]
    assert (second["progress"], tree["progress_percentage"]) == (67, 50)
    assert curriculum["duration_hours"] == 0.8


def test_half_of_those_who_enrolled_is_half(world: World) -> None:
    """One completes the course, another one never begins."""
    teacher = world.api.sign_up_instructor()
    course = teacher.published_course()
    for learner in (done := world.api.sign_up(), world.api.sign_up()):
        learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    for section in done.get(f"/api/v1/student/courses/{course['id']}/learn/").json()["sections"]:
        for lesson in section["lessons"]:
            done.post(f"/api/v1/student/lessons/{lesson['id']}/complete/")
    shown = teacher.get(f"/api/v1/instructor/courses/{course['id']}/analytics/").json()
    assert [step["learners"] for step in shown["funnel"]] == [2, 1, 1, 1]
    assert shown["completion_rate"] == 50


def test_an_upload_that_has_just_begun_has_nothing(world: World) -> None:
    """Of two chunks and a half: the law of sums counts them."""
    operation = CONTRACT.operations["media.initiate_upload"]
    size = TEST_SETTINGS.media_chunk_bytes * 5 // 2
    target = world.send(operation, json={**world.body(operation), "file_size": size}).json()
    upload = world.owner.get(f"/api/v1/media/uploads/{target['upload_id']}/").json()
    assert (target["total_chunks"], upload["received_bytes"]) == (3, 0)


def test_limits_are_each_users_own(world: World) -> None:
    """Though both come from one address."""
    with running_server(world.api.server.owner_url, rate_limit_authenticated=1) as strict, Api(strict) as api:
        for person in (world.api.sign_up(), world.api.sign_up()):
            answers = [api.get("/api/v1/notifications/", headers=person.headers).status_code for _ in range(2)]
            assert answers == [200, 429]
        strict.sql("DELETE FROM rate_limits")


def test_time_that_has_not_passed_was_not_spent(world: World) -> None:
    """Progress that a device sends again counts once."""
    own, operation = World(world.api), CONTRACT.operations["learning.record_progress"]
    first, again = (own.send(operation, json={"active_seconds": 60}).json()["time_spent_seconds"] for _ in range(2))
    assert again - first < 60


def test_what_is_undone_is_as_it_was(world: World) -> None:
    """A lesson that is completed and reopened counts as before."""
    own = World(world.api)
    complete, reopen, progress = (
        CONTRACT.operations[f"learning.{verb}"] for verb in ("complete_lesson", "reopen_lesson", "get_progress")
    )
    before = own.send(progress).json()["completed_lessons"]
    assert own.send(complete).status_code == 200
    assert own.send(progress).json()["completed_lessons"] == before + 1
    assert own.send(reopen).status_code == 204
    assert own.send(progress).json()["completed_lessons"] == before


def test_what_is_marked_as_read_is_read(world: World) -> None:
    own = World(world.api)
    assert own.notification_id
    listing = CONTRACT.operations["notifications.list"]
    unread = own.send(listing).json()["unread_count"]
    assert own.send(CONTRACT.operations["notifications.mark_all_read"]).json()["marked_count"] == unread > 0
    assert own.send(listing).json()["unread_count"] == 0


def test_what_is_used_of_an_allowance_is_not_left(world: World) -> None:
    """As the law of sums says, which sees both numbers here."""
    learner = world.api.sign_up()
    assert world.send(CONTRACT.operations["ai.send_message"], learner, json={"message": "What is a closure?"}).status_code == 200
    assert world.send(CONTRACT.operations["ai.get_limits"], learner).json()["usage"]["daily_used"] == 1


def test_an_address_is_the_same_in_capitals(world: World) -> None:
    """Whoever signs up, is looked for or invited."""
    own = World(world.api)
    learner = world.api.sign_up(email=f"ADA-{uuid4().hex}@Example.com")
    told = learner.tokens["user"]["email"]
    assert told == told.lower()
    signed_in = world.api.post("/api/v1/auth/signin/", json={"email": told.upper(), "password": PASSWORD})
    assert signed_in.json()["user"]["id"] == learner.id
    taken = {"email": told.title(), "password": PASSWORD, "full_name": "Ada"}
    assert world.api.post("/api/v1/auth/signup/", json=taken).status_code == 409
    found = own.send(CONTRACT.operations["auth.list_users"], params={"search": told.upper()}).json()
    assert [user["id"] for user in found["results"]] == [learner.id]


def test_a_plan_that_was_given_is_taken_back(world: World) -> None:
    own, grant = World(world.api), CONTRACT.operations["subscriptions.grant"]
    given = own.send(grant, json={"plan": "premium", "daily_limit": None}).json()
    assert (given["plan"], given["source"], given["limits"]["daily_limit"]) == ("premium", "grant", None)
    assert own.send(grant, json={"plan": "free"}).json()["plan"] == "free"


def test_a_dry_run_is_said_to_be_one(world: World) -> None:
    own, operation = World(world.api, published=True), CONTRACT.operations["enrollments.bulk_enroll"]
    for dry_run in (True, False):
        assert own.send(operation, json={**own.body(operation), "dry_run": dry_run}).json()["dry_run"] is dry_run


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_today_is_the_learners(world: World, zone: str) -> None:
    """At any moment it is another day at one of these two than in Greenwich, or both."""
    learner = world.api.sign_up()
    assert learner.put("/api/v1/auth/profile/update/", json={"preferences": {"timezone": zone}}).status_code == 200
    assert learner.get("/api/v1/analytics/learning/").json()["end_date"] == str(datetime.now(ZoneInfo(zone)).date())
