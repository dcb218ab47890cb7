"""Transcripts: WebVTT, SRT and segments, faults told by line, replaced whole, and read by whoever may read the lesson."""

from typing import Any

import pytest

from harness import Api, Person, Server, code_of, in_parallel

VTT = """WEBVTT - Lifting state up

NOTE Made by hand

STYLE
::cue { color: white }

intro
00:01.000 --> 00:04.200 align:start position:10%
<v Ada>Two components need the <b>same</b> state
&amp; neither owns it.

00:00:04.200 --> 00:00:09.750
Then their parent keeps it.

00:00:09.750 --> 00:00:10.000
<i></i>
"""
SRT = """1
00:00:04,200 --> 00:00:09,750
{\\an8}Then their parent keeps it.

2
00:00:01,000 --> 00:00:04,200
Two components need the <b>same</b> state
&amp; neither owns it.
"""
SEGMENTS = [
    {"start": 1, "end": 4.2, "text": "Two components need the same state & neither owns it."},
    {"start": 4.2, "end": 9.75, "text": "Then their parent keeps it."},
]
SENT = {
    "vtt": {"format": "vtt", "text": VTT},
    "vtt with a mark of its bytes and CRLF": {"format": "vtt", "text": "\ufeff" + VTT.replace("\n", "\r\n")},
    "srt": {"format": "srt", "text": SRT},
    "srt with CRLF": {"format": "srt", "text": SRT.replace("\n", "\r\n")},
    "segments": {"format": "segments", "segments": [*reversed(SEGMENTS), {"start": 9, "end": 10, "text": " "}]},
}
CUE = "00:01.000 --> 00:02.000\nHello\n"
BROKEN = [
    ({"format": "vtt"}, "text", "is needed alone"),
    ({"format": "segments", "text": VTT}, "segments", "is needed alone"),
    ({"format": "srt", "text": SRT, "segments": SEGMENTS}, "text", "is needed alone"),
    ({"format": "vtt", "text": ""}, "text", "line 1: a WebVTT file begins with WEBVTT"),
    ({"format": "vtt", "text": SRT}, "text", "line 1: a WebVTT file begins with WEBVTT"),
    ({"format": "srt", "text": VTT}, "text", "line 1: an SRT file begins with a number, and times below it"),
    ({"format": "vtt", "text": "WEBVTT\n"}, "text", "holds no words"),
    ({"format": "vtt", "text": "WEBVTT\n\nno cue at all\n"}, "text", "holds no words"),
    (
        {"format": "vtt", "text": f"WEBVTT\n\n{CUE}\n00:03 --> 00:04.000\nBye\n"},
        "text",
        "line 6: these are no times such as 00:01:02.500 --> 00:01:04.000",
    ),
    (
        {"format": "vtt", "text": f"WEBVTT\n\n{CUE}\n00:99.000 --> 01:04.000\nBye\n"},
        "text",
        "line 6: these are no times such as 00:01:02.500 --> 00:01:04.000",
    ),
    (
        {"format": "srt", "text": "1\n00:00:01,000 --> 00:00:02,000\nA\n\n2\n00:00:02,000 --> later\nB\n"},
        "text",
        "line 6: these are no times such as 00:01:02.500 --> 00:01:04.000",
    ),
    (
        {"format": "vtt", "text": f"WEBVTT\n\n{CUE}\n00:05.000 --> 00:04.000\nBye\n"},
        "text",
        "line 6: it ends before it has started",
    ),
    ({"format": "vtt", "text": "WEBVTT\n\n00:00.000 --> 24:00:00.001\nA\n"}, "text", "line 3: it ends after more than a day"),
    (
        {"format": "vtt", "text": f"WEBVTT\n\n00:00.000 --> 00:01.000\n{'a' * 2001}\n"},
        "text",
        "line 3: it has more than 2000 characters",
    ),
    ({"format": "segments", "segments": []}, "segments", "holds no words"),
    (
        {"format": "segments", "segments": [SEGMENTS[0], {"start": 2, "end": 2, "text": "x"}]},
        "segments.1.end",
        "it ends before it has started",
    ),
]


def path_of(lesson: dict[str, Any]) -> str:
    return f"/api/v1/content/lessons/{lesson['id']}/transcript/"


