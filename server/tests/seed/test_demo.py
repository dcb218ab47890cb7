"""The demo data is one that a server could have come to: true counts, plausible times, and learners in all stages."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from server_fixtures import open_folder
from sqlalchemy.exc import DataError

from harness import CONTRACT, Api, Person, Server, running_server
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
from unpuzzle_server.seed import loader

LISTS = [
    operation.path
    for operation in CONTRACT.operations.values()
    if "x-unpuzzle-pagination" in CONTRACT.raw[operation.id]
    and operation.role in ("public", "user")
    and "{" not in operation.path
    and operation.scopes | {operation.role} != {"user"}  # no keys: one of a public demo would be everybody's
    and operation.id != "auth.list_identities"  # nor identities: whoever has one at a provider would be in
    and operation.scopes != {"ai:read"}  # nor talks with the tutor: each is somebody's own
    and not operation.id.startswith("media.")  # nor files: learners have none but their picture
    and operation.id != "subscriptions.list_invoices"  # nor invoices: those are Stripe's to make
]
MOMENTS = """
    SELECT table_name, column_name FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name = ANY (%s) AND data_type LIKE 'timestamp%%'
"""
COUNTED = """
    SELECT (SELECT count(*) FROM enrollments e WHERE e.course_id = c.id),
           (SELECT count(*) FROM lessons l WHERE l.course_id = c.id),
           (SELECT count(*) FROM reviews r WHERE r.course_id = c.id),
           (SELECT round(avg(rating), 1) FROM reviews r WHERE r.course_id = c.id)
      FROM courses c ORDER BY c.id
"""
KEPT = "SELECT students_count, lessons_count, reviews_count, rating FROM course_stats ORDER BY course_id"
# What each event should have told, to whom, and when.
EVENTS = """
    SELECT user_id, 'Welcome to the course', enrolled_at FROM enrollments
    UNION ALL SELECT user_id, 'Course completed', completed_at FROM enrollments WHERE status = 'completed'
    UNION ALL SELECT c.instructor_id, 'New review', r.created_at FROM reviews r JOIN courses c ON c.id = r.course_id
    UNION ALL SELECT e.user_id, 'New lesson available', l.created_at
                FROM lessons l JOIN courses c ON c.id = l.course_id JOIN enrollments e ON e.course_id = c.id
               WHERE l.created_at > c.published_at
    UNION ALL SELECT a.user_id, r.title, a.earned_at FROM achievements a JOIN achievement_rules r ON r.id = a.rule
     ORDER BY 1, 2, 3
