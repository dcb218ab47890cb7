"""Certificates: issued once, in the transaction that completes a course, and verified by anybody."""

from functools import partial
from typing import Any

import pypdfium2
import pytest
import zxingcpp

from harness import CHOICE, Api, Person, Server, code_of, in_parallel

OWN = "/api/v1/student/certificates/"
XSS = '<script>alert("x")</script>'


def completed(learner: Person, instructor: Person, **fields: Any) -> dict[str, Any]:
    """The certificate of a course that a learner has just completed."""
    course = instructor.published_course(**fields)
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    tree = learner.get(f"/api/v1/student/courses/{course['id']}/learn/").json()
    learner.post(f"/api/v1/student/lessons/{tree['sections'][0]['lessons'][0]['id']}/complete/")
    newest: dict[str, Any] = learner.get(OWN).json()["results"][0]
    return newest


def path_of(certificate: dict[str, Any]) -> str:
    return f"/api/v1/certificates/{certificate['code']}/"


def words(pdf: bytes) -> str:
    return str(pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_bounded())


def test_who_completes_a_course_has_a_certificate_in_every_list(api: Api, learner: Person, instructor: Person) -> None:
    certificate = completed(learner, instructor)
    assert (certificate["learner_name"], certificate["instructor_name"]) == ("Ada Lovelace", "Ada Lovelace")
    assert (certificate["status"], certificate["revoked_at"]) == ("valid", None)
    enrollment = learner.get("/api/v1/enrollments/").json()["results"][0]
    assert certificate["issued_at"] == enrollment["completed_at"]
    assert enrollment["certificate"] == {name: certificate[name] for name in ("code", "url", "issued_at")}
    assert learner.get(f"/api/v1/enrollments/{enrollment['enrollment_id']}/").json() == enrollment
    assert learner.get("/api/v1/student/courses/").json()["results"][0]["certificate_url"] == certificate["url"]
    assert api.get(path_of(certificate)).json() == certificate
    assert certificate["url"] == f"{api.server.base_url}/certificates/{certificate['code']}/"
    assert certificate["pdf_url"] == f"{api.server.base_url}{path_of(certificate)}certificate.pdf"


def test_nobody_else_has_it_in_a_list(api: Api, learner: Person, instructor: Person) -> None:
    completed(learner, instructor)
    assert [who.get(OWN).json()["count"] for who in (learner, instructor, api.sign_up())] == [1, 0, 0]


def test_of_whatever_completes_a_course_at_once_one_certificate_comes(api: Api, learner: Person, instructor: Person) -> None:
    course = instructor.published_course()
    section = instructor.section(course, is_published=True)
    lessons = [instructor.lesson(section) for _ in range(3)]
    quiz = instructor.quiz(lessons[0])
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    tree = learner.get(f"/api/v1/student/courses/{course['id']}/learn/").json()
    attempt = learner.post(f"/api/v1/student/quizzes/{quiz['id']}/attempts/").json()
    right = [option["id"] for option in attempt["questions"][0]["options"] if option["text"] == "this"]
    body = {"answers": [{"question_id": attempt["questions"][0]["id"], "option_ids": right}]}
    path = f"/api/v1/student/quizzes/{quiz['id']}/attempts/{attempt['id']}/submit/"

    def finish(caller: Api, lesson: str) -> int:
        return caller.post(f"/api/v1/student/lessons/{lesson}/complete/", headers=learner.headers).status_code

    acts: list[Any] = [partial(finish, lesson=part["id"]) for section in tree["sections"] for part in section["lessons"]]
    acts.append(lambda caller: caller.post(path, json=body, headers=learner.headers).status_code)
    assert set(in_parallel(api.server, acts)) == {200}
    assert learner.get(OWN).json()["count"] == 1
    assert learner.get("/api/v1/enrollments/").json()["completed_courses"] == 1


def test_without_the_required_quiz_there_is_none_and_coming_back_brings_no_second(learner: Person, instructor: Person) -> None:
    certificate = completed(learner, instructor)
    path = f"/api/v1/courses/{certificate['course']['id']}"
    assert [learner.post(f"{path}/unenroll/").status_code, learner.post(f"{path}/enroll/").status_code] == [200, 201]
    course = instructor.published_course()
    lesson = instructor.get(f"/api/v1/content/courses/{course['id']}/sections/").json()["results"][0]
    only = instructor.get(f"/api/v1/content/sections/{lesson['id']}/lessons/").json()["results"][0]
    instructor.quiz(only, CHOICE)
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    learner.post(f"/api/v1/student/lessons/{only['id']}/complete/")
    assert learner.get(OWN).json()["results"] == [certificate]


