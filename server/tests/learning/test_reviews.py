"""Reviews: one by each who takes a course, read by anybody, and the ratings of course and instructor follow at once."""

from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from harness import Api, Person, code_of, fields_of

COURSES = "/api/v1/courses/"


@pytest.fixture
def course(instructor: Person) -> dict[str, Any]:
    return instructor.published_course()


def review_path(course: dict[str, Any]) -> str:
    return f"/api/v1/student/courses/{course['id']}/review/"


def list_path(course: dict[str, Any]) -> str:
    return f"{COURSES}{course['id']}/reviews/"


def enrolled(api: Api, course: dict[str, Any], **fields: Any) -> Person:
    person = api.sign_up(**fields)
    assert person.post(f"{COURSES}{course['id']}/enroll/").status_code == 201
    return person


def reviewed(api: Api, course: dict[str, Any], *ratings: int) -> list[dict[str, Any]]:
    """Reviews by as many learners, one after the other."""
    learners = [(enrolled(api, course), rating) for rating in ratings]
    return [learner.post(review_path(course), json={"rating": rating}).json() for learner, rating in learners]


def rating_of(api: Api, course: dict[str, Any]) -> tuple[int, float | None, float | None]:
    """The course's number of reviews and rating, and its instructor's rating."""
    shown = api.get(f"{COURSES}{course['id']}/").json()
    return shown["reviews_count"], shown["rating"], shown["instructor"]["rating"]


# Writing


def test_a_review_is_answered_as_it_was_written_and_as_the_list_shows_it(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course, full_name="Grace Hopper")
    answer = learner.post(review_path(course), json={"rating": 4, "comment": "Clear."})
    made = answer.json()
    assert answer.status_code == 201
    assert made["user"] == {"id": learner.id, "name": "Grace Hopper", "avatar_url": None}
    assert (made["course_id"], made["rating"], made["comment"]) == (course["id"], 4, "Clear.")
    assert made["created_at"] == made["updated_at"]
    assert api.get(list_path(course)).json()["results"] == [made]


@pytest.mark.parametrize(
    "comment",
    ["<b>bold</b> & \"quoted\" 'text'", "  a\n\n\ttab  ", "100% {of} %s \\n", "\N{TEACUP WITHOUT HANDLE} שלום", "", "x" * 5000],
)
def test_a_comment_is_plain_text_and_stays_as_it_was_sent(api: Api, course: dict[str, Any], comment: str) -> None:
    learner = enrolled(api, course)
    assert learner.post(review_path(course), json={"rating": 3, "comment": comment}).json()["comment"] == comment
    assert learner.put(review_path(course), json={"comment": comment}).json()["comment"] == comment
    assert api.get(list_path(course)).json()["results"][0]["comment"] == comment


def test_a_course_may_be_named_by_its_slug(api: Api, course: dict[str, Any]) -> None:
    learner, path = enrolled(api, course), f"/api/v1/student/courses/{course['slug']}/review/"
    made = learner.post(path, json={"rating": 5}).json()
    assert made["course_id"] == course["id"]
    assert learner.put(path, json={"rating": 1}).json()["id"] == made["id"]
    assert api.get(f"{COURSES}{course['slug']}/reviews/").json()["count"] == 1
    assert learner.delete(path).status_code == 204


