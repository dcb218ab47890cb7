"""Sections and lessons: their order, their texts, and whose they are."""

from typing import Any

import pytest

from harness import Api, Person, code_of, in_parallel


def sections_path(course: dict[str, Any]) -> str:
    return f"/api/v1/content/courses/{course['id']}/sections/"


def section_path(section: dict[str, Any]) -> str:
    return f"/api/v1/content/courses/{section['course_id']}/sections/{section['id']}/"


def lessons_path(section: dict[str, Any]) -> str:
    return f"/api/v1/content/sections/{section['id']}/lessons/"


def lesson_path(lesson: dict[str, Any]) -> str:
    return f"/api/v1/content/lessons/{lesson['id']}/"


class Kind:
    """Sections in a course and lessons in a section are ordered by the same rules."""

    def __init__(self, name: str, person: Person) -> None:
        self.name = name
        self.person = person
        course = person.course()
        parent = course if name == "sections" else person.section(course)
        self.list_path = sections_path(parent) if name == "sections" else lessons_path(parent)
        self.ids_key = "section_ids" if name == "sections" else "lesson_ids"

    def path(self, item: dict[str, Any]) -> str:
        return section_path(item) if self.name == "sections" else lesson_path(item)

    def add(self, title: str, **fields: Any) -> dict[str, Any]:
        response = self.person.post(self.list_path, json={"title": title, **fields})
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    def titles(self) -> str:
        """The titles in order; fails when the places are not 1, 2, 3 …"""
        results = self.person.get(self.list_path, params={"page_size": 100}).json()["results"]
        assert [item["order"] for item in results] == list(range(1, len(results) + 1))
        return "".join(item["title"] for item in results)


@pytest.fixture(params=["sections", "lessons"])
def kind(request: pytest.FixtureRequest, instructor: Person) -> Kind:
    return Kind(request.param, instructor)


def test_what_is_added_goes_to_its_place_or_to_the_end(kind: Kind) -> None:
    for title, fields in [
        ("A", {}),
        ("B", {}),
        ("C", {"order": 1}),
        ("D", {"order": 2}),
        ("E", {"order": 9999}),
        ("F", {"order": 5.0}),
    ]:
        kind.add(title, **fields)
    assert kind.titles() == "CDABFE"


@pytest.mark.parametrize(
    ("item", "order", "titles"), [(0, 3, "BCAD"), (3, 1, "DABC"), (1, 2, "ABCD"), (1, 9999, "ACDB"), (2, 1, "CABD")]
)
def test_what_is_moved_leaves_no_gap(kind: Kind, item: int, order: int, titles: str) -> None:
    items = [kind.add(title) for title in "ABCD"]
    assert kind.person.patch(kind.path(items[item]), json={"order": order}).status_code == 200
    assert kind.titles() == titles


def test_what_is_deleted_leaves_no_gap(kind: Kind) -> None:
    items = [kind.add(title) for title in "ABCD"]
    assert kind.person.delete(kind.path(items[1])).status_code == 204
    assert kind.titles() == "ACD"
    assert code_of(kind.person.get(kind.path(items[1]))) == "NOT_FOUND"
    assert code_of(kind.person.delete(kind.path(items[1]))) == "NOT_FOUND"


def test_reordering_takes_each_once(kind: Kind) -> None:
    items = {title: kind.add(title)["id"] for title in "ABC"}
    order = [items["C"].upper(), items["A"], items["B"]]
    response = kind.person.post(f"{kind.list_path}reorder/", json={kind.ids_key: order})
    assert (response.status_code, "".join(item["title"] for item in response.json()["results"])) == (200, "CAB")
    foreign = Kind(kind.name, kind.person).add("X")["id"]
    for wrong in ([items["A"]], [*items.values(), foreign], [items["A"]] * 3, [items["A"], items["B"], foreign]):
        refused = kind.person.post(f"{kind.list_path}reorder/", json={kind.ids_key: wrong})
        assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert kind.titles() == "CAB"


def test_changes_at_once_keep_an_order(kind: Kind) -> None:
    items = [kind.add(title) for title in "ABCDEF"]
    headers = kind.person.headers
    moves = [
        lambda caller, i=item, n=n: caller.patch(kind.path(i), json={"order": n}, headers=headers)
        for n, item in enumerate(items[:3], 4)
    ]
    adds = [lambda caller: caller.post(kind.list_path, json={"title": "N", "order": 1}, headers=headers)] * 3
    drops = [lambda caller: caller.delete(kind.path(items[5]), headers=headers)]
    statuses = [response.status_code for response in in_parallel(kind.person.api.server, [*moves, *adds, *drops])]
    assert statuses == [200] * 3 + [201] * 3 + [204]
    assert sorted(kind.titles()) == sorted("ABCDENNN")


def test_an_update_keeps_what_is_absent(kind: Kind) -> None:
    item = kind.add("A", **({"description": "About"} if kind.name == "sections" else {"body": "<p>Text</p>", "is_preview": True}))
    changed = kind.person.patch(kind.path(item), json={"title": "B"}).json()
    assert changed == {**item, "title": "B", "updated_at": changed["updated_at"]}
    unchanged = kind.person.patch(kind.path(item), json={})
    assert unchanged.json()["title"] == "B"


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_stale_version_is_refused(kind: Kind, method: str) -> None:
    item = kind.add("A")
    tag = kind.person.get(kind.path(item)).headers["etag"]
    kind.person.patch(kind.path(item), json={"title": "B"})
    body = {"json": {"title": "C"}} if method == "patch" else {}
    refused = getattr(kind.person, method)(kind.path(item), headers={"If-Match": tag}, **body)
    assert (refused.status_code, code_of(refused)) == (412, "PRECONDITION_FAILED")
    assert kind.titles() == "B"
    fresh = kind.person.get(kind.path(item)).headers["etag"]
    assert kind.person.get(kind.path(item), headers={"If-None-Match": fresh}).status_code == 304
    assert getattr(kind.person, method)(kind.path(item), headers={"If-Match": fresh}, **body).status_code in (200, 204)


