"""Whether analytics stay as fast when a course has a million events: python benchmarks/analytics.py [--events 1000000]

Ten thousand learners take one course of a hundred lessons. Each event is a quarter of an hour in a lesson that is completed: the
most rows that events can leave. The pages are measured when each learner has one event, and when all are there. The rows are
written around the triggers and counted by `analytics rebuild`, whose time is told too; what one more event costs with them is
measured through the API. Fails when a page takes twice as long, or more statements.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine

from unpuzzle_server.app import create_app
from unpuzzle_server.kernel import schema
from unpuzzle_server.kernel.database import sqlalchemy_url
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
from unpuzzle_server.kernel.settings import Settings

SECRET = "a key for benchmarks only, 32 or more"
LEARNERS, LESSONS, REQUESTS, MOST = 10_000, 100, 200, 2.0
SETTINGS = Settings(
    secret_key=SECRET,
    database_prepared_statements=True,
    rate_limit_anonymous=10**9,
    rate_limit_authenticated=10**9,
    rate_limit_sign_up=10**9,
    public_url="http://127.0.0.1:8000",
    log_level="error",
)
FILLED = ("users", "sections", "lessons", "enrollments", "lesson_progress", "study_time")
PEOPLE = """
    INSERT INTO users (id, email, full_name)
    SELECT gen_random_uuid(), 'learner-' || n || '@example.com', 'Learner' FROM generate_series(1, :learners - 1) AS n
"""
COURSE = """
    WITH section AS (INSERT INTO sections (course_id, title, position, is_published) VALUES (:course, 'All', 1, true)
                     RETURNING id)
    INSERT INTO lessons (section_id, course_id, title, type, position, duration_seconds)
    SELECT id, :course, 'Lesson ' || n, 'video', n, 900 FROM section, generate_series(1, :lessons) AS n
"""
ENROLL = """
    INSERT INTO enrollments (user_id, course_id, enrolled_at, last_accessed_at)
    SELECT id, :course, now() - interval '110 days', now() - interval '105 days' FROM users WHERE id <> :teacher
"""
# A day each, the latest yesterday; learners at all hours.
EVENTS = """
    CREATE TEMPORARY TABLE happened ON COMMIT DROP AS
    SELECT u.id AS user_id, l.id AS lesson_id,
           date_bin('15 minutes', now(), 'epoch') - (1 + :lessons - l.position) * interval '1 day'
               - (row_number() OVER () % 96) * interval '15 minutes' AS moment
      FROM (SELECT id FROM users WHERE id <> :teacher) u, lessons l
     WHERE l.course_id = :course AND l.position BETWEEN :first AND :last;
    INSERT INTO lesson_progress (user_id, lesson_id, course_id, positioned_at, watched, completed_at, accessed_at)
    SELECT user_id, lesson_id, :course, moment, '{[0,900)}', moment, moment FROM happened;
    INSERT INTO study_time SELECT user_id, :course, moment, 900 FROM happened
    ON CONFLICT (user_id, course_id, quarter) DO UPDATE SET seconds = study_time.seconds + 900
