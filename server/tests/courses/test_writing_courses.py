"""The courses that instructors write: creating, changing, publishing, duplicating, deleting; and the categories of admins."""

from typing import Any
from uuid import uuid4

import pytest

from harness import Api, Person, code_of, fields_of, in_parallel

CREATE, OWN, CATEGORIES = "/api/v1/instructor/courses/create/", "/api/v1/instructor/courses/", "/api/v1/admin/categories/"


def path_of(course: dict[str, Any], action: str = "") -> str:
    return f"{OWN}{course['id']}/{action}"


def test_a_new_course_is_a_draft_with_everything_that_was_sent(api: Api, instructor: Person) -> None:
    sent = {
        "title": "Advanced React Development",
        "description": "Master React",
        "detailed_description": "<p>Long</p>",
        "category_id": api.category()["id"],
        "difficulty": "advanced",
        "price": 79.99,
        "currency": "EUR",
        "thumbnail_url": "https://cdn.example.com/a.jpg",
        "preview_video_url": "https://cdn.example.com/a.mp4",
        "requirements": ["JavaScript"],
        "objectives": ["Build"],
        "target_audience": ["Engineers"],
        "tags": ["react", "web development"],
    }
    response = instructor.post(CREATE, json=sent)
    created = response.json()
    assert {**sent, "category_id": created["category"]["id"]}.items() <= {
        **created,
        "category_id": created["category"]["id"],
    }.items()
    assert (created["status"], created["message"]) == ("draft", "Course created successfully")
    assert created["instructor_id"] == instructor.id
    assert response.headers["location"] == path_of(created)
    assert instructor.get(response.headers["location"]).json() == {k: v for k, v in created.items() if k != "message"}


def test_a_title_is_enough_to_begin_with(instructor: Person) -> None:
    created = instructor.course(title="Only a title")
    assert (created["price"], created["category"], created["description"]) == (None, None, None)
    assert (created["difficulty"], created["currency"], created["tags"]) == ("beginner", "USD", [])


@pytest.mark.parametrize("title", ["Same Title", "🧩🧩", "数学入门", "   spaced   out   "])
def test_slugs_are_unique_whatever_the_title_and_however_many_at_once(api: Api, instructor: Person, title: str) -> None:
    send = lambda caller: caller.post(CREATE, json={"title": title}, headers=instructor.headers).json()["slug"]  # noqa: E731
    slugs = in_parallel(api.server, [send] * 8)
    assert len(set(slugs)) == 8
    assert all(slug and slug.replace("-", "").isalnum() and slug.isascii() for slug in slugs)


@pytest.mark.parametrize(
    ("price", "currency", "status"),
    [(49.99, "USD", 201), (49.999, "USD", 422), (4800, "JPY", 201), (48.5, "JPY", 422), (1.234, "KWD", 201), (1e-7, "USD", 422)],
)
def test_a_price_has_the_decimals_of_its_currency(instructor: Person, price: float, currency: str, status: int) -> None:
    response = instructor.post(CREATE, json={"title": "Priced", "price": price, "currency": currency})
    assert response.status_code == status
    if status == 201:
        assert response.json()["price"] == price
    else:
        assert code_of(response) == "PRICE_INVALID"


def test_a_change_of_currency_alone_keeps_the_price_or_is_refused(instructor: Person) -> None:
    course = instructor.course(price=49.99)
    assert instructor.patch(path_of(course), json={"currency": "EUR"}).json()["price"] == 49.99
    assert code_of(instructor.patch(path_of(course), json={"currency": "JPY"})) == "PRICE_INVALID"
    assert instructor.patch(path_of(course), json={"currency": "JPY", "price": 50}).json()["price"] == 50


@pytest.mark.parametrize("method", ["create", "update"])
def test_an_unknown_category_is_refused(instructor: Person, method: str) -> None:
    fields = {"title": "x", "category_id": str(uuid4())}
    response = (
        instructor.post(CREATE, json=fields)
        if method == "create"
        else instructor.patch(path_of(instructor.course()), json=fields)
    )
    assert (response.status_code, code_of(response)) == (422, "CATEGORY_UNKNOWN")


def test_html_is_cleaned_of_what_could_run(instructor: Person) -> None:
    html = (
        '<p onclick="x()">Hi<script>alert(1)</script><style>p{}</style><iframe src="//x"></iframe><svg onload="x()"></svg>'
        '<a href="javascript:x()">a</a><a href="https://ok.example">b</a><img src="data:text/html,x" onerror="x()"></p>'
    )
    cleaned = instructor.course(detailed_description=html)["detailed_description"]
    assert all(word not in cleaned for word in ("script", "onclick", "onload", "onerror", "style", "iframe", "svg", "data:"))
    assert 'href="https://ok.example"' in cleaned