def test_there_are_at_most_five_hundred(kind: Kind) -> None:
    kind.add("A")
    table, parent = ("sections", "course_id") if kind.name == "sections" else ("lessons", "section_id")
    copied = f"{parent}, course_id" if kind.name == "lessons" else parent
    kind.person.api.server.sql(
        f"INSERT INTO {table} ({copied}, title, position) SELECT {copied}, 'x', n FROM {table}, generate_series(2, 500) n"
        f" WHERE title = 'A' AND {parent} = %s",
        kind.list_path.split("/")[5],
    )
    refused = kind.person.post(kind.list_path, json={"title": "One more"})
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")


def requests(section: dict[str, Any], lesson: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Every operation of the tag on these two."""
    course = {"id": section["course_id"]}
    return [
        ("get", sections_path(course), {}),
        ("post", sections_path(course), {"json": {"title": "x"}}),
        ("post", f"{sections_path(course)}reorder/", {"json": {"section_ids": [section["id"]]}}),
        ("get", section_path(section), {}),
        ("patch", section_path(section), {"json": {"title": "x"}}),
        ("delete", section_path(section), {}),
        ("get", lessons_path(section), {}),
        ("post", lessons_path(section), {"json": {"title": "x"}}),
        ("post", f"{lessons_path(section)}reorder/", {"json": {"lesson_ids": [lesson["id"]]}}),
        ("get", lesson_path(lesson), {}),
        ("patch", lesson_path(lesson), {"json": {"title": "x"}}),
        ("delete", lesson_path(lesson), {}),
    ]


def test_nobody_else_gets_at_the_content_of_a_published_course(
    api: Api, instructor: Person, other_instructor: Person, learner: Person
) -> None:
    course = instructor.published_course()
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    section = instructor.get(sections_path(course)).json()["results"][0]
    lesson = instructor.get(lessons_path(section)).json()["results"][0]
    for method, path, arguments in requests(section, lesson):
        assert getattr(other_instructor, method)(path, **arguments).status_code == 404
        assert getattr(learner, method)(path, **arguments).status_code == 403
        assert getattr(api, method)(path, **arguments).status_code == 401
    assert instructor.get(lesson_path(lesson)).json() == lesson


def test_a_section_of_another_course_of_mine_is_not_in_this_one(instructor: Person) -> None:
    course, section = instructor.course(), instructor.section(instructor.course())
    elsewhere = section_path({**section, "course_id": course["id"]})
    for method, arguments in (("get", {}), ("patch", {"json": {"title": "x"}}), ("delete", {})):
        assert code_of(getattr(instructor, method)(elsewhere, **arguments)) == "NOT_FOUND"


def test_an_article_takes_as_long_as_reading_it(instructor: Person) -> None:
    section = instructor.section(instructor.course())
    lesson = instructor.lesson(section, body=f"<p>{'word ' * 401}</p>")
    assert (lesson["type"], lesson["duration_seconds"], lesson["duration_minutes"]) == ("article", 120, 2)
    assert instructor.lesson(section, body="<p>x</p>", duration_seconds=61)["duration_minutes"] == 2
    assert instructor.lesson(section, type="video")["duration_seconds"] == 0
    summed = instructor.get(section_path(section)).json()
    assert (summed["lessons_count"], summed["total_duration_minutes"], summed["is_preview"]) == (3, 4, False)


def test_the_text_of_a_lesson_is_cleaned_and_can_be_taken_away(instructor: Person) -> None:
    lesson = instructor.lesson(instructor.section(instructor.course()), body="<p onclick='x'>Hi<script>x</script></p>")
    assert lesson["body"] == "<p>Hi</p>"
    before = instructor.get(lesson_path(lesson)).headers["etag"]
    changed = instructor.patch(lesson_path(lesson), json={"body": None})
    assert changed.json()["body"] is None
    assert (
        code_of(instructor.patch(lesson_path(lesson), json={"body": "x"}, headers={"If-Match": before})) == "PRECONDITION_FAILED"
    )


@pytest.mark.parametrize("change", ["unpublish the section", "delete the section", "delete the lesson"])
def test_a_published_course_is_never_emptied(instructor: Person, change: str) -> None:
    course = instructor.published_course()
    section = instructor.get(sections_path(course)).json()["results"][0]
    lesson = instructor.get(lessons_path(section)).json()["results"][0]
    refused = {
        "unpublish the section": lambda: instructor.patch(section_path(section), json={"is_published": False}),
        "delete the section": lambda: instructor.delete(section_path(section)),
        "delete the lesson": lambda: instructor.delete(lesson_path(lesson)),
    }[change]()
    assert (refused.status_code, code_of(refused)) == (422, "COURSE_NOT_READY")
    assert instructor.get(lesson_path(lesson)).json() == lesson
    assert instructor.get(section_path(section)).json() == section


def test_an_admin_may_mend_the_content_of_others(instructor: Person, admin: Person) -> None:
    section = instructor.section(instructor.course())
    assert admin.patch(section_path(section), json={"title": "Mended"}).json()["title"] == "Mended"