@pytest.fixture
def lesson(instructor: Person) -> dict[str, Any]:
    return instructor.lesson(instructor.section(instructor.course(), is_published=True), type="video")


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT.keys())
def test_each_format_becomes_the_same_segments(instructor: Person, lesson: dict[str, Any], sent: dict[str, Any]) -> None:
    put = instructor.put(path_of(lesson), json={**sent, "language": "en-GB"})
    assert put.status_code == 200, put.text
    found = put.json()
    assert found["segments"] == SEGMENTS
    assert (found["language"], found["source"], found["segments_count"]) == ("en-GB", "upload", 2)
    assert instructor.get(path_of(lesson)).json() == found


@pytest.mark.parametrize(("sent", "field", "message"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_fault_is_told_with_its_place_and_changes_nothing(
    instructor: Person, lesson: dict[str, Any], sent: dict[str, Any], field: str, message: str
) -> None:
    before = instructor.put(path_of(lesson), json=SENT["srt"]).json()
    refused = instructor.put(path_of(lesson), json=sent)
    assert (refused.status_code, code_of(refused)) == (422, "TRANSCRIPT_INVALID")
    assert refused.json()["error"]["details"] == [{"field": field, "message": message}]
    assert instructor.get(path_of(lesson)).json() == before


def test_every_fault_of_the_cues_is_told_at_once(instructor: Person, lesson: dict[str, Any]) -> None:
    cues = "".join(f"00:0{number}.000 --> 00:00.000\nBackwards\n\n" for number in range(1, 4))
    refused = instructor.put(path_of(lesson), json={"format": "vtt", "text": f"WEBVTT\n\n{cues}"})
    assert [detail["message"][:6] for detail in refused.json()["error"]["details"]] == ["line 3", "line 6", "line 9"]


@pytest.mark.parametrize(
    "hostile",
    [
        "-->\n" * 200_000,
        "00:00.000 --> 00:01.000\n" + "<v " * 300_000,
        "00:00.000 --> 00:01.000 " + "a:" * 400_000,
        "00:00.000 --> 00:01.000\n" + "&" * 900_000,
        "0" * 900_000 + ":00.000 --> 00:01.000\nx",
    ],
)
def test_a_hostile_file_is_refused_soon(instructor: Person, lesson: dict[str, Any], hostile: str) -> None:
    refused = instructor.put(path_of(lesson), json={"format": "vtt", "text": f"WEBVTT\n\n{hostile}"}, timeout=5)
    assert (refused.status_code, code_of(refused)) == (422, "TRANSCRIPT_INVALID")


def test_what_is_too_large_is_refused_before_it_is_read(instructor: Person, lesson: dict[str, Any]) -> None:
    too_long = instructor.put(path_of(lesson), json={"format": "vtt", "text": "a" * 1_000_001})
    assert (too_long.status_code, code_of(too_long)) == (422, "VALIDATION_ERROR")
    too_large = instructor.put(path_of(lesson), json={"format": "vtt", "text": "a" * 1_048_577})
    assert (too_large.status_code, code_of(too_large)) == (413, "PAYLOAD_TOO_LARGE")


def test_a_precondition_on_a_transcript_that_was_deleted_holds_for_no_other(instructor: Person, lesson: dict[str, Any]) -> None:
    old = instructor.put(path_of(lesson), json=SENT["vtt"]).headers["etag"]
    assert instructor.delete(path_of(lesson)).status_code == 204
    new = instructor.put(path_of(lesson), json=SENT["vtt"]).headers["etag"]
    assert instructor.put(path_of(lesson), json=SENT["vtt"], headers={"If-Match": old}).status_code == 412
    assert instructor.put(path_of(lesson), json=SENT["vtt"], headers={"If-Match": new}).status_code == 200


def test_a_transcript_is_replaced_as_a_whole_and_its_version_moves(instructor: Person, lesson: dict[str, Any]) -> None:
    refused = instructor.put(path_of(lesson), json=SENT["vtt"], headers={"If-Match": "*"})
    assert (refused.status_code, code_of(refused)) == (412, "PRECONDITION_FAILED")
    first = instructor.put(path_of(lesson), json=SENT["vtt"])
    one = {"format": "segments", "segments": SEGMENTS[:1]}
    second = instructor.put(path_of(lesson), json=one, headers={"If-Match": first.headers["etag"]})
    assert second.json()["segments"] == SEGMENTS[:1]
    assert second.json()["created_at"] == first.json()["created_at"]
    stale = instructor.put(path_of(lesson), json=SENT["vtt"], headers={"If-Match": first.headers["etag"]})
    assert code_of(stale) == "PRECONDITION_FAILED"
    assert code_of(instructor.delete(path_of(lesson), headers={"If-Match": first.headers["etag"]})) == "PRECONDITION_FAILED"
    assert instructor.delete(path_of(lesson)).status_code == 204
    for gone in (instructor.get(path_of(lesson)), instructor.delete(path_of(lesson))):
        assert (gone.status_code, code_of(gone)) == (404, "NOT_FOUND")


def test_of_two_at_once_one_is_there_whole(server: Server, instructor: Person, lesson: dict[str, Any]) -> None:
    texts = [[{"start": n, "end": n + 1, "text": word} for n in range(200)] for word in ("left", "right")]
    bodies = [{"format": "segments", "segments": segments} for segments in texts] * 2
    puts = [lambda caller, body=body: caller.put(path_of(lesson), json=body, headers=instructor.headers) for body in bodies]
    assert {put.status_code for put in in_parallel(server, puts)} == {200}
    assert instructor.get(path_of(lesson)).json()["segments"] in texts


def test_who_reads_a_lesson_reads_its_transcript(api: Api, instructor: Person, other_instructor: Person, learner: Person) -> None:
    course = instructor.published_course()
    section = instructor.section(course, is_published=True)
    hidden = instructor.section(course)
    paid, preview, draft = (
        instructor.lesson(section, type="video"),
        instructor.lesson(section, is_preview=True),
        instructor.lesson(hidden, is_preview=True),
    )
    for lesson in (paid, preview, draft):
        assert instructor.put(path_of(lesson), json=SENT["srt"]).status_code == 200
    stranger, people = api.sign_up(), (learner, other_instructor)
    assert [stranger.get(path_of(lesson)).status_code for lesson in (paid, preview, draft)] == [404, 200, 404]
    assert [person.get(path_of(paid)).status_code for person in people] == [404, 404]
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    assert [learner.get(path_of(lesson)).status_code for lesson in (paid, preview, draft)] == [200, 200, 404]
    assert learner.get(path_of(paid)).json()["segments"] == SEGMENTS
    for person in (learner, stranger):
        assert code_of(person.put(path_of(paid), json=SENT["srt"])) == "PERMISSION_DENIED"
    for refused in (other_instructor.put(path_of(paid), json=SENT["srt"]), other_instructor.delete(path_of(preview))):
        assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")
    learner.post(f"/api/v1/courses/{course['id']}/unenroll/")
    assert learner.get(path_of(paid)).status_code == 404


def test_words_are_found_by_their_stem_and_by_themselves(server: Server, instructor: Person, lesson: dict[str, Any]) -> None:
    instructor.put(path_of(lesson), json=SENT["vtt"])
    found = """SELECT position FROM transcript_segments WHERE lesson_id = %s
                AND search @@ (to_tsquery('english', %s) || to_tsquery('simple', %s)) ORDER BY 1"""
    for word, places in [
        ("components", [1]),
        ("component", [1]),
        ("keeping", [2]),
        ("parent", [2]),
        ("their", [2]),
        ("mother", []),
    ]:
        assert [row[0] for row in server.sql(found, lesson["id"], word, word)] == places


def test_a_copied_course_has_its_transcripts(instructor: Person, lesson: dict[str, Any]) -> None:
    instructor.put(path_of(lesson), json={**SENT["vtt"], "language": "de"})
    copy = instructor.post(f"/api/v1/instructor/courses/{lesson['course_id']}/duplicate/").json()
    section = instructor.get(f"/api/v1/content/courses/{copy['id']}/sections/").json()["results"][0]
    copied = instructor.get(f"/api/v1/content/sections/{section['id']}/lessons/").json()["results"][0]
    found = instructor.get(path_of(copied)).json()
    assert (found["lesson_id"], found["language"], found["segments"]) == (copied["id"], "de", SEGMENTS)
