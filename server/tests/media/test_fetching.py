"""Fetching files: who may, for how long, and what of them."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import pytest
from engines import Engine, signed_in_again
from files import fetched, made, uploaded

from harness import Api, Person, code_of
from unpuzzle_server.kernel.runner import Runner
from workplace import Workplace


def path_of(url: str, **changes: Any) -> str:
    """An address with other values in its query."""
    parts = urlsplit(url)
    query = {name: value for name, value in {**dict(parse_qsl(parts.query)), **changes}.items() if value is not None}
    return f"{parts.path}?{urlencode(query)}"


def test_an_address_is_for_one_file_one_person_and_a_time(engine: Engine, api: Api, instructor: Person) -> None:
    data = made(300)
    url = uploaded(instructor, data)["cdn_url"]
    assert dict(parse_qsl(urlsplit(url).query))["user"] == instructor.id
    assert fetched(api, url).content == data
    another = uploaded(instructor, made(300))["media_id"]
    media_id = urlsplit(url).path.split("/")[-2]
    expires = dict(parse_qsl(urlsplit(url).query))["expires"]
    forged = [
        path_of(url, user=str(uuid4())),
        path_of(url, user=None),
        path_of(url, expires=int(expires) + 1),
        path_of(url, expires=None),
        path_of(url, signature="0" * 64),
        path_of(url, signature=None),
        path_of(url).replace(media_id, another),
        path_of(url).replace("lesson-01.mp4", "lesson-02.mp4"),
        path_of(url).replace("lesson-01.mp4", f"thumbnail-{media_id}.jpg"),
    ]
    assert {code_of(api.get(address)) for address in forged} == {"NOT_FOUND"}
    engine.server.clock.offset = timedelta(minutes=59)
    assert fetched(api, url).content == data
    engine.server.clock.offset = timedelta(hours=2, seconds=1)
    assert code_of(api.get(url)) == "NOT_FOUND"


def test_a_picture_has_a_plain_address_for_good(engine: Engine, api: Api, learner: Person) -> None:
    data = made(300, "image/png")
    url = uploaded(learner, data, "image/png", filename="ich & du.png")["cdn_url"]
    assert urlsplit(url).query == ""
    engine.server.clock.offset = timedelta(days=900)
    assert fetched(api, url).content == data
    assert fetched(api, f"{url}?signature=00").content == data


def test_the_address_in_an_answer_stays_for_an_hour(engine: Engine, instructor: Person) -> None:
    media_id = uploaded(instructor, made(300))["media_id"]
    path = f"/api/v1/media/library/{media_id}/"
    engine.server.clock.offset = timedelta(seconds=3601 - engine.server.clock.timestamp() % 3600)
    owner = signed_in_again(instructor)
    first = owner.get(path).headers["etag"]
    engine.server.clock.offset += timedelta(minutes=50)
    assert owner.get(path).headers["etag"] == first


EMBEDDED = pytest.mark.parametrize("engine", ["embedded"], indirect=True)
"""What the store here does as a CDN does; Backblaze answers for its own."""


@pytest.fixture
def file(engine: Engine, instructor: Person) -> tuple[str, bytes]:
    data = made(1000)
    return uploaded(instructor, data)["cdn_url"], data


@EMBEDDED
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=990-", 990, 1000),
        ("bytes=-10", 990, 1000),
        ("bytes=-5000", 0, 1000),
        ("bytes=500-9999", 500, 1000),
        ("bytes=0-99999999999999999999999", 0, 1000),
        (f"bytes={'0' * 30}1-{'9' * 40}", 1, 1000),
        (f"bytes=-{'9' * 60}", 0, 1000),
        ("bytes=999-999", 999, 1000),
    ],
)
def test_a_range_is_answered(api: Api, file: tuple[str, bytes], asked: str, start: int, end: int) -> None:
    url, data = file
    answer = api.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, data[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/1000"
    assert answer.headers["content-length"] == str(end - start)


@EMBEDDED
@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=1000-2000", "bytes=-0", f"bytes={'9' * 30}-"])
def test_a_range_that_is_not_there_is_refused(api: Api, file: tuple[str, bytes], asked: str) -> None:
    refused = api.get(file[0], headers={"Range": asked})
    assert (refused.status_code, code_of(refused)) == (416, "RANGE_NOT_SATISFIABLE")
    assert refused.headers["content-range"] == "bytes */1000"


@EMBEDDED
@pytest.mark.parametrize("asked", ["bytes=5-3", "bytes=0-1,5-6", "bytes=-", "bytes=x-", "lines=0-1", "bytes=0 - 1"])
def test_what_is_no_range_or_several_is_answered_by_the_whole(api: Api, file: tuple[str, bytes], asked: str) -> None:
    url, data = file
    answer = api.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, data)


@EMBEDDED
def test_a_file_is_fetched_again_only_if_it_is_another(api: Api, file: tuple[str, bytes]) -> None:
    url, data = file
    tag = api.get(url).headers["etag"]
    assert api.get(url, headers={"If-None-Match": tag}).status_code == 304
    for condition, status, content in ((tag, 206, data[:5]), ('"another"', 200, data)):
        answer = api.get(url, headers={"If-Range": condition, "Range": "bytes=0-4"})
        assert (answer.status_code, answer.content) == (status, content)


@EMBEDDED
def test_head_answers_as_get_would(api: Api, file: tuple[str, bytes]) -> None:
    head = api.client.head(file[0])
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "1000")
    assert head.headers["accept-ranges"] == "bytes"
    partial = api.client.head(file[0], headers={"Range": "bytes=0-4"})
    assert (partial.status_code, partial.headers["content-length"]) == (206, "5")


@EMBEDDED
@pytest.mark.parametrize(
    ("content_type", "filename", "disposition", "caching"),
    [
        ("video/mp4", "a.mp4", "inline; filename*=UTF-8''a.mp4", "private, max-age="),
        ("application/pdf", "no <b>.html", "attachment; filename*=UTF-8''no%20%3Cb%3E.html", "private, max-age="),
        ("image/png", "ü.png", "inline; filename*=UTF-8''%C3%BC.png", "public, max-age=31536000, immutable"),
    ],
)
def test_nothing_that_is_fetched_runs_as_a_page(
    api: Api, instructor: Person, content_type: str, filename: str, disposition: str, caching: str
) -> None:
    answer = api.get(uploaded(instructor, made(90, content_type), content_type, filename=filename)["cdn_url"])
    assert answer.headers["content-type"] == content_type
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"].startswith(caching)


@EMBEDDED
def test_a_thumbnail_is_fetched_as_its_file_is(engine: Engine, api: Api, instructor: Person) -> None:
    media_id = uploaded(instructor, made(300))["media_id"]
    key, picture = f"thumbnails/{media_id}.jpg", made(90, "image/jpeg")
    keep(engine, key, picture)
    engine.server.sql("UPDATE media SET thumbnail_key = %s WHERE id = %s", key, media_id)
    url = instructor.get(f"/api/v1/media/library/{media_id}/").json()["thumbnail_url"]
    answer = api.get(url)
    assert (answer.content, answer.headers["content-type"]) == (picture, "image/jpeg")
    assert code_of(api.get(path_of(url, signature="00"))) == "NOT_FOUND"


def keep(engine: Engine, key: str, content: bytes) -> None:
    """As a worker does it."""

    async def kept(runner: Runner) -> None:
        await runner.kernel.gateways["media"].storage.put(key, content, "image/jpeg")

    Workplace(engine.server).run(kept)