"""
TOLD = "SELECT user_id, title, created_at FROM notifications ORDER BY 1, 2, 3"


@pytest.fixture(scope="module")
def demo() -> Iterator[Server]:
    with open_folder() as home, EmbeddedPostgres(home) as embedded, running_server(embedded.url) as server:
        assert loader.load(embedded.url)
        yield server


@pytest.fixture
def learner(demo: Server) -> Iterator[Person]:
    """The learner whose account the server prints."""
    account = next(account for account in loader.ACCOUNTS if account.role == "student")
    with Api(demo) as api:
        session = api.post("/api/v1/auth/signin/", json={"email": account.email, "password": account.password}).json()
        yield Person(api, session["user"]["id"], account.email, session)


@pytest.mark.parametrize("path", LISTS)
def test_its_learner_has_something_in_every_list(learner: Person, path: str) -> None:
    assert learner.get(path).json()["count"] > 0


@pytest.mark.parametrize("status", ["not_started", "in_progress", "completed"])
def test_its_learner_has_courses_in_every_stage(learner: Person, status: str) -> None:
    assert learner.get("/api/v1/student/courses/", params={"status": status}).json()["count"] > 0


def test_its_learner_is_in_the_middle_of_a_video(learner: Person) -> None:
    taken = learner.get("/api/v1/student/courses/", params={"status": "in_progress"}).json()["results"]
    trees = [learner.get(f"/api/v1/student/courses/{item['course']['slug']}/learn/").json() for item in taken]
    lessons = [lesson for tree in trees for section in tree["sections"] for lesson in section["lessons"]]
    assert any(lesson["watched"] and not lesson["is_completed"] for lesson in lessons)


def test_its_learner_has_read_some_notifications_and_has_learnt_these_days(learner: Person) -> None:
    notifications = learner.get("/api/v1/notifications/").json()
    assert 0 < notifications["unread_count"] < notifications["count"]
    latest = learner.get("/api/v1/student/courses/").json()["results"][0]
    moment = datetime.fromisoformat(latest["progress"]["last_accessed_at"])
    assert (learner.api.server.clock.now() - moment).days < 1
    spent = learner.get(f"/api/v1/student/courses/{latest['course']['id']}/progress/").json()["time_spent"]
    assert spent["total_minutes"] > 0


def test_learners_share_reflections_on_what_they_have_opened(demo: Server) -> None:
    unopened = """
        SELECT count(*) FILTER (WHERE visibility = 'public'), count(*) FILTER (WHERE NOT EXISTS (
                   SELECT FROM lesson_progress p WHERE (p.user_id, p.lesson_id) = (r.user_id, r.lesson_id)))
          FROM reflections r
    """
    ((shared, never_opened),) = demo.sql(unopened)
    assert shared > 1
    assert never_opened == 0


def test_its_counts_are_those_of_its_rows(demo: Server) -> None:
    assert demo.sql(KEPT) == demo.sql(COUNTED)


def test_whoever_reviewed_a_course_has_completed_it_and_whoever_completed_it_all_its_lessons(demo: Server) -> None:
    reviewed = "SELECT count(*) FROM reviews r JOIN enrollments e ON e.id = r.enrollment_id WHERE r.created_at > e.completed_at"
    assert demo.sql(reviewed) == demo.sql("SELECT count(*) FROM reviews")
    complete = """
        SELECT e.id, e.completed_at IS NOT NULL, coalesce(bool_and(p.completed_at IS NOT NULL), true)
          FROM enrollments e JOIN lessons l ON l.course_id = e.course_id AND l.created_at < e.enrolled_at
          LEFT JOIN lesson_progress p ON (p.user_id, p.lesson_id) = (e.user_id, l.id) GROUP BY e.id
    """
    assert all(is_completed == has_all for _, is_completed, has_all in demo.sql(complete))


def test_what_is_said_in_some_videos_can_be_read_along(demo: Server) -> None:
    said = """SELECT l.type, l.duration_seconds * 1000, array_agg(s.start_ms ORDER BY s.position),
                     array_agg(s.end_ms ORDER BY s.position)
                FROM transcript_segments s JOIN lessons l ON l.id = s.lesson_id GROUP BY l.id"""
    transcripts = demo.sql(said)
    assert len(transcripts) >= 5
    for kind, length, starts, ends in transcripts:
        assert (kind, starts, ends[-1]) == ("video", [0, *ends[:-1]], length)
        assert len(ends) >= 10


def test_everything_that_happened_was_told_when_it_happened(demo: Server) -> None:
    assert demo.sql(TOLD) == demo.sql(EVENTS)
    assert demo.sql("SELECT count(*) FROM notifications WHERE read_at < created_at") == [(0,)]


def test_nothing_has_happened_in_the_future(demo: Server) -> None:
    moments = demo.sql(MOMENTS, [*loader.STATEMENTS, "notifications", "study_time"])
    assert len(moments) > 20
    for table, column in moments:
        assert demo.sql(f"SELECT count(*) FROM {table} WHERE {column} > now()") == [(0,)], f"{table}.{column}"


def test_it_is_loaded_once(demo: Server) -> None:
    before = demo.sql(TOLD)
    assert not loader.load(demo.owner_url)
    assert not loader.load(demo.owner_url, beside_others=True)
    assert demo.sql(TOLD) == before


def test_it_is_loaded_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as home, EmbeddedPostgres(home) as embedded, running_server(embedded.url) as server:
        monkeypatch.setitem(loader.STATEMENTS, list(loader.STATEMENTS)[-1], "SELECT 1 / 0")
        with pytest.raises(DataError):
            loader.load(embedded.url)
        assert server.sql("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM courses)") == [(0, 0)]
        monkeypatch.undo()
        assert loader.load(embedded.url)
