"""What the peers' handlers do, on SQLAlchemy's ORM.

It does less than ours: no row level security, no rate limits, no idempotency keys, no ETags, no log.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from sqlalchemy import Numeric, cast, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import joinedload, selectinload, undefer

from peers.orm import Course, Enrollment, KeptCount, LoginSession, RefreshToken, Section, Stats, User
from peers.tokens import TokenReader
from unpuzzle_server.auth.passwords import Passwords
from unpuzzle_server.auth.tokens import ACCESS_LIFE, REFRESH_LIFE, Claims, TokenIssuer, derived_key, refresh_hash
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.database import sqlalchemy_url
from unpuzzle_server.kernel.exchange import Identity
from unpuzzle_server.kernel.settings import Settings

INSTRUCTOR = joinedload(Course.instructor).load_only(User.full_name, User.avatar_url)
SUMMARY = select(Course).options(INSTRUCTOR, joinedload(Course.category), joinedload(Course.stats))
DETAIL = select(Course).options(
    joinedload(Course.instructor),
    joinedload(Course.category),
    joinedload(Course.stats),
    undefer(Course.detailed_description),
    selectinload(Course.sections).selectinload(Section.lessons),
)
PUBLISHED = Course.status == "published"
TAKING = Enrollment.status.in_(["active", "completed"])


class Refused(Exception):
    """Never raised by what is measured; a real server would answer 4xx."""


class Store:
    def __init__(self, settings: Settings) -> None:
        self.public_url = settings.public_url
        self.passwords = Passwords(settings)
        self.clock = Clock()
        self.issuer = TokenIssuer(derived_key(settings.secret_key, "access-token"), self.clock)
        self.tokens = TokenReader(settings.secret_key)
        connect = {"prepare_threshold": 5, "options": "-c timezone=UTC"}
        engine = create_async_engine(
            sqlalchemy_url(settings.database_url), pool_size=settings.database_pool_size, max_overflow=0, connect_args=connect
        )
        self.sessions = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Store":
        return cls(Settings.from_environment(environment))

    async def identify(self, token: str) -> Identity:
        claims = self.tokens.read(token)
        async with self.sessions() as session:
            found = await session.scalar(
                select(LoginSession).where(LoginSession.id == claims.session_id).options(joinedload(LoginSession.user))
            )
        if found is None or found.ended_at or found.user.suspended_at or found.user_id != claims.user_id:
            raise Refused
        return Identity(claims.user_id, claims.session_id, frozenset(found.user.roles))

    async def list_courses(self, page: int, page_size: int) -> dict[str, Any]:
        async with self.sessions() as session:
            count = await session.scalar(select(func.sum(KeptCount.courses_count))) or 0
            newest = SUMMARY.where(PUBLISHED).order_by(Course.published_at.desc(), Course.id)
            courses = (await session.scalars(newest.limit(page_size).offset((page - 1) * page_size))).all()
        return {**self._page(count, page, page_size), "results": courses}

    def _page(self, count: int, page: int, page_size: int) -> dict[str, Any]:
        total_pages = -(-count // page_size)

        def link(number: int) -> str | None:
            query = urlencode({"page_size": page_size, "page": number})
            return f"{self.public_url}/api/v1/courses/?{query}" if 1 <= number <= total_pages else None

        return {
            "count": count,
            "next": link(page + 1),
            "previous": link(min(page - 1, total_pages)),
            "page": page,
            "page_size": page_size,
            "total_pages": total_pages,
        }

    async def get_course(self, id_or_slug: str) -> Course:
        async with self.sessions() as session:
            course = await session.scalar(DETAIL.where(PUBLISHED, by_id_or_slug(id_or_slug)))
            if course is None:
                raise Refused
            await self._add_instructor_stats(session, course.instructor)
            return course

    async def _add_instructor_stats(self, session: AsyncSession, instructor: Any) -> None:
        taught = (Course.instructor_id == instructor.id, PUBLISHED)
        rating = func.round(cast(func.sum(Stats.rating_sum), Numeric) / func.nullif(func.sum(Stats.reviews_count), 0), 1)
        courses = await session.execute(select(func.count(), rating).select_from(Course).join(Stats).where(*taught))
        instructor.courses_count, instructor.rating = courses.one()
        learners = select(func.count(distinct(Enrollment.user_id))).join(Course).where(*taught, TAKING)
        instructor.students_count = await session.scalar(learners)

    async def sign_in(self, email: str, password: str) -> dict[str, Any]:
        async with self.sessions() as session:
            user = await session.scalar(select(User).where(User.email == email.lower()).options(joinedload(User.password)))
            if user is None or user.suspended_at or not await self.passwords.matches(user.password.hash, password):
                raise Refused
            return await self._opened(session, user)

    async def _opened(self, session: AsyncSession, user: User) -> dict[str, Any]:
        login = LoginSession(id=uuid4(), user_id=user.id)
        tokens = self.issuer.issue(Claims(user.id, login.id))
        session.add(login)
        await session.flush()
        hashed, expires_at = refresh_hash(tokens.refresh_token), self.clock.now() + REFRESH_LIFE
        session.add(RefreshToken(hash=hashed, session_id=login.id, user_id=user.id, expires_at=expires_at))
        await session.commit()
        return {
            "user": user,
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "token_type": "Bearer",
            "expires_at": tokens.expires_at,
            "expires_in": int(ACCESS_LIFE / timedelta(seconds=1)),
        }

    async def enroll(self, identity: Identity, id_or_slug: str) -> dict[str, Any]:
        async with self.sessions() as session:
            course = await session.scalar(select(Course).where(by_id_or_slug(id_or_slug)))
            if course is None or course.status != "published" or course.instructor_id == identity.user_id or course.price:
                raise Refused
            enrollment = Enrollment(user_id=identity.user_id, course_id=course.id)
            session.add(enrollment)
            await session.commit()
        return {
            "enrollment_id": enrollment.id,
            "course_id": course.id,
            "user_id": identity.user_id,
            "enrolled_at": enrollment.enrolled_at,
            "payment": None,
            "message": "Successfully enrolled in course",
        }


def by_id_or_slug(id_or_slug: str) -> Any:
    try:
        return Course.id == UUID(id_or_slug)
    except ValueError:
        return Course.slug == id_or_slug
