"""Loads the demo catalogue: people, courses and what learners do in them, all at once or not at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate, count
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import yaml
from argon2 import PasswordHasher
from sqlalchemy import Connection, create_engine, text

from unpuzzle_server.kernel.database import sqlalchemy_url
from unpuzzle_server.kernel.texts import safe_html, slug
from unpuzzle_server.seed.learning import DAY, Row, Study

HERE = Path(__file__).parent
NAMESPACE = uuid5(NAMESPACE_URL, "https://unpuzzle.com/")
PASSWORD = "learn-by-puzzling"
DOMAIN = "demo.unpuzzle.com"
LOCK = 0x64656D6F
"""The advisory lock that keeps two servers from loading at once ("demo")."""


@dataclass(frozen=True)
class Account:
    role: str
    email: str
    password: str


ACCOUNTS = [
    Account("instructor", f"jane-smith@{DOMAIN}", PASSWORD),
    Account("student", f"learner-1@{DOMAIN}", PASSWORD),
    Account("admin", f"admin@{DOMAIN}", PASSWORD),
]
"""The accounts that the server prints when it is ready."""

Rows = list[Row]

SINCE = "set_config('app.now', CAST(CAST(:{} AS timestamptz) AS text), true) <> ''"
"""Sets the clock by which triggers tell when what they make a notification of has happened."""
LESSON = f"""
    INSERT INTO lessons (id, section_id, course_id, title, type, position, duration_seconds, is_preview, created_at, updated_at)
    SELECT :id, :section_id, :course_id, :title, :type, :position, :duration_seconds, :is_preview, :created_at, :created_at
     WHERE {SINCE.format("created_at")}"""

STATEMENTS = {
    "users": """INSERT INTO users (id, email, full_name, bio, roles, email_verified, created_at, updated_at)
        VALUES (:id, :email, :full_name, :bio, :roles, true, :created_at, :created_at)""",
    "passwords": "INSERT INTO passwords (user_id, hash) VALUES (:user_id, :hash)",
    "categories": "INSERT INTO categories (id, name, slug, description) VALUES (:id, :name, :slug, :description)",
    "courses": """INSERT INTO courses (id, instructor_id, category_id, title, slug, description, detailed_description,
            difficulty, status, price_minor, currency, requirements, objectives, target_audience, tags, published_at,
            created_at, updated_at)
        VALUES (:id, :instructor_id, :category_id, :title, :slug, :description, :detailed_description,
            :difficulty, 'published', CAST(:price * power(10::numeric, app.decimals(:currency)) AS bigint), :currency,
            :requirements, :objectives, :target_audience, :tags, :published_at,
            :created_at, :published_at)""",
    "sections": """INSERT INTO sections (id, course_id, title, description, position, is_published, created_at, updated_at)
        VALUES (:id, :course_id, :title, :description, :position, true, :created_at, :created_at)""",
    "lessons": LESSON,
    "enrollments": f"""INSERT INTO enrollments (id, user_id, course_id, enrolled_at, updated_at, last_accessed_at)
        SELECT :id, :user_id, :course_id, :enrolled_at, :enrolled_at, CAST(:last_accessed_at AS timestamptz)
         WHERE {SINCE.format("enrolled_at")}""",
    # Paid before there was a Stripe to say so: they stand in the history, and can't be refunded.
    "payments": """INSERT INTO payments (id, user_id, course_id, instructor_id, title, list_minor, currency, status, paid_at,
            created_at, updated_at)
        SELECT :id, :user_id, c.id, c.instructor_id, c.title, c.price_minor, c.currency, 'succeeded', :paid_at,
               :paid_at, :paid_at
          FROM courses c WHERE c.id = :course_id""",
    "completions": f"""UPDATE enrollments SET status = 'completed', completed_at = :completed_at
         WHERE id = :id AND {SINCE.format("completed_at")}""",
    "added_lessons": LESSON,
    "lesson_texts": "INSERT INTO lesson_texts (lesson_id, body) VALUES (:lesson_id, :body)",
    "transcripts": """INSERT INTO transcripts (lesson_id, language, source, created_at, updated_at)
        VALUES (:lesson_id, 'en', 'upload', :created_at, :created_at)""",
    "transcript_segments": """INSERT INTO transcript_segments (lesson_id, position, start_ms, end_ms, text)
        VALUES (:lesson_id, :position, :start_ms, :end_ms, :text)""",
    "lesson_progress": """INSERT INTO lesson_progress (user_id, lesson_id, position_seconds, positioned_at, watched,
            active_seconds, completed_at, accessed_at)
        VALUES (:user_id, :lesson_id, :position_seconds, :accessed_at, CAST(:watched AS nummultirange),
            :active_seconds, :completed_at, :accessed_at)""",
    "reviews": f"""INSERT INTO reviews (id, enrollment_id, course_id, user_id, rating, comment, created_at, updated_at)
        SELECT :id, :enrollment_id, :course_id, :user_id, :rating, :comment, :created_at, :created_at
         WHERE {SINCE.format("created_at")}""",
    "reflections": """INSERT INTO reflections (id, user_id, lesson_id, course_id, lesson_title, course_title, type, content,
            tags, visibility, timestamp_seconds, created_at, updated_at)
        VALUES (:id, :user_id, :lesson_id, :course_id, :lesson_title, :course_title, :type, :content,
            :tags, :visibility, :timestamp_seconds, :created_at, :created_at)""",
    "read_notifications": """UPDATE notifications SET read_at = least(created_at + interval '3 hours', now())
         WHERE user_id = :user_id AND created_at < (SELECT max(created_at) FROM notifications WHERE user_id = :user_id)""",
}
"""What is done with each list of rows, in this order."""


def load(owner_url: str, *, beside_others: bool = False) -> bool:
    """Loads the demo catalogue into a database without courses, or beside those of others; answers whether it did."""
    engine = create_engine(sqlalchemy_url(owner_url), hide_parameters=True)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            present = "SELECT EXISTS (SELECT FROM courses WHERE NOT :beside_others OR instructor_id = :demo)"
            demo = demo_id("user", "jane-smith")
            if connection.execute(text(present), {"beside_others": beside_others, "demo": demo}).scalar():
                return False
            _insert(connection, demo_rows(datetime.now(UTC)))
            return True
    finally:
        engine.dispose()


def _insert(connection: Connection, tables: dict[str, Rows]) -> None:
    for table, rows in tables.items():
        connection.execute(text(STATEMENTS[table]), rows)


def demo_rows(now: datetime) -> dict[str, Rows]:
    """The rows of every table, with ids that are the same on each machine. Some have learnt until now."""
    tables: dict[str, Rows] = {table: [] for table in STATEMENTS}
    _add_people(tables, _read(HERE / "people.yaml"))
    for path in sorted((HERE / "catalogue").glob("*.yaml")):
        _add_category(tables, _read(path), now)
    for course, lessons in _read(HERE / "transcripts.yaml").items():
        for number, sentences in lessons.items():
            _add_transcript(tables, demo_id("lesson", f"{demo_id('course', course)}:{number}"), sentences)
    return tables


def demo_id(kind: str, name: str) -> UUID:
    return uuid5(NAMESPACE, f"{kind}:{name}")


def _read(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)


def _course_id(course: Row) -> UUID:
    return demo_id("course", slug(course["title"], "course"))


def _morning(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC)


def _add_people(tables: dict[str, Rows], people: dict[str, Any]) -> None:
    hashed = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(PASSWORD)  # one for all: the password is public
    joined = datetime(2024, 1, 1, tzinfo=UTC)

    def add(name: str, full_name: str, bio: str | None, *roles: str) -> None:
        user_id = demo_id("user", name)
        row = {"id": user_id, "email": f"{name}@{DOMAIN}", "full_name": full_name, "bio": bio, "roles": ["student", *roles]}
        tables["users"].append({**row, "created_at": joined})
        tables["passwords"].append({"user_id": user_id, "hash": hashed})

    add("admin", "Demo Admin", None, "admin")
    for person in people["instructors"]:
        add(person["slug"], person["name"], person["bio"], "instructor")
    for number, person in enumerate(people["learners"], 1):
        add(f"learner-{number}", person["name"], None)
    tables["read_notifications"] = [{"user_id": user["id"]} for user in tables["users"]]


def _add_category(tables: dict[str, Rows], content: dict[str, Any], now: datetime) -> None:
    category = content["category"]
    category_id = demo_id("category", category["slug"])
    tables["categories"].append({"id": category_id, **category})
    for course in content["courses"]:
        _add_course(tables, category_id, course, now)


def _add_course(tables: dict[str, Rows], category_id: UUID, course: dict[str, Any], now: datetime) -> None:
    name = slug(course["title"], "course")
    published = _morning(course["published_on"])
    course_id = _course_id(course)
    made = {"created_at": published - DAY * 30}
    copied = ("title", "description", "difficulty", "currency", "requirements", "objectives", "target_audience", "tags")
    tables["courses"].append(
        {
            **{key: course[key] for key in copied},
            **made,
            "id": course_id,
            "slug": name,
            "instructor_id": demo_id("user", course["instructor"]),
            "category_id": category_id,
            "detailed_description": safe_html(course["detailed_description"]),
            "price": Decimal(course["price"]),
            "published_at": published,
        }
    )
    numbers = count(1)
    for place, section in enumerate(course["sections"], 1):
        _add_section(tables, course_id, place, section, made, numbers)
    for learner in course["learners"]:
        _add_learner(tables, course, learner, published, now)
    for review in course["reviews"]:
        _add_review(tables, course_id, review, published)
    for reflection in course.get("reflections", []):
        _add_reflection(tables, course, reflection)


def _add_section(
    tables: dict[str, Rows], course_id: UUID, place: int, section: dict[str, Any], made: dict[str, Any], numbers: Iterator[int]
) -> None:
    section_id = demo_id("section", f"{course_id}:{place}")
    about = {"title": section["title"], "description": section["description"], "position": place}
    tables["sections"].append({**made, **about, "id": section_id, "course_id": course_id})
    for position, lesson in enumerate(section["lessons"], 1):
        lesson_id = demo_id("lesson", f"{course_id}:{next(numbers)}")
        added = {"created_at": _morning(lesson["added_on"])} if "added_on" in lesson else {}
        tables["added_lessons" if added else "lessons"].append(
            {
                **made,
                **added,
                "id": lesson_id,
                "section_id": section_id,
                "course_id": course_id,
                "title": lesson["title"],
                "type": lesson.get("type", "article"),
                "position": position,
                "duration_seconds": lesson["minutes"] * 60,
                "is_preview": lesson.get("is_preview", False),
            }
        )
        tables["lesson_texts"].append({"lesson_id": lesson_id, "body": safe_html(lesson["body"])})


def _add_learner(tables: dict[str, Rows], course: Row, learner: int, published: datetime, now: datetime) -> None:
    """Enrols a learner, and lets them learn."""
    course_id, user_id = _course_id(course), demo_id("user", f"learner-{learner}")
    lessons = [lesson for lesson in tables["lessons"] if lesson["course_id"] == course_id]
    enrolled = published + DAY * (learner % 20 + 1)
    reviewed = learner in [review["learner"] for review in course["reviews"]]
    study = Study.of(learner, len(tables["courses"]), lessons, enrolled, now, reviewed=reviewed)
    row = {"id": demo_id("enrollment", f"{course_id}:{learner}"), "user_id": user_id, "course_id": course_id}
    tables["enrollments"].append({**row, "enrolled_at": enrolled, "last_accessed_at": study.last_accessed_at})
    if Decimal(course["price"]):
        tables["payments"].append({**row, "id": demo_id("payment", f"{course_id}:{learner}"), "paid_at": enrolled})
    tables["lesson_progress"] += [{**progress, "user_id": user_id} for progress in study.progress()]
    if study.is_completed:
        tables["completions"].append({"id": row["id"], "completed_at": study.last_accessed_at})


def _add_review(tables: dict[str, Rows], course_id: UUID, review: Row, published: datetime) -> None:
    learner = review["learner"]
    tables["reviews"].append(
        {
            "id": demo_id("review", f"{course_id}:{learner}"),
            "enrollment_id": demo_id("enrollment", f"{course_id}:{learner}"),
            "course_id": course_id,
            "user_id": demo_id("user", f"learner-{learner}"),
            "rating": review["rating"],
            "comment": review["comment"],
            "created_at": published + DAY * (learner % 20 + 15),
        }
    )


def _add_reflection(tables: dict[str, Rows], course: Row, reflection: Row) -> None:
    """Written in a lesson that its author has opened, when they did."""
    course_id, user_id = _course_id(course), demo_id("user", f"learner-{reflection['learner']}")
    lesson_id = demo_id("lesson", f"{course_id}:{reflection['lesson']}")
    (title,) = (row["title"] for row in tables["lessons"] if row["id"] == lesson_id)
    (opened,) = (
        row["accessed_at"] for row in tables["lesson_progress"] if (row["user_id"], row["lesson_id"]) == (user_id, lesson_id)
    )
    tables["reflections"].append(
        {
            **{key: reflection[key] for key in ("type", "content", "tags", "visibility")},
            "id": demo_id("reflection", f"{user_id}:{lesson_id}"),
            "user_id": user_id,
            "lesson_id": lesson_id,
            "course_id": course_id,
            "lesson_title": title,
            "course_title": course["title"],
            "timestamp_seconds": reflection.get("at"),
            "created_at": opened,
        }
    )


def _add_transcript(tables: dict[str, Rows], lesson_id: UUID, sentences: list[str]) -> None:
    """The sentences share the time of their lesson by their length."""
    (lesson,) = (row for row in tables["lessons"] if row["id"] == lesson_id)
    tables["transcripts"].append({"lesson_id": lesson_id, "created_at": lesson["created_at"]})
    pace = lesson["duration_seconds"] * 1000 / sum(map(len, sentences))
    ends = [round(pace * length) for length in accumulate(map(len, sentences))]
    for position, (start, end, sentence) in enumerate(zip([0, *ends], ends, sentences, strict=False), 1):
        row = {"position": position, "start_ms": start, "end_ms": end, "text": sentence}
        tables["transcript_segments"].append({"lesson_id": lesson_id, **row})
