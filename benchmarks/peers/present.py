"""The store's objects as plain JSON, for Connexion, which has no models of its own."""

from datetime import datetime
from typing import Any

from peers.orm import Course, Section, User
from unpuzzle_server.kernel.clock import rfc3339

SUMMARY = (
    "title", "slug", "description", "thumbnail_url", "difficulty", "duration_hours", "price", "currency", "rating",
    "reviews_count", "students_count", "sections_count", "lessons_count", "tags",
)  # fmt: skip
DETAIL = ("detailed_description", "preview_video_url", "requirements", "objectives", "target_audience", "status")
SECTION = ("title", "description", "order", "duration_minutes", "lessons_count", "is_preview")
USER = ("email", "full_name", "avatar_url", "bio", "roles", "subscription", "email_verified")
PREFERENCES = ("email_notifications", "learning_reminders", "timezone")


def some(thing: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {"id": str(thing.id), **{name: getattr(thing, name) for name in names}}


def time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


def summary(course: Course) -> dict[str, Any]:
    return {
        **some(course, SUMMARY),
        "instructor": some(course.instructor, ("name", "avatar_url")),
        "category": some(course.category, ("name", "slug")) if course.category else None,
        "published_at": time(course.published_at),
        "created_at": time(course.created_at),
        "updated_at": time(course.updated_at),
    }


def detail(course: Course) -> dict[str, Any]:
    teaching = ("name", "avatar_url", "bio", "courses_count", "students_count")
    rating = course.instructor.rating  # type: ignore[attr-defined]
    return {
        **summary(course),
        **some(course, DETAIL),
        "instructor": {**some(course.instructor, teaching), "rating": None if rating is None else float(rating)},
        "sections": [section(item) for item in course.sections],
    }


def section(found: Section) -> dict[str, Any]:
    return some(found, SECTION)


def user(found: User) -> dict[str, Any]:
    preferences = {name: getattr(found, name) for name in PREFERENCES}
    times = {"created_at": time(found.created_at), "updated_at": time(found.updated_at)}
    return {**some(found, USER), "preferences": preferences, **times}


def page(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "results": [summary(course) for course in found["results"]]}


def session(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "user": user(found["user"]), "expires_at": time(found["expires_at"])}


def enrollment(found: dict[str, Any]) -> dict[str, Any]:
    ids = {name: str(found[name]) for name in ("enrollment_id", "course_id", "user_id")}
    return {**found, **ids, "enrolled_at": time(found["enrolled_at"])}
