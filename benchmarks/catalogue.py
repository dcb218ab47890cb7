"""A catalogue of 10,000 courses, the same at every run, written by PostgreSQL itself."""

from datetime import UTC, datetime

import psycopg
from argon2 import PasswordHasher

COURSES, INSTRUCTORS, LEARNERS, CATEGORIES = 10_000, 100, 200, 12
PASSWORD = "learn by puzzling"
FRESH_LEARNERS = 9
"""The first of the learners take nothing, until a benchmark enrols them."""

FILL = """
INSERT INTO users (id, email, full_name, bio, roles, created_at)
SELECT md5('instructor' || n)::uuid, 'instructor-' || n || '@example.com', 'Instructor ' || n,
       'Has taught for ' || n || ' years.', '{student,instructor}', %(start)s FROM generate_series(1, %(instructors)s) n;
INSERT INTO users (id, email, full_name, created_at)
SELECT md5('learner' || n)::uuid, 'learner-' || n || '@example.com', 'Learner ' || n, %(start)s
  FROM generate_series(1, %(learners)s) n;
INSERT INTO passwords (user_id, hash) SELECT id, %(hash)s FROM users;
INSERT INTO categories (id, name, slug) SELECT md5('category' || n)::uuid, 'Category ' || n, 'category-' || n
  FROM generate_series(1, %(categories)s) n;
INSERT INTO courses (id, instructor_id, category_id, title, slug, description, detailed_description, difficulty, status,
                     price_minor, thumbnail_url, requirements, objectives, target_audience, tags, published_at, created_at,
                     updated_at)
SELECT md5('course' || n)::uuid, md5('instructor' || 1 + n %% %(instructors)s)::uuid,
       md5('category' || 1 + n %% %(categories)s)::uuid, 'Course ' || n || ' on how things work', 'course-' || n,
       'What happens inside, step by step, with an exercise after each of them. Course ' || n || '.',
       repeat('<p>A paragraph on what this course is about, and for whom.</p>', 5),
       (ARRAY['beginner', 'intermediate', 'advanced'])[1 + n %% 3], 'published', 0,
       'https://cdn.example.com/courses/' || n || '.webp', '{Curiosity}', ARRAY['See how it works', 'Mend it'], '{Makers}',
       ARRAY['tag-' || n %% 50, 'making'], %(start)s + n * interval '1 hour', %(start)s, %(start)s + n * interval '1 hour'
  FROM generate_series(1, %(courses)s) n;
INSERT INTO sections (id, course_id, title, position, is_published)
SELECT md5('section' || c || '.' || n)::uuid, md5('course' || c)::uuid, 'Section ' || n, n, true
  FROM generate_series(1, %(courses)s) c, generate_series(1, 3) n;
INSERT INTO lessons (section_id, course_id, title, position, duration_seconds, is_preview)
SELECT md5('section' || c || '.' || s)::uuid, md5('course' || c)::uuid, 'Lesson ' || n, n, 300 + 60 * n, s * n = 1
  FROM generate_series(1, %(courses)s) c, generate_series(1, 3) s, generate_series(1, 4) n;
INSERT INTO enrollments (id, user_id, course_id)
SELECT md5('enrollment' || c || '.' || n)::uuid, md5('learner' || 10 + (c + 7 * n) %% (%(learners)s - 10))::uuid,
       md5('course' || c)::uuid
  FROM generate_series(1, %(courses)s) c, generate_series(1, 3) n;
INSERT INTO reviews (enrollment_id, course_id, user_id, rating, comment)
SELECT id, course_id, user_id, 3 + get_byte(decode(md5(id::text), 'hex'), 0) %% 3, 'It helped.'
  FROM enrollments WHERE get_byte(decode(md5(id::text), 'hex'), 1) < 128;
"""
START = datetime(2024, 1, 1, 8, microsecond=123456, tzinfo=UTC)
"""With microseconds, which pydantic writes only where there are some."""


def fill(owner_url: str) -> None:
    hashed = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(PASSWORD)
    sizes = {"courses": COURSES, "instructors": INSTRUCTORS, "learners": LEARNERS, "categories": CATEGORIES}
    with psycopg.connect(owner_url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(FILL, {**sizes, "start": START, "hash": hashed})
        connection.execute("VACUUM ANALYZE")


def forget_enrollments(owner_url: str) -> None:
    """Before each round, so that everybody enrols the same learners in the same courses, with the same keys."""
    fresh = [f"learner-{number}@example.com" for number in range(1, FRESH_LEARNERS + 1)]
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("DELETE FROM enrollments WHERE user_id IN (SELECT id FROM users WHERE email = ANY (%s))", [fresh])
        connection.execute("DELETE FROM idempotency_keys")
        connection.execute("VACUUM enrollments, course_stats, idempotency_keys")