"""
PAGES = {
    "analytics.get_learning, a month": "/api/v1/analytics/learning/",
    "analytics.get_learning, all time": "/api/v1/analytics/learning/?period=all_time",
    "analytics.list_achievements": "/api/v1/analytics/achievements/",
    "analytics.get_course, a month": "/api/v1/instructor/courses/{course}/analytics/",
    "analytics.get_course, all time": "/api/v1/instructor/courses/{course}/analytics/?period=all_time",
    "analytics.get_earnings": "/api/v1/instructor/earnings/",
}


def say(line: str) -> None:
    print(line, flush=True)


class Bench:
    """The API called in this process, and the database behind it."""

    def __init__(self, client: httpx.AsyncClient, owner: Engine) -> None:
        self.client, self.owner = client, owner
        self.tokens: dict[str, str] = {}
        self.ids: dict[str, str] = {}

    async def prepare(self) -> None:
        for who in ("teacher", "learner"):
            body = {"email": f"{who}@example.com", "password": "correct horse battery", "full_name": who}
            made = (await self.client.post("/api/v1/auth/signup/", json=body)).json()
            self.tokens[who], self.ids[who] = made["access_token"], made["user"]["id"]
        await self.send("teacher", "POST", "/api/v1/auth/instructor/apply/", json={})
        made = await self.send("teacher", "POST", "/api/v1/instructor/courses/create/", json={"title": "All of it", "price": 0})
        self.ids["course"] = made["id"]
        self.around_triggers(PEOPLE, COURSE, ENROLL)

    def around_triggers(self, *statements: str, **values: Any) -> None:
        known = {"learners": LEARNERS, "lessons": LESSONS, **self.ids, **values}
        self.turn("DISABLE")
        with self.owner.begin() as connection:
            for statement in ";".join(statements).split(";"):
                prepared = text(statement)
                connection.execute(prepared, {name: known[name] for name in prepared.compile().params})
        self.turn("ENABLE")

    def turn(self, how: str) -> None:
        with self.owner.begin() as connection:
            for table in FILLED:
                connection.execute(text(f"ALTER TABLE {table} {how} TRIGGER USER"))

    async def send(self, who: str, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = await self.client.request(method, path, headers=headers, **more)
        answer.raise_for_status()
        return answer.json()

    def grow(self, first: int, last: int) -> None:
        """Each learner's events from one to another."""
        begun = time.monotonic()
        self.around_triggers(EVENTS, first=first, last=last)
        loaded = time.monotonic()
        with self.owner.begin() as connection:
            connection.execute(text("SELECT app.rebuild_analytics()"))
        rebuilt = time.monotonic()
        with self.owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        say(f"{last * LEARNERS:>9,} events: loaded in {loaded - begun:.1f} s, counted anew in {rebuilt - loaded:.1f} s")

    async def measure(self) -> dict[str, tuple[float, int]]:
        """The median milliseconds of each page, and its statements."""
        found = {}
        for name, page in PAGES.items():
            who, path = ("teacher" if "/instructor/" in page else "learner"), page.format(**self.ids)
            statements = await self.counted(who, path)
            times = []
            for _ in range(REQUESTS):
                begun = time.perf_counter()
                await self.send(who, "GET", path)
                times.append(1000 * (time.perf_counter() - begun))
            found[name] = (median(times), statements)
        return found

    async def counted(self, who: str, path: str) -> int:
        sent: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            sent.append(statement)

        await self.send(who, "GET", path)
        event.listen(Engine, "before_cursor_execute", note)
        await self.send(who, "GET", path)
        event.remove(Engine, "before_cursor_execute", note)
        return len(sent)

    async def write(self) -> float:
        """The median milliseconds of one more event, told by a device."""
        with self.owner.connect() as connection:
            lesson = connection.execute(text("SELECT id FROM lessons WHERE position = 1")).scalar_one()
        times = []
        for second in range(REQUESTS):
            begun = time.perf_counter()
            body = {"watched": [{"start": 1000 + second, "end": 1001 + second}]}
            await self.send("learner", "PUT", f"/api/v1/student/lessons/{lesson}/progress/", json=body)
            times.append(1000 * (time.perf_counter() - begun))
        return median(times)


async def run(owner_url: str, each: int) -> int:
    roles = schema.prepare(owner_url, SECRET)
    settings = replace(SETTINGS, database_app_url=roles.app_url, database_worker_url=roles.worker_url)
    transport = httpx.ASGITransport(create_app(settings))
    owner = create_engine(sqlalchemy_url(owner_url))
    async with httpx.AsyncClient(transport=transport, base_url=settings.public_url, timeout=60) as client:
        bench = Bench(client, owner)
        await bench.prepare()
        bench.grow(1, 1)
        few, one = await bench.measure(), await bench.write()
        bench.grow(2, each)
        many, another = await bench.measure(), await bench.write()
    owner.dispose()
    return report(few, many, one, another, each)


def report(few: dict[str, Any], many: dict[str, Any], one: float, another: float, each: int) -> int:
    say(f"\n{'median, ms':<34} {LEARNERS:>10,} {each * LEARNERS:>10,}  growth  statements")
    slow = []
    for name, (before, statements) in few.items():
        after, again = many[name]
        say(f"{name:<34} {before:>10.2f} {after:>10.2f} {after / before:>7.2f}  {statements}")
        slow += [name] if after >= MOST * before or again != statements else []
    say(f"{'learning.record_progress':<34} {one:>10.2f} {another:>10.2f} {another / one:>7.2f}")
    say(f"\nmissed: {', '.join(slow)}" if slow else f"\nno page takes {MOST:g} × as long, or more statements")
    return len(slow)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=LEARNERS * LESSONS, help="in all, a multiple of the learners")
    each = parser.parse_args().events // LEARNERS
    with TemporaryDirectory(prefix="unpuzzle-bench-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder)) as postgres:
            return asyncio.run(run(postgres.url, min(each, LESSONS)))


if __name__ == "__main__":
    sys.exit(main())
