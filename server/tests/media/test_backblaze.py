"""What is Backblaze's own: parts that go there directly, and files that are read there."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from engines import CHUNK, Engine
from files import UPLOADS, begin, chunk, complete, fetched, initiate, made, send, sha1, uploaded

from harness import Api, Person, code_of, in_parallel

pytestmark = pytest.mark.parametrize("engine", ["b2"], indirect=True)


def post(lane: dict[str, Any], content: bytes, number: int, **headers: str) -> httpx.Response:
    """As a client does it that sends parts to storage itself."""
    told = {lane["part_number_header"]: str(number), lane["sha1_header"]: sha1(content)}
    return httpx.request(lane["method"], lane["url"], content=content, headers={**lane["headers"], **told, **headers})


def test_parts_go_to_storage_directly(engine: Engine, api: Api, instructor: Person) -> None:
    """One of them through the server, and nobody minds."""
    data = made(4 * CHUNK + 9)
    target = begin(instructor, len(data))
    assert len(target["parts"]) == 4
    for number in (5, 1, 3, 4):
        lane = target["parts"][number % 4]
        assert post(lane, chunk(target, data, number)[0], number).status_code == 200
    assert send(api, target, data, 2).status_code == 200
    found = instructor.get(f"{UPLOADS}{target['upload_id']}/").json()["received_parts"]
    assert [part["sha1"] for part in found] == [sha1(chunk(target, data, number)[0]) for number in range(1, 6)]
    done = complete(instructor, target, file_id=target["file_id"], sha1=sha1(data)).json()
    assert fetched(api, done["cdn_url"]).content == data


def test_an_address_of_storage_is_for_one_file(engine: Engine, instructor: Person) -> None:
    """Its token names the file: with it, nobody reaches into another upload."""
    one, two = begin(instructor, 2 * CHUNK), begin(instructor, 2 * CHUNK)
    assert post(one["parts"][0], made(CHUNK), 1).status_code == 200
    assert instructor.get(f"{UPLOADS}{two['upload_id']}/").json()["received_parts"] == []
    forged = post({**one["parts"][0], "headers": {"Authorization": "another"}}, made(CHUNK), 1)
    assert forged.status_code == 401


def test_a_part_of_another_size_is_found_before_the_file_is_made(engine: Engine, instructor: Person) -> None:
    data = made(2 * CHUNK)
    target = begin(instructor, len(data))
    post(target["parts"][0], data[:CHUNK], 1)
    post(target["parts"][1], data[CHUNK:-1], 2)
    assert code_of(complete(instructor, target)) == "MEDIA_UPLOAD_FAILED"
    post(target["parts"][1], data[CHUNK:], 2)
    assert complete(instructor, target).status_code == 200


def test_renewing_gives_further_addresses(engine: Engine, instructor: Person) -> None:
    target = begin(instructor, 2 * CHUNK)
    renewed = instructor.post(f"{UPLOADS}{target['upload_id']}/renew/").json()
    tokens = [lane["headers"]["Authorization"] for lane in [*target["parts"], *renewed["parts"]]]
    assert len(set(tokens)) == 8


def test_a_small_file_goes_through_the_server_and_is_kept_once(engine: Engine, api: Api, instructor: Person) -> None:
    """An address for whole files would take them under any name, so none is given away."""
    target = begin(instructor, 500)
    assert (target["parts"], target["file_id"]) == ([], None)
    for data in (made(500), made(500)):
        send(api, target, data, 1)
    assert len(engine.kept_of(target["upload_id"])) == 1
    assert fetched(api, complete(instructor, target).json()["cdn_url"]).content == data


def test_of_those_who_complete_a_small_file_at_once_all_have_the_same(engine: Engine, api: Api, instructor: Person) -> None:
    data = made(500)
    target = begin(instructor, 500)
    send(api, target, data, 1)

    def act(caller: Api) -> httpx.Response:
        return caller.post("/api/v1/media/upload/complete/", json={"upload_id": target["upload_id"]}, headers=instructor.headers)

    answers = in_parallel(engine.server, [act] * 4)
    assert [answer.status_code for answer in answers] == [200] * 4, answers[0].text
    assert len(engine.kept_of(target["upload_id"])) == 1
    assert fetched(api, answers[0].json()["cdn_url"]).content == data


def test_an_upload_that_storage_does_not_begin_takes_no_room(engine: Engine, learner: Person) -> None:
    for operation in ("start_large_file", "get_upload_part_url"):
        engine.simulator.broken = operation
        away = initiate(learner, 3 * CHUNK, "image/png")
        engine.simulator.broken = ""
        assert (away.status_code, code_of(away)) == (503, "SERVICE_UNAVAILABLE")
    assert initiate(learner, 3 * CHUNK, "image/png").status_code == 200


def test_a_completion_that_broke_off_goes_on(engine: Engine, api: Api, instructor: Person) -> None:
    """As if the server had died after storage had made the file."""
    data = made(2 * CHUNK)
    target = begin(instructor, len(data))
    for number in (1, 2):
        send(api, target, data, number)
    session = engine.simulator
    token = session.raw.authorize_account(session.url, session.key_id, session.key)["authorizationToken"]
    session.call(
        "finish_large_file", token, {"fileId": target["file_id"], "partSha1Array": [sha1(data[:CHUNK]), sha1(data[CHUNK:])]}
    )
    assert complete(instructor, target).status_code == 200


def test_a_file_is_read_at_storage_while_its_address_lasts(engine: Engine, api: Api, instructor: Person) -> None:
    url = uploaded(instructor, made(300))["cdn_url"]
    engine.server.clock.offset = timedelta(minutes=30)
    led = api.get(url)
    assert led.status_code == 302
    assert led.headers["location"].startswith(f"{engine.simulator.url}/file/media/videos/")
    assert 1800 <= int(led.headers["location"].rpartition("_")[2]) <= 5400


def test_what_is_gone_there_is_not_there(engine: Engine, api: Api, instructor: Person) -> None:
    target = begin(instructor, 2 * CHUNK)
    engine.server.sql("UPDATE uploads SET storage_id = '9' WHERE id = %s", target["upload_id"])
    assert code_of(instructor.get(f"{UPLOADS}{target['upload_id']}/")) == "NOT_FOUND"
    assert code_of(send(api, target, made(2 * CHUNK), 1)) == "MEDIA_UPLOAD_FAILED"