def test_an_update_keeps_what_is_absent_and_clears_what_is_null(instructor: Person) -> None:
    course = instructor.course(description="Old", tags=["a"], price=5)
    changed = instructor.patch(path_of(course), json={"description": None, "title": "New"}).json()
    assert (changed["description"], changed["title"], changed["tags"], changed["price"]) == (None, "New", ["a"], 5)
    assert changed["slug"] == course["slug"]


@pytest.mark.parametrize(
    ("method", "action"),
    [("patch", ""), ("delete", ""), ("post", "publish/"), ("post", "unpublish/"), ("post", "archive/")],
)
def test_a_stale_version_is_refused_and_changes_nothing(api: Api, instructor: Person, method: str, action: str) -> None:
    course = instructor.published_course()
    read = instructor.get(path_of(course))
    instructor.patch(path_of(course), json={"title": "Changed by another tab"})
    body = {"json": {"title": "Mine"}} if method == "patch" else {}
    stale = getattr(instructor, method)(path_of(course, action), headers={"If-Match": read.headers["etag"]}, **body)
    assert (stale.status_code, code_of(stale)) == (412, "PRECONDITION_FAILED")
    now = instructor.get(path_of(course))
    assert (now.json()["title"], now.json()["status"]) == ("Changed by another tab", "published")
    public = api.get(f"/api/v1/courses/{course['id']}/").headers["etag"]
    fresh = f'"999-x", {public}'  # any ETag of the course names its version, the public one too
    assert getattr(instructor, method)(path_of(course, action), headers={"If-Match": fresh}, **body).status_code in (200, 204)


def test_publishing_lists_everything_that_is_missing(instructor: Person) -> None:
    course = instructor.course()
    refused = instructor.post(path_of(course, "publish/"))
    assert (refused.status_code, code_of(refused)) == (422, "COURSE_NOT_READY")
    assert fields_of(refused) == {"description", "category_id", "price", "sections"}
    readiness = instructor.get(path_of(course, "readiness/")).json()
    assert (readiness["ready"], {problem["field"] for problem in readiness["problems"]}) == (False, fields_of(refused))


def test_publishing_again_changes_nothing_and_the_first_day_stays(instructor: Person) -> None:
    course = instructor.published_course()
    again = instructor.post(path_of(course, "publish/")).json()
    assert again == course
    instructor.post(path_of(course, "archive/"))
    back = instructor.post(path_of(course, "publish/")).json()
    assert (back["status"], back["published_at"]) == ("published", course["published_at"])
    assert instructor.post(path_of(course, "unpublish/")).json()["status"] == "draft"


@pytest.mark.parametrize(
    "change", [{"description": None}, {"description": "  "}, {"price": None}, {"category_id": None}], ids=str
)
def test_a_published_course_keeps_what_publishing_needs(instructor: Person, change: dict[str, Any]) -> None:
    course = instructor.published_course()
    refused = instructor.patch(path_of(course), json=change)
    assert (refused.status_code, code_of(refused)) == (422, "COURSE_NOT_READY")
    assert instructor.get(path_of(course)).json()["updated_at"] == course["updated_at"]


def test_publishing_and_emptying_at_once_never_leave_a_published_course_empty(api: Api, instructor: Person) -> None:
    for _ in range(10):
        course = instructor.course(description="d", price=0, category_id=api.category()["id"])
        lesson = instructor.lesson(instructor.section(course, is_published=True))
        outcomes = in_parallel(
            api.server,
            [
                lambda caller, c=course: caller.post(path_of(c, "publish/"), headers=instructor.headers).status_code,
                lambda caller, n=lesson: (
                    caller.delete(f"/api/v1/content/lessons/{n['id']}/", headers=instructor.headers).status_code
                ),
            ],
        )
        assert outcomes in ([200, 422], [422, 204])


