"""The tables that the peers read and write, mapped as SQLAlchemy's ORM is used: eager relations, properties for what follows."""

import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, BigInteger, DateTime, ForeignKey, LargeBinary, Numeric, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

FREE = {"plan": "free", "ai_limit": 3, "ai_used": 0, "valid_until": None}


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), list[str]: ARRAY(Text)}  # noqa: RUF012


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    full_name: Mapped[str]
    avatar_url: Mapped[str | None]
    bio: Mapped[str | None]
    roles: Mapped[list[str]]
    email_verified: Mapped[bool]
    email_notifications: Mapped[bool]
    learning_reminders: Mapped[bool]
    timezone: Mapped[str]
    suspended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    password: Mapped["Password"] = relationship()

    @property
    def name(self) -> str:
        return self.full_name

    @property
    def subscription(self) -> dict[str, Any]:
        return FREE

    @property
    def preferences(self) -> "User":
        return self


class Password(Base):
    __tablename__ = "passwords"
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    hash: Mapped[str]


class LoginSession(Base):
    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    user_agent: Mapped[str | None]
    address: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    user: Mapped[User] = relationship()


class RefreshToken(Base):
    __tablename__ = "refresh_tokens"
    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"))
    user_id: Mapped[UUID]
    expires_at: Mapped[datetime]


class Category(Base):
    __tablename__ = "categories"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    slug: Mapped[str]


class Stats(Base):
    __tablename__ = "course_stats"
    course_id: Mapped[UUID] = mapped_column(ForeignKey("courses.id"), primary_key=True)
    sections_count: Mapped[int]
    lessons_count: Mapped[int]
    duration_seconds: Mapped[int]
    students_count: Mapped[int]
    reviews_count: Mapped[int]
    rating_sum: Mapped[int]
    rating: Mapped[float | None] = mapped_column(Numeric(asdecimal=False))


class KeptCount(Base):
    """How many published courses there are, kept by triggers, so that nobody has to count them."""

    __tablename__ = "catalogue_counts"
    category_id: Mapped[UUID] = mapped_column(ForeignKey("categories.id"), primary_key=True)
    difficulty: Mapped[str] = mapped_column(primary_key=True)
    courses_count: Mapped[int]


class Lesson(Base):
    __tablename__ = "lessons"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    section_id: Mapped[UUID] = mapped_column(ForeignKey("sections.id"))
    duration_seconds: Mapped[int] = mapped_column()
    is_preview: Mapped[bool]


class Section(Base):
    __tablename__ = "sections"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    course_id: Mapped[UUID] = mapped_column(ForeignKey("courses.id"))
    title: Mapped[str]
    description: Mapped[str | None]
    order: Mapped[int] = mapped_column("position")
    is_published: Mapped[bool]
    lessons: Mapped[list[Lesson]] = relationship()

    @property
    def duration_minutes(self) -> int:
        return math.ceil(sum(lesson.duration_seconds for lesson in self.lessons) / 60)

    @property
    def lessons_count(self) -> int:
        return len(self.lessons)

    @property
    def is_preview(self) -> bool:
        return any(lesson.is_preview for lesson in self.lessons)


class Course(Base):
    __tablename__ = "courses"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    instructor_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id"))
    title: Mapped[str]
    slug: Mapped[str]
    description: Mapped[str | None]
    detailed_description: Mapped[str | None] = mapped_column(deferred=True)
    difficulty: Mapped[str]
    status: Mapped[str]
    price_minor: Mapped[int | None] = mapped_column(BigInteger)
    price: Mapped[float | None] = mapped_column(Numeric(asdecimal=False))
    currency: Mapped[str]
    thumbnail_url: Mapped[str | None]
    preview_video_url: Mapped[str | None]
    requirements: Mapped[list[str]]
    objectives: Mapped[list[str]]
    target_audience: Mapped[list[str]]
    tags: Mapped[list[str]]
    published_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    instructor: Mapped[User] = relationship()
    category: Mapped[Category | None] = relationship()
    stats: Mapped[Stats] = relationship()
    sections: Mapped[list[Section]] = relationship(
        order_by=Section.order, primaryjoin="and_(Course.id == Section.course_id, Section.is_published)", viewonly=True
    )

    @property
    def duration_hours(self) -> float:
        return round(self.stats.duration_seconds / 3600, 1)

    @property
    def rating(self) -> float | None:
        return self.stats.rating

    @property
    def reviews_count(self) -> int:
        return self.stats.reviews_count

    @property
    def students_count(self) -> int:
        return self.stats.students_count

    @property
    def sections_count(self) -> int:
        return self.stats.sections_count

    @property
    def lessons_count(self) -> int:
        return self.stats.lessons_count


class Enrollment(Base):
    __tablename__ = "enrollments"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID]
    course_id: Mapped[UUID] = mapped_column(ForeignKey("courses.id"))
    status: Mapped[str] = mapped_column(default="active")
    enrolled_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))
