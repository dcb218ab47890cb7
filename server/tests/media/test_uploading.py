"""Uploads: parts in any order, what is held against them, and their end."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from engines import CHUNK, Engine, signed_in_again
from files import UPLOADS, begin, chunk, complete, fetched, initiate, made, send, send_all, sha1, uploaded

from harness import Api, Person, Server, code_of, fields_of, in_parallel
from unpuzzle_sdk import Unpuzzle
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.media import uploads


def status(person: Person, target: dict[str, Any]) -> Any:
    return person.get(f"{UPLOADS}{target['upload_id']}/").json()


def test_what_is_fetched_is_what_was_sent_in_whatever_order_and_however_often(api: Api, instructor: Person) -> None:
    data = made(5 * CHUNK + 7)
    target = begin(instructor, len(data), metadata={"title": "Lesson 1", "duration_seconds": 600})
    numbers = [6, 3, 1, 3, 5, 2, 4, 1]
    assert [send(api, target, data, number).json()["part_number"] for number in numbers] == numbers
    done = complete(instructor, target, sha1=sha1(data)).json()
    assert fetched(api, done["cdn_url"]).content == data
    assert (done["file_size"], done["filename"]) == (len(data), "lesson-01.mp4")
    assert done["metadata"] == {"title": "Lesson 1", "description": None, "duration_seconds": 600, "course_id": None}


def test_chunks_may_come_at_the_same_time(engine: Engine, api: Api, instructor: Person) -> None:
    data = made(8 * CHUNK)
    target = begin(instructor, len(data))
    sent = in_parallel(engine.server, [lambda api, n=number: send(api, target, data, n) for number in range(1, 9)])
    assert {answer.status_code for answer in sent} == {200}
    assert fetched(api, complete(instructor, target).json()["cdn_url"]).content == data


def test_the_later_of_two_chunks_with_one_number_counts(api: Api, instructor: Person) -> None:
    first, second = made(2 * CHUNK), made(2 * CHUNK)
    target = begin(instructor, 2 * CHUNK)
    for data in (first, second):
        send_all(api, target, data)
    assert [part["sha1"] for part in status(instructor, target)["received_parts"]] == [sha1(second[:CHUNK]), sha1(second[CHUNK:])]
    assert fetched(api, complete(instructor, target).json()["cdn_url"]).content == second


def test_a_file_is_held_against_its_content_type(engine: Engine, api: Api, instructor: Person) -> None:
    """A lie ends the upload, and what had come is deleted."""
    target = begin(instructor, CHUNK + 1)
    send_all(api, target, made(CHUNK + 1, "image/png"))
    assert engine.kept_of(target["upload_id"])
    refused = complete(instructor, target)
    assert (refused.status_code, code_of(refused)) == (422, "MEDIA_MISMATCH")
    assert instructor.get(f"{UPLOADS}{target['upload_id']}/").status_code == 404
    engine.do("media.discard")
    assert engine.kept_of(target["upload_id"]) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"X-Bz-Content-Sha1": "0" * 40}, "MEDIA_UPLOAD_FAILED"),
        ({"Content-Range": "bytes 0-998/2500"}, "MEDIA_MISMATCH"),
        ({"Content-Range": "bytes 1-1000/2500"}, "MEDIA_MISMATCH"),
        ({"Content-Range": "bytes 0-999/2499"}, "MEDIA_MISMATCH"),
        ({"Content-Range": "bytes 3000-3999/2500"}, "MEDIA_MISMATCH"),
        ({"X-Part-Number": "2"}, "MEDIA_MISMATCH"),
        ({"X-Part-Number": "4", "Content-Range": "bytes 3000-3999/*"}, "MEDIA_MISMATCH"),
        ({"Content-Range": "bytes 2000-2499/2500"}, "MEDIA_MISMATCH"),
    ],
)
def test_a_chunk_that_is_not_what_it_says_is_not_kept(api: Api, instructor: Person, changes: dict[str, str], code: str) -> None:
    data = made(2 * CHUNK + 500)
    target = begin(instructor, len(data))
    assert code_of(send(api, target, data, 1, **changes)) == code
    assert status(instructor, target)["received_parts"] == []


def test_a_chunk_says_which_it_is(api: Api, instructor: Person) -> None:
    data = made(2 * CHUNK)
    target = begin(instructor, len(data))
    content, headers = chunk(target, data, 2)
    del headers["Content-Range"]
    assert code_of(api.put(target["upload_url"], content=content, headers=headers)) == "MEDIA_MISMATCH"
    kept = api.put(target["upload_url"], content=content, headers={**headers, "X-Part-Number": "2"})
    assert kept.json() == {"part_number": 2, "size": CHUNK, "sha1": sha1(content)}


def test_a_file_of_one_chunk_needs_no_more_than_its_bytes(api: Api, learner: Person) -> None:
    data = made(300, "image/png")
    target = begin(learner, 300, "image/png", filename="me.png")
    assert api.put(target["upload_url"], content=data, headers=target["headers"]).status_code == 200
    assert fetched(api, complete(learner, target).json()["cdn_url"]).content == data


def test_a_body_without_a_length_is_read_as_it_comes(api: Api, instructor: Person) -> None:
    data = made(CHUNK)
    target = begin(instructor, len(data))
    for content, status_code in ((iter([data[:500], data[500:]]), 200), (iter([data, b"more"]), 413), (iter([data[:9]]), 409)):
        assert api.put(target["upload_url"], content=content, headers=target["headers"]).status_code == status_code
    refused = api.put(target["upload_url"], content=b"", headers=target["headers"])
    assert (refused.status_code, fields_of(refused)) == (422, {"body"})


def test_what_is_missing_is_named_and_may_still_come(api: Api, instructor: Person) -> None:
    data = made(4 * CHUNK)
    target = begin(instructor, len(data))
    for number in (1, 3):
        send(api, target, data, number)
    refused = complete(instructor, target)
    assert (refused.status_code, code_of(refused)) == (409, "MEDIA_UPLOAD_FAILED")
    assert "2 of 4 are missing: 2, 4" in refused.json()["error"]["message"]
    found = status(instructor, target)
    assert ([part["part_number"] for part in found["received_parts"]], found["received_bytes"]) == ([1, 3], 2 * CHUNK)
    for number in (2, 4):
        send(api, target, data, number)
    assert complete(instructor, target).status_code == 200


def test_a_file_whose_sha1_is_another_is_deleted(engine: Engine, api: Api, instructor: Person) -> None:
    data = made(2 * CHUNK)
    target = begin(instructor, len(data))
    send_all(api, target, data)
    assert engine.kept_of(target["upload_id"])
    assert code_of(complete(instructor, target, sha1=sha1(b"another"))) == "MEDIA_UPLOAD_FAILED"
    assert code_of(complete(instructor, target)) == "NOT_FOUND"
    engine.do("media.discard")
    assert engine.kept_of(target["upload_id"]) == []


def test_what_a_client_thinks_of_storage_must_be_so(api: Api, instructor: Person) -> None:
    data = made(2 * CHUNK)
    target = begin(instructor, len(data))
    send_all(api, target, data)
    for wrong in ({"file_id": "4_another"}, {"cdn_url": "https://cdn.unpuzzle.com/videos/lesson-01.mp4"}):
        assert code_of(complete(instructor, target, **wrong)) == "MEDIA_MISMATCH"
    known = {"file_id": target["file_id"]} if target["file_id"] else {}
    done = complete(instructor, target, **known, cdn_url=f"{target['cdn_url']}?signature=x")
    assert done.json()["cdn_url"].startswith(target["cdn_url"])


def test_to_complete_twice_is_to_complete_once(engine: Engine, api: Api, instructor: Person) -> None:
    data = made(3 * CHUNK)
    target = begin(instructor, len(data))
    send_all(api, target, data)
    bearer = instructor.headers

    def act(caller: Api) -> Any:
        return caller.post("/api/v1/media/upload/complete/", json={"upload_id": target["upload_id"]}, headers=bearer)

    answers = in_parallel(engine.server, [act] * 4)
    answers.append(complete(instructor, target))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len({answer.json()["media_id"] for answer in answers}) == 1
    tasks = "SELECT count(*) FROM tasks WHERE name = 'media.process' AND args->>'media_id' = %s"
    assert engine.server.sql(tasks, target["upload_id"]) == [(1,)]
    found = status(instructor, target)
    assert (found["status"], found["received_parts"], found["received_bytes"]) == ("completed", [], len(data))
    assert code_of(send(api, target, data, 1)) == "MEDIA_UPLOAD_FAILED"
    for closed in (
        instructor.post(f"{UPLOADS}{target['upload_id']}/renew/"),
        instructor.delete(f"{UPLOADS}{target['upload_id']}/"),
    ):
        assert code_of(closed) == "CONFLICT"


def test_what_comes_after_a_file_was_checked_does_not_replace_it(engine: Engine, api: Api, instructor: Person) -> None:
    checked, another = made(CHUNK), made(CHUNK)
    target = begin(instructor, CHUNK)
    send_all(api, target, checked)
    done = []

    def late() -> Iterator[bytes]:
        yield another[:10]
        done.append(complete(instructor, target).json())
        yield another[10:]

    refused = api.put(target["upload_url"], content=late(), headers=target["headers"])
    assert (refused.status_code, code_of(refused)) == (409, "MEDIA_UPLOAD_FAILED")
    assert fetched(api, done[0]["cdn_url"]).content == checked


def test_a_completion_that_died_before_the_library_heard_of_it_is_gone_on_with(
    engine: Engine, api: Api, instructor: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = made(3 * CHUNK)
    (tmp_path / "lesson.mp4").write_bytes(data)
    target = begin(instructor, len(data))
    send_all(api, target, data)

    async def dies(*_: Any, **__: Any) -> Any:
        raise Problem("SERVICE_UNAVAILABLE", "The database is not available.", retry_after=1)

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_into_library", dies)
        assert complete(instructor, target).status_code == 503
    found = status(instructor, target)
    assert (found["status"], found["received_parts"], found["received_bytes"]) == ("completed", [], len(data))
    with Unpuzzle(base_url=engine.server.base_url, token=instructor.tokens["access_token"]) as client:
        resumed = client.media.upload(tmp_path / "lesson.mp4", resume=target["upload_id"])
    assert fetched(api, resumed.cdn_url).content == data
    assert len(engine.kept_of(target["upload_id"])) == 1


def test_a_completion_is_answered_again_for_its_key(api: Api, instructor: Person) -> None:
    target = begin(instructor, CHUNK)
    send_all(api, target, made(CHUNK))
    key = {"Idempotency-Key": uuid4().hex}
    body = {"upload_id": target["upload_id"]}
    answers = [instructor.post("/api/v1/media/upload/complete/", json=body, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"


def test_what_is_given_up_is_gone(engine: Engine, api: Api, instructor: Person) -> None:
    data = made(3 * CHUNK)
    target = begin(instructor, len(data))
    send(api, target, data, 1)
    assert engine.kept_of(target["upload_id"])
    path = f"{UPLOADS}{target['upload_id']}/"
    assert code_of(instructor.delete(path, headers={"If-Match": '"7-x"'})) == "PRECONDITION_FAILED"
    assert instructor.delete(path, headers={"If-Match": instructor.get(path).headers["etag"]}).status_code == 204
    for gone in (instructor.get(path), send(api, target, data, 2), complete(instructor, target)):
        assert code_of(gone) == "NOT_FOUND"
    engine.do("media.discard")
    assert engine.kept_of(target["upload_id"]) == []


def test_an_upload_ends_unless_it_is_renewed(engine: Engine, api: Api, instructor: Person) -> None:
    """Where it was left, it goes on; what nobody comes back to is deleted."""
    data = made(2 * CHUNK)
    one, two = begin(instructor, len(data)), begin(instructor, len(data))
    for target in (one, two):
        send(api, target, data, 1)
        assert engine.kept_of(target["upload_id"])
    engine.server.clock.offset = timedelta(hours=23)
    owner = signed_in_again(instructor)
    renewed = owner.post(f"{UPLOADS}{one['upload_id']}/renew/").json()
    assert renewed["expires_at"] > one["expires_at"]
    engine.server.clock.offset = timedelta(hours=24, minutes=30)
    assert code_of(send(api, one, data, 2)) == "NOT_FOUND"
    assert send(api, renewed, data, 2).status_code == 200
    owner = signed_in_again(instructor)
    engine.expire()
    assert owner.get(f"{UPLOADS}{two['upload_id']}/").status_code == 404
    done = complete(owner, renewed).json()
    assert fetched(api, done["cdn_url"]).content == data
    engine.do("media.discard")
    assert (len(engine.kept_of(one["upload_id"])), engine.kept_of(two["upload_id"])) == (1, [])


def test_an_address_is_for_one_upload(api: Api, instructor: Person) -> None:
    data = made(CHUNK)
    one, two = begin(instructor, CHUNK), begin(instructor, CHUNK)
    for url in (
        one["upload_url"].replace(one["upload_id"], two["upload_id"]),
        one["upload_url"][:-1] + "0123456789abcdef"[random.randrange(16)] * 2,
    ):
        assert api.put(url, content=data, headers=one["headers"]).status_code == 404


def test_who_does_not_teach_uploads_pictures(learner: Person) -> None:
    assert code_of(initiate(learner, 500)) == "PERMISSION_DENIED"
    assert initiate(learner, 500, "image/png").status_code == 200


def test_files_and_all_of_ones_files_have_a_limit(engine: Engine, instructor: Person, learner: Person) -> None:
    """What has not come yet counts, and two that begin together count each other."""
    too_large = initiate(instructor, 20 * CHUNK + 1)
    assert (too_large.status_code, code_of(too_large)) == (413, "MEDIA_SIZE_EXCEEDED")
    uploaded(instructor, made(5 * CHUNK))
    bearer = instructor.headers
    body = {"filename": "x.mp4", "file_size": 10 * CHUNK, "content_type": "video/mp4"}

    def act(caller: Api) -> Any:
        return caller.post("/api/v1/media/upload/initiate/", json=body, headers=bearer)

    answers = in_parallel(engine.server, [act] * 5)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 409, 409, 409]
    assert {code_of(answer) for answer in answers if answer.status_code == 409} == {"QUOTA_EXCEEDED"}
    assert code_of(initiate(learner, 3 * CHUNK + 1, "image/png")) == "QUOTA_EXCEEDED"


def test_a_file_is_for_a_course_of_ones_own(instructor: Person, other: Person) -> None:
    own, others = instructor.course(), other.course()
    assert code_of(initiate(instructor, CHUNK, metadata={"course_id": others["id"]})) == "COURSE_NOT_FOUND"
    media = uploaded(instructor, made(CHUNK), metadata={"course_id": own["id"]})
    assert media["metadata"]["course_id"] == own["id"]


def test_an_upload_is_its_owners_alone(api: Api, instructor: Person, other: Person) -> None:
    target = begin(instructor, CHUNK)
    send_all(api, target, made(CHUNK))
    path = f"{UPLOADS}{target['upload_id']}/"
    for refused in (other.get(path), other.delete(path), other.post(f"{path}renew/"), complete(other, target)):
        assert code_of(refused) == "NOT_FOUND"
    assert complete(instructor, target).status_code == 200


@pytest.mark.parametrize("filename", ["../x.mp4", "a/b.mp4", "a\\b.mp4", "~x.mp4", ".x.mp4", "a\nb.mp4", ""])
def test_a_name_is_a_name_and_no_path(instructor: Person, filename: str) -> None:
    assert fields_of(initiate(instructor, CHUNK, filename=filename)) == {"filename"}


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "application/javascript", "video/MP4"])
def test_other_types_are_not_taken(instructor: Person, content_type: str) -> None:
    assert fields_of(initiate(instructor, CHUNK, content_type)) == {"content_type"}


def test_many_uploads_go_on_side_by_side(api: Api, instructor: Person) -> None:
    files = [made(3 * CHUNK) for _ in range(4)]
    targets = [begin(instructor, 3 * CHUNK) for _ in files]
    jobs = [(target, data, number) for target, data in zip(targets, files, strict=True) for number in (1, 2, 3)]
    random.shuffle(jobs)
    with ThreadPoolExecutor(6) as pool:
        assert {answer.status_code for answer in pool.map(lambda job: send(api, *job), jobs)} == {200}
    done = [complete(instructor, target).json() for target in targets]
    assert [fetched(api, media["cdn_url"]).content for media in done] == files


def test_a_page_may_send_what_it_is_told_to(api: Api, instructor: Person) -> None:
    """A browser asks first whether it may send the headers of the answer from a page of another origin."""
    target = begin(instructor, CHUNK)
    wanted = {name.lower() for name in target["headers"]} | {"content-range", "x-bz-content-sha1"}
    asked = {"Origin": "https://app.unpuzzle.com", "Access-Control-Request-Method": target["upload_method"]}
    answer = api.client.options(target["upload_url"], headers={**asked, "Access-Control-Request-Headers": ",".join(wanted)})
    assert answer.status_code == 200
    assert wanted <= {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}


def test_157286400_bytes_are_30_chunks_of_5_mib(server: Server) -> None:
    with Api(server) as api:
        target = begin(api.sign_up_instructor(), 157_286_400)
        assert (target["chunk_size"], target["total_chunks"]) == (5_242_880, 30)