def test_a_course_with_learners_is_not_deleted(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course()
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    refused = instructor.delete(path_of(course))
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    fresh = instructor.published_course()
    assert instructor.delete(path_of(fresh)).status_code == 204
    assert instructor.get(path_of(fresh)).status_code == 404
    assert api.server.sql("SELECT count(*) FROM lessons WHERE course_id = %s", fresh["id"]) == [(0,)]


def test_a_duplicate_has_the_content_and_none_of_the_people(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course(title="Original", tags=["x"], price=0)
    instructor.lesson(instructor.section(course, title="Hidden"), title="Later", body="<p>Body</p>")
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    copy = instructor.post(path_of(course, "duplicate/")).json()
    assert (copy["title"], copy["status"], copy["students_count"]) == ("Original (copy)", "draft", 0)
    assert (copy["sections_count"], copy["lessons_count"], copy["tags"]) == (2, 2, ["x"])
    outlines = [outline(instructor, each) for each in (course, copy)]
    assert outlines[0] == outlines[1]


def outline(instructor: Person, course: dict[str, Any]) -> list[Any]:
    sections = instructor.get(f"/api/v1/content/courses/{course['id']}/sections/").json()["results"]
    lessons = [instructor.get(f"/api/v1/content/sections/{item['id']}/lessons/").json()["results"] for item in sections]
    return [
        (section["title"], section["is_published"], [(lesson["title"], lesson["order"], lesson["body"]) for lesson in inside])
        for section, inside in zip(sections, lessons, strict=True)
    ]


def test_ones_own_courses_are_listed_in_every_status_and_nobody_elses(instructor: Person, other_instructor: Person) -> None:
    draft, published = instructor.course(title="Walnut"), instructor.published_course(title="Chestnut")
    other_instructor.course()
    listed = instructor.get(OWN).json()
    assert [course["id"] for course in listed["results"]] == [published["id"], draft["id"]]
    assert instructor.get(OWN, params={"status": "draft"}).json()["count"] == 1
    assert instructor.get(OWN, params={"search": "chest"}).json()["results"][0]["id"] == published["id"]
    assert instructor.get(OWN, params={"sort": "title", "order": "desc"}).json()["results"][0]["id"] == draft["id"]


OPERATIONS = [
    ("get", ""), ("patch", ""), ("delete", ""), ("post", "publish/"), ("post", "unpublish/"), ("post", "archive/"),
    ("get", "readiness/"), ("post", "duplicate/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "action"), OPERATIONS)
def test_somebody_elses_course_is_not_there(instructor: Person, other_instructor: Person, method: str, action: str) -> None:
    body = {"json": {"title": "Taken over"}} if method == "patch" else {}
    for course in (instructor.course(), instructor.published_course()):
        refused = getattr(other_instructor, method)(path_of(course, action), **body)
        assert (refused.status_code, code_of(refused)) == (404, "COURSE_NOT_FOUND")
        assert instructor.get(path_of(course)).json()["title"] == course["title"]


@pytest.mark.parametrize(("method", "action"), [*OPERATIONS, ("post", "create/"), ("get", "list")])
def test_a_learner_may_not_write_courses_nor_anybody_unknown(
    api: Api, instructor: Person, learner: Person, method: str, action: str
) -> None:
    path = {"create/": CREATE, "list": OWN}.get(action) or path_of(instructor.course(), action)
    refused = getattr(learner, method)(path)
    assert (refused.status_code, code_of(refused)) == (403, "PERMISSION_DENIED")
    unknown = getattr(api, method)(path)
    assert (unknown.status_code, code_of(unknown)) == (401, "AUTH_REQUIRED")


def test_categories_are_the_admins(api: Api, admin: Person, instructor: Person) -> None:
    name = f"Woodworking {uuid4().hex[:6]}"
    assert instructor.post(CATEGORIES, json={"name": name}).status_code == 403
    assert api.post(CATEGORIES, json={"name": name}).status_code == 401
    response = admin.post(CATEGORIES, json={"name": name})
    category = response.json()
    assert (response.status_code, category["slug"]) == (201, name.lower().replace(" ", "-"))
    path = response.headers["location"]
    assert code_of(admin.post(CATEGORIES, json={"name": name})) == "CONFLICT"
    assert admin.patch(path, json={"description": "Joints"}).json()["description"] == "Joints"
    other = admin.post(CATEGORIES, json={"name": f"{name} 2"}).json()
    assert code_of(admin.patch(path, json={"name": other["name"]})) == "CONFLICT"
    stale = admin.patch(path, json={}, headers={"If-Match": response.headers["etag"]})
    assert (stale.status_code, admin.delete(path, headers={"If-Match": response.headers["etag"]}).status_code) == (412, 412)
    instructor.course(category_id=category["id"])
    assert code_of(admin.delete(path)) == "CONFLICT"
    assert admin.delete(f"{CATEGORIES}{other['id']}/").status_code == 204
    for gone in (admin.patch(f"{CATEGORIES}{other['id']}/", json={}), admin.delete(f"{CATEGORIES}{other['id']}/")):
        assert (gone.status_code, code_of(gone)) == (404, "NOT_FOUND")


def test_a_course_that_is_still_the_same_is_not_sent_again(instructor: Person) -> None:
    path = f"/api/v1/instructor/courses/{instructor.course()['id']}/"
    tag = instructor.get(path).headers["etag"]
    assert instructor.get(path, headers={"If-None-Match": tag}).status_code == 304
    instructor.patch(path, json={"title": "Another"})
    assert instructor.get(path, headers={"If-None-Match": tag}).status_code == 200