def test_what_it_says_stays_when_names_and_titles_change(api: Api, learner: Person, instructor: Person) -> None:
    certificate = completed(learner, instructor)
    learner.put("/api/v1/auth/profile/update/", json={"full_name": "Somebody Else"})
    instructor.patch(f"/api/v1/instructor/courses/{certificate['course']['id']}/", json={"title": "Another"})
    assert api.get(path_of(certificate)).json() == certificate


@pytest.mark.parametrize(
    "typed", [str.lower, lambda code: code.replace("-", ""), lambda code: code.replace("0", "o").replace("1", "L")]
)
def test_a_code_is_read_however_it_is_typed(api: Api, learner: Person, instructor: Person, typed: Any) -> None:
    certificate = completed(learner, instructor)
    assert api.get(f"/api/v1/certificates/{typed(certificate['code'])}/").json() == certificate


@pytest.mark.parametrize("path", ["/api/v1/certificates/{}/", "/api/v1/certificates/{}/certificate.pdf", "/certificates/{}/"])
def test_an_unknown_code_is_not_there(api: Api, path: str) -> None:
    unknown = api.get(path.format("0000-0000-0000"))
    assert (unknown.status_code, code_of(unknown)) == (404, "NOT_FOUND")
    assert api.get(path.format("0000-0000_0000")).status_code == 422


def test_codes_are_twelve_signs_at_random(server: Server) -> None:
    codes = [code for (code,) in server.sql("SELECT app.new_code() FROM generate_series(1, 2000)")]
    assert len(set(codes)) == 2000
    assert {len(code) for code in codes} == {14}
    assert set("".join(codes)) == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ-")


def test_the_pdf_is_one_page_that_says_all(api: Api, learner: Person, instructor: Person) -> None:
    certificate = completed(learner, instructor, title="The Łódź of Ὀδυσσεύς")
    answer = api.get(f"{path_of(certificate)}certificate.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    document = pypdfium2.PdfDocument(answer.content)
    assert len(document) == 1
    width, height = document[0].get_size()
    assert (round(width), round(height)) == (842, 595)  # A4, landscape
    for said in (certificate["code"], "Ada Lovelace", "The Łódź of Ὀδυσσεύς", "Certificate of Completion"):
        assert said in words(answer.content)


def test_the_qr_code_leads_to_the_page(api: Api, learner: Person, instructor: Person) -> None:
    certificate = completed(learner, instructor)
    page = pypdfium2.PdfDocument(api.get(f"{path_of(certificate)}certificate.pdf").content)[0]
    assert [code.text for code in zxingcpp.read_barcodes(page.render(scale=2).to_pil())] == [certificate["url"]]


def test_the_page_says_all_and_runs_nothing(api: Api, learner: Person, instructor: Person) -> None:
    certificate = completed(learner, instructor, title=XSS)
    answer = api.get(f"/certificates/{certificate['code']}/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    for said in (certificate["code"], "Ada Lovelace", "This certificate is valid.", certificate["pdf_url"], "&lt;script&gt;"):
        assert said in answer.text
    assert "<script" not in answer.text
    tag = {"If-None-Match": answer.headers["etag"]}
    assert api.get(f"/certificates/{certificate['code']}/", headers=tag).status_code == 304


def test_an_admin_revokes_and_everybody_is_told(api: Api, admin: Person, learner: Person, instructor: Person) -> None:
    certificate = completed(learner, instructor)
    path = f"/api/v1/admin/certificates/{certificate['code']}/revoke/"
    for who in (learner, instructor):
        assert (who.post(path).status_code, code_of(who.post(path))) == (403, "PERMISSION_DENIED")
    revoked = admin.post(path, json={"reason": "Somebody else's answers"}).json()
    assert revoked == certificate | {"status": "revoked", "revoked_at": revoked["revoked_at"]}
    assert admin.post(path).json() == revoked  # again, without a reason, changes nothing
    assert api.get(path_of(certificate)).json() == revoked == learner.get(OWN).json()["results"][0]
    assert "was revoked" in api.get(f"/certificates/{certificate['code']}/").text
    assert api.get(f"{path_of(certificate)}certificate.pdf").status_code == 404
    assert learner.get("/api/v1/enrollments/").json()["results"][0]["certificate"] is None
    assert learner.get("/api/v1/student/courses/").json()["results"][0]["certificate_url"] is None
    told = learner.get("/api/v1/notifications/").json()["results"][0]
    expected = f"Your certificate for '{certificate['course']['title']}' was revoked: Somebody else's answers"
    assert (told["title"], told["message"]) == ("Certificate revoked", expected)
    assert "Somebody else's" not in api.get(path_of(certificate)).text


def test_revoking_what_is_not_there(admin: Person) -> None:
    refused = admin.post("/api/v1/admin/certificates/0000-0000-0000/revoke/")
    assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")