def test_a_learner_reviews_a_course_once(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    learner.post(review_path(course), json={"rating": 5})
    again = learner.post(review_path(course), json={"rating": 1})
    assert (again.status_code, code_of(again)) == (409, "CONFLICT")
    assert rating_of(api, course) == (1, 5.0, 5.0)


def test_only_who_takes_a_course_reviews_it(api: Api, course: dict[str, Any], instructor: Person, learner: Person) -> None:
    for somebody in (learner, instructor):
        refused = somebody.post(review_path(course), json={"rating": 5})
        assert (refused.status_code, code_of(refused)) == (404, "ENROLLMENT_NOT_FOUND")
    nothing = learner.post(review_path({"id": uuid4()}), json={"rating": 5})
    assert (nothing.status_code, code_of(nothing)) == (404, "COURSE_NOT_FOUND")
    assert rating_of(api, course) == (0, None, None)


def test_a_change_keeps_what_is_not_sent_and_null_clears_the_comment(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    made = learner.post(review_path(course), json={"rating": 2, "comment": "Hm."}).json()
    expected = [({}, (2, "Hm.")), ({"rating": 4}, (4, "Hm.")), ({"comment": "Ah!"}, (4, "Ah!")), ({"comment": None}, (4, None))]
    for body, after in expected:
        changed = learner.put(review_path(course), json=body).json()
        assert (changed["rating"], changed["comment"]) == after
        assert (changed["id"], changed["created_at"]) == (made["id"], made["created_at"])
        assert (changed["updated_at"] > made["updated_at"]) == (after != (2, "Hm."))


@pytest.mark.parametrize("body", [{"rating": 0}, {"rating": 6}, {"rating": 4.5}, {"rating": None}])
def test_a_rating_is_a_whole_number_from_1_to_5(api: Api, course: dict[str, Any], body: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    for send in (learner.post, learner.put):
        refused = send(review_path(course), json=body)
        assert (refused.status_code, fields_of(refused)) == (422, {"rating"})


def test_there_is_nothing_to_change_or_withdraw_without_a_review(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    for refused in (learner.put(review_path(course), json={"rating": 1}), learner.delete(review_path(course))):
        assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")


def test_a_withdrawn_review_is_gone_and_may_be_written_anew(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    first = learner.post(review_path(course), json={"rating": 1}).json()
    assert learner.delete(review_path(course)).status_code == 204
    assert (rating_of(api, course), api.get(list_path(course)).json()["results"]) == ((0, None, None), [])
    assert learner.delete(review_path(course)).status_code == 404
    second = learner.post(review_path(course), json={"rating": 3}).json()
    assert second["id"] != first["id"]
    assert rating_of(api, course) == (1, 3.0, 3.0)


def test_a_review_that_has_changed_is_neither_changed_nor_withdrawn_by_its_old_tag(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    old = learner.post(review_path(course), json={"rating": 1}).headers["etag"]
    new = learner.put(review_path(course), json={"rating": 2}, headers={"If-Match": old}).headers["etag"]
    for send, body in ((learner.put, {"json": {"rating": 3}}), (learner.delete, {})):
        refused = send(review_path(course), headers={"If-Match": old}, **body)
        assert (refused.status_code, code_of(refused)) == (412, "PRECONDITION_FAILED")
    assert rating_of(api, course)[1] == 2.0
    assert learner.delete(review_path(course), headers={"If-Match": new}).status_code == 204


def test_a_precondition_on_a_review_that_was_withdrawn_holds_for_no_other(api: Api, course: dict[str, Any]) -> None:
    learner, path, tags = enrolled(api, course), review_path(course), list[str]()
    for rating in (1, 2, 3):
        tags.append(learner.post(path, json={"rating": rating}).headers["etag"])
        tags.append(learner.put(path, json={"rating": 4}).headers["etag"])
        for old in tags[:-1]:
            assert learner.put(path, json={"rating": 5}, headers={"If-Match": old}).status_code == 412
            assert learner.delete(path, headers={"If-Match": old}).status_code == 412
        assert learner.delete(path, headers={"If-Match": tags[-1]}).status_code == 204


def test_after_leaving_a_review_may_be_withdrawn_and_not_changed(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    learner.post(review_path(course), json={"rating": 5})
    learner.post(f"{COURSES}{course['id']}/unenroll/")
    assert rating_of(api, course) == (1, 5.0, 5.0)
    for send in (learner.put, learner.post):
        refused = send(review_path(course), json={"rating": 1})
        assert (refused.status_code, code_of(refused)) == (404, "ENROLLMENT_NOT_FOUND")
    assert learner.delete(review_path(course)).status_code == 204
    assert rating_of(api, course) == (0, None, None)


def test_whoever_comes_back_has_their_review_still(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    made = learner.post(review_path(course), json={"rating": 5}).json()
    for action in ("unenroll", "enroll"):
        learner.post(f"{COURSES}{course['id']}/{action}/")
    assert learner.post(review_path(course), json={"rating": 1}).status_code == 409
    assert learner.put(review_path(course), json={"rating": 1}).json()["id"] == made["id"]


def test_a_hidden_course_is_reviewed_by_those_who_take_it(api: Api, course: dict[str, Any], instructor: Person) -> None:
    learner, other = enrolled(api, course), enrolled(api, course)
    instructor.post(f"/api/v1/instructor/courses/{course['id']}/archive/")
    assert learner.post(review_path(course), json={"rating": 2}).status_code == 201
    assert learner.put(review_path(course), json={"rating": 3}).status_code == 200
    other.post(review_path(course), json={"rating": 1})
    other.post(f"{COURSES}{course['id']}/unenroll/")
    assert other.delete(review_path(course)).status_code == 204
    assert instructor.get(f"/api/v1/instructor/courses/{course['id']}/").json()["rating"] == 3.0


# Reading


def test_the_distribution_goes_from_5_to_1_whatever_is_filtered(api: Api, course: dict[str, Any]) -> None:
    nothing = api.get(list_path(course)).json()
    assert (nothing["count"], nothing["rating"]) == (0, None)
    assert nothing["distribution"] == [{"rating": rating, "count": 0} for rating in (5, 4, 3, 2, 1)]
    reviewed(api, course, 5, 4, 5, 1)
    everything = api.get(list_path(course)).json()
    assert everything["distribution"] == [{"rating": n, "count": c} for n, c in ((5, 2), (4, 1), (3, 0), (2, 0), (1, 1))]
    assert everything["rating"] == 3.8  # 3.75, half up
    for rating, count in ((5, 2), (3, 0), (1, 1)):
        filtered = api.get(list_path(course), params={"rating": rating}).json()
        assert (filtered["count"], [review["rating"] for review in filtered["results"]]) == (count, [rating] * count)
        assert (filtered["distribution"], filtered["rating"]) == (everything["distribution"], everything["rating"])


@pytest.mark.parametrize(("sort", "order"), list(product(["created_at", "rating"], ["asc", "desc"])))
def test_each_sort_goes_both_ways_and_meets_each_review_once(api: Api, course: dict[str, Any], sort: str, order: str) -> None:
    made = reviewed(api, course, 3, 5, 3, 1, 5)
    query: dict[str, Any] = {"sort": sort, "order": order, "page_size": 2}
    met, address = [], str(api.client.build_request("GET", list_path(course), params=query).url)
    while address:
        page = api.get(address.removeprefix(api.server.base_url)).json()
        met, address = met + page["results"], page["next"]
    newest_first = sorted(made, key=lambda review: review["created_at"], reverse=True)
    assert met == sorted(newest_first, key=lambda review: review[sort], reverse=order == "desc")


def test_the_newest_come_first_and_a_sort_goes_down_unless_told(api: Api, course: dict[str, Any]) -> None:
    made = reviewed(api, course, 3, 5, 1)
    assert api.get(list_path(course)).json()["results"] == made[::-1]
    assert [review["rating"] for review in api.get(list_path(course), params={"sort": "rating"}).json()["results"]] == [5, 3, 1]


def test_reviews_show_to_whom_their_course_shows(api: Api, course: dict[str, Any], instructor: Person, learner: Person) -> None:
    inside = enrolled(api, course)
    inside.post(review_path(course), json={"rating": 5})
    assert [caller.get(list_path(course)).json()["count"] for caller in (api, learner, inside, instructor)] == [1] * 4
    instructor.post(f"/api/v1/instructor/courses/{course['id']}/unpublish/")
    assert [caller.get(list_path(course)).json()["count"] for caller in (inside, instructor)] == [1, 1]
    for caller in (api, learner):
        for path in (list_path(course), f"{COURSES}{course['slug']}/reviews/", list_path({"id": uuid4()})):
            assert (caller.get(path).status_code, code_of(caller.get(path))) == (404, "COURSE_NOT_FOUND")


def test_of_those_who_review_a_name_and_a_picture_show_as_they_are_now(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    learner.post(review_path(course), json={"rating": 5})
    learner.put("/api/v1/auth/profile/update/", json={"full_name": "Katherine", "avatar_url": "https://cdn.example.com/k.png"})
    shown = api.get(list_path(course))
    assert shown.json()["results"][0]["user"] == {
        "id": learner.id, "name": "Katherine", "avatar_url": "https://cdn.example.com/k.png"
    }  # fmt: skip
    assert learner.email not in shown.text


def test_the_reviews_of_an_account_go_with_it(api: Api, course: dict[str, Any]) -> None:
    reviewed(api, course, 5)
    gone = enrolled(api, course)
    gone.post(review_path(course), json={"rating": 1})
    assert rating_of(api, course) == (2, 3.0, 3.0)
    api.server.sql("DELETE FROM users WHERE id = %s", gone.id)
    assert rating_of(api, course) == (1, 5.0, 5.0)
    assert [review["rating"] for review in api.get(list_path(course)).json()["results"]] == [5]


def test_an_instructors_rating_is_over_all_reviews_of_their_courses(api: Api, course: dict[str, Any], instructor: Person) -> None:
    other = instructor.published_course()
    reviewed(api, course, 5, 4)
    assert rating_of(api, course) == (2, 4.5, 4.5)
    reviewed(api, other, 1)
    assert (rating_of(api, course), rating_of(api, other)) == ((2, 4.5, 3.3), (1, 1.0, 3.3))


def test_the_list_changes_its_tag_with_each_review(api: Api, course: dict[str, Any]) -> None:
    learner = enrolled(api, course)
    tags = [api.get(list_path(course)).headers["etag"]]
    for send, body in ((learner.post, {"rating": 5}), (learner.put, {"comment": "!"})):
        send(review_path(course), json=body)
        tags.append(api.get(list_path(course)).headers["etag"])
    assert len(set(tags)) == 3
    assert api.get(list_path(course), headers={"If-None-Match": tags[-1]}).status_code == 304
