"""Whether analytics stay as fast when a course has a million events: python benchmarks/analytics.py [--events 1000000]

Ten thousand learners take one course of a hundred lessons. Each event is a quarter of an hour in a lesson that is completed: the
most rows that events can leave. The pages are measured where each learner has one event, and where all are there. The rows are
written around the triggers and counted by `analytics rebuild`, whose time is told too; what one more event costs with them is
measured through the API. Fails when a page takes twice as long, or more statements.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
    SELECT id, :course, 'Lesson ' || n, 'video', n, 900 FROM section, generate_series(1, :lessons + 1) AS n
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
     WHERE l.course_id = :course AND l.position <= :each;
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

    @property
    def extra(self) -> str:
        """A lesson that nobody has begun."""
        with self.owner.connect() as connection:
            newest = "SELECT id FROM lessons WHERE course_id = :course ORDER BY position DESC LIMIT 1"
            return str(connection.execute(text(newest), {"course": self.ids["course"]}).scalar_one())

    def grow(self, each: int) -> None:
        """So many events for each learner."""
        begun = time.monotonic()
        self.around_triggers(EVENTS, each=each)
        loaded = time.monotonic()
        with self.owner.begin() as connection:
            connection.execute(text("SELECT app.rebuild_analytics()"))
        rebuilt = time.monotonic()
        with self.owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        say(f"{each * LEARNERS:>9,} events: loaded in {loaded - begun:.1f} s, counted anew in {rebuilt - loaded:.1f} s")

    async def timed(self, who: str, method: str, path: str, **more: Any) -> float:
        """The milliseconds of one request."""
        begun = time.perf_counter()
        await self.send(who, method, path, **more)
        return 1000 * (time.perf_counter() - begun)

    async def statements(self, who: str, path: str) -> int:
        sent: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            sent.append(statement)

        await self.send(who, "GET", path)
        event.listen(Engine, "before_cursor_execute", note)
        await self.send(who, "GET", path)
        event.remove(Engine, "before_cursor_execute", note)
        return len(sent)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Bench]:
    with EmbeddedPostgres(folder) as postgres:
        roles = schema.prepare(postgres.url, SECRET)
        settings = replace(SETTINGS, database_app_url=roles.app_url, database_worker_url=roles.worker_url)
        transport = httpx.ASGITransport(create_app(settings))
        owner = create_engine(sqlalchemy_url(postgres.url))
        async with httpx.AsyncClient(transport=transport, base_url=settings.public_url, timeout=60) as client:
            bench = Bench(client, owner)
            await bench.prepare()
            yield bench
        owner.dispose()


async def compare(few: Bench, many: Bench, each: int) -> int:
    """Both in turns, so that what disturbs one disturbs the other."""
    say(f"\n{'median, ms':<34} {LEARNERS:>10,} {each * LEARNERS:>10,}  growth  statements")
    slow = []
    for name, page in PAGES.items():
        who = "teacher" if "/instructor/" in page else "learner"
        paths = [page.format(**bench.ids) for bench in (few, many)]
        statements = [await bench.statements(who, path) for bench, path in zip((few, many), paths, strict=True)]
        times = [
            [await bench.timed(who, "GET", path) for bench, path in zip((few, many), paths, strict=True)] for _ in range(REQUESTS)
        ]
        before, after = (median(column) for column in zip(*times, strict=True))
        say(f"{name:<34} {before:>10.2f} {after:>10.2f} {after / before:>7.2f}  {statements[1]}")
        slow += [name] if after >= MOST * before or statements[0] != statements[1] else []
    await writes(few, many)
    say(f"\nmissed: {', '.join(slow)}" if slow else f"\nno page takes {MOST:g} × as long, or more statements")
    return len(slow)


async def writes(few: Bench, many: Bench) -> None:
    """One more event, told by a device."""
    times = []
    for second in range(REQUESTS):
        body = {"watched": [{"start": second, "end": second + 1}]}
        paths = [f"/api/v1/student/lessons/{bench.extra}/progress/" for bench in (few, many)]
        times.append(
            [await bench.timed("learner", "PUT", path, json=body) for bench, path in zip((few, many), paths, strict=True)]
        )
    before, after = (median(column) for column in zip(*times, strict=True))
    say(f"{'learning.record_progress':<34} {before:>10.2f} {after:>10.2f} {after / before:>7.2f}")


async def run(folder: Path, each: int) -> int:
    async with opened(folder / "few") as few, opened(folder / "many") as many:
        few.grow(1)
        many.grow(each)
        return await compare(few, many, each)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=LEARNERS * LESSONS, help="in all, a multiple of the learners")
    each = parser.parse_args().events // LEARNERS
    with TemporaryDirectory(prefix="unpuzzle-bench-") as folder:
        Path(folder).chmod(0o755)
        for name in ("few", "many"):
            (Path(folder) / name).mkdir(mode=0o755)
        return asyncio.run(run(Path(folder), min(each, LESSONS)))


if __name__ == "__main__":
    sys.exit(main())
