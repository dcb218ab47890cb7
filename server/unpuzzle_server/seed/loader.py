"""Loads the demo catalogue: people, courses, enrolments and reviews, all at once or not at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import yaml
from argon2 import PasswordHasher
from sqlalchemy import Connection, create_engine, text

from unpuzzle_server.kernel.database import sqlalchemy_url
from unpuzzle_server.kernel.texts import safe_html, slug

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

Rows = list[dict[str, Any]]

INSERTS = {
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
    "lessons": """INSERT INTO lessons (id, section_id, course_id, title, position, duration_seconds, is_preview,
            created_at, updated_at)
        VALUES (:id, :section_id, :course_id, :title, :position, :duration_seconds, :is_preview,
            :created_at, :created_at)""",
    "lesson_texts": "INSERT INTO lesson_texts (lesson_id, body) VALUES (:lesson_id, :body)",
    "enrollments": """INSERT INTO enrollments (id, user_id, course_id, enrolled_at, updated_at)
        VALUES (:id, :user_id, :course_id, :enrolled_at, :enrolled_at)""",
    "reviews": """INSERT INTO reviews (id, enrollment_id, course_id, user_id, rating, comment, created_at, updated_at)
        VALUES (:id, :enrollment_id, :course_id, :user_id, :rating, :comment, :created_at, :created_at)""",
}


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
            _insert(connection, demo_rows())
            return True
    finally:
        engine.dispose()


def _insert(connection: Connection, tables: dict[str, Rows]) -> None:
    for table, rows in tables.items():
        connection.execute(text(INSERTS[table]), rows)


def demo_rows() -> dict[str, Rows]:
    """The rows of every table, with ids that are the same on each machine."""
    tables: dict[str, Rows] = {table: [] for table in INSERTS}
    _add_people(tables, _read(HERE / "people.yaml"))
    for path in sorted((HERE / "catalogue").glob("*.yaml")):
        _add_category(tables, _read(path))
    return tables


def demo_id(kind: str, name: str) -> UUID:
    return uuid5(NAMESPACE, f"{kind}:{name}")


def _read(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)


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


def _add_category(tables: dict[str, Rows], content: dict[str, Any]) -> None:
    category = content["category"]
    category_id = demo_id("category", category["slug"])
    tables["categories"].append({"id": category_id, **category})
    for course in content["courses"]:
        _add_course(tables, category_id, course)


def _add_course(tables: dict[str, Rows], category_id: UUID, course: dict[str, Any]) -> None:
    name = slug(course["title"], "course")
    published = datetime.fromisoformat(course["published_on"]).replace(hour=9, tzinfo=UTC)
    course_id = demo_id("course", name)
    made = {"created_at": published - timedelta(days=30)}
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
    _add_learners(tables, course_id, course, published)


def _add_section(
    tables: dict[str, Rows], course_id: UUID, place: int, section: dict[str, Any], made: dict[str, Any], numbers: Iterator[int]
) -> None:
    section_id = demo_id("section", f"{course_id}:{place}")
    about = {"title": section["title"], "description": section["description"], "position": place}
    tables["sections"].append({**made, **about, "id": section_id, "course_id": course_id})
    for position, lesson in enumerate(section["lessons"], 1):
        lesson_id = demo_id("lesson", f"{course_id}:{next(numbers)}")
        tables["lessons"].append(
            {
                **made,
                "id": lesson_id,
                "section_id": section_id,
                "course_id": course_id,
                "title": lesson["title"],
                "position": position,
                "duration_seconds": lesson["minutes"] * 60,
                "is_preview": lesson.get("is_preview", False),
            }
        )
        tables["lesson_texts"].append({"lesson_id": lesson_id, "body": safe_html(lesson["body"])})


def _add_learners(tables: dict[str, Rows], course_id: UUID, course: dict[str, Any], published: datetime) -> None:
    for learner in course["learners"]:
        row = {"user_id": demo_id("user", f"learner-{learner}"), "course_id": course_id}
        enrolled = published + timedelta(days=learner % 20 + 1)
        tables["enrollments"].append({**row, "id": demo_id("enrollment", f"{course_id}:{learner}"), "enrolled_at": enrolled})
    for review in course["reviews"]:
        learner = review["learner"]
        tables["reviews"].append(
            {
                "id": demo_id("review", f"{course_id}:{learner}"),
                "enrollment_id": demo_id("enrollment", f"{course_id}:{learner}"),
                "course_id": course_id,
                "user_id": demo_id("user", f"learner-{learner}"),
                "rating": review["rating"],
                "comment": review["comment"],
                "created_at": published + timedelta(days=learner % 20 + 15),
            }
        )
