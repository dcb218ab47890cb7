"""SQL of the catalogue and of the courses that instructors write."""

from functools import cache
from typing import Any
from unicodedata import category, normalize
from uuid import UUID

from sqlalchemy import TextClause, text

from unpuzzle_server.content.queries import TAUGHT
from unpuzzle_server.courses import present
from unpuzzle_server.kernel import statements

STATS = "JOIN course_stats s ON s.course_id = c.id"
CATEGORIES_OF = "LEFT JOIN categories k ON k.id = c.category_id"
AROUND = f"{STATS} JOIN instructors i ON i.id = c.instructor_id {CATEGORIES_OF}"
TABLES = f"courses c {AROUND}"

DETAIL = f"SELECT {present.DETAIL} AS course, c.version FROM {TABLES} WHERE "
DETAIL_BY_ID = text(f"{DETAIL} c.id = :course")
DETAIL_BY_SLUG = text(f"{DETAIL} c.slug = :course")
CURRICULUM_BY_ID = text(f"SELECT {present.CURRICULUM} FROM {TABLES} WHERE c.id = :course")
CURRICULUM_BY_SLUG = text(f"SELECT {present.CURRICULUM} FROM {TABLES} WHERE c.slug = :course")

OWN = text(f"""
    SELECT {present.OWN} AS course, c.version FROM {TABLES} CROSS JOIN {present.OWN_COUNTS} WHERE c.id = :course AND {TAUGHT}
""")
LOCK = text(f"SELECT version, status, currency, title FROM courses c WHERE id = :course AND {TAUGHT} FOR UPDATE")
DROP_CANCELLED = text("SELECT app.drop_cancelled_payments(:course)")
DELETE = text("DELETE FROM courses WHERE id = :course")
DECIMALS = text("SELECT app.decimals(:currency)")
SET_STATUS = text("""
    UPDATE courses SET status = :status,
                       published_at = CASE WHEN :status = 'published' THEN coalesce(published_at, app.now()) ELSE published_at END
     WHERE id = :course AND status <> :status
""")
READINESS = text(f"""
    SELECT c.title, c.description, c.category_id, c.price_minor, s.lessons_count
      FROM courses c JOIN course_stats s ON s.course_id = c.id WHERE c.id = :course AND {TAUGHT}
""")

COPY_COURSE = text("""
    INSERT INTO courses (instructor_id, category_id, title, slug, description, detailed_description, difficulty, price_minor,
                         currency, thumbnail_url, preview_video_url, requirements, objectives, target_audience, tags)
    SELECT instructor_id, category_id, :title, :slug, description, detailed_description, difficulty, price_minor,
           currency, thumbnail_url, preview_video_url, requirements, objectives, target_audience, tags
      FROM courses WHERE id = :course
    ON CONFLICT (slug) DO NOTHING RETURNING id
""")

REVIEWED = text("SELECT c.id FROM courses c WHERE c.id = :course OR c.slug = :slug")
REVIEW = text(
    f"SELECT {present.REVIEW} AS review, r.version FROM reviews r JOIN reviewers w ON w.id = r.user_id WHERE r.id = :review"
)
REVIEW_SORTS = {"created_at": "r.created_at", "rating": "r.rating"}

CATEGORIES = text(f"""
    SELECT (SELECT count(*) FROM categories) AS total,
           to_json(ARRAY(SELECT {present.CATEGORY_FULL} FROM categories k ORDER BY k.name, k.id
                          LIMIT :limit OFFSET :offset)) AS results
""")
CATEGORY = text(f"SELECT {present.CATEGORY_FULL} AS category, k.version FROM categories k WHERE k.id = :category")
LOCK_CATEGORY = text("SELECT version FROM categories WHERE id = :category FOR UPDATE")
ADD_CATEGORY = text("""
    INSERT INTO categories (name, slug, description) VALUES (:name, :slug, :description) ON CONFLICT DO NOTHING RETURNING id
""")
DELETE_CATEGORY = text("DELETE FROM categories WHERE id = :category")

COURSE_COLUMNS = (
    "title", "description", "detailed_description", "category_id", "difficulty", "price_minor", "currency", "thumbnail_url",
    "preview_video_url", "requirements", "objectives", "target_audience", "tags",
)  # fmt: skip
CATEGORY_COLUMNS = ("name", "slug", "description")

FILTERS = {
    "category": "k.slug = :category",
    "difficulty": "c.difficulty = :difficulty",
    "tag": "c.tags @> ARRAY[:tag]",
    "status": "c.status = :status",
    "search": "c.search @@ (to_tsquery('english', :search) || to_tsquery('simple', :search))",
}
KEPT_COUNTS = {"category": "k.slug = :category", "difficulty": "n.difficulty = :difficulty"}
RELEVANCE = "ts_rank(c.search, to_tsquery('english', :search) || to_tsquery('simple', :search)) DESC, c.id"
SORTS = {
    "title": ("c.title", "asc"),
    "price": ("c.price", "asc"),
    "created_at": ("c.created_at", "desc"),
    "updated_at": ("c.updated_at", "desc"),
    "rating": ("s.rating", "desc"),
}
"""What a list can be sorted by, and in which direction it then goes by itself."""
NEEDED = {"s.rating": STATS, "k.slug": CATEGORIES_OF}
"""The tables that a filter or a sort looks at, besides the courses'."""


def order_by(sort: str | None, order: str | None, *, searching: bool, otherwise: str) -> str:
    if sort is None:
        return RELEVANCE if searching else otherwise
    column, usual = SORTS[sort]
    direction = order or usual
    return f"{column} {direction} NULLS LAST, c.id"


def catalogue(filters: dict[str, Any], order: str) -> TextClause:
    """From the view `catalogue`, where the indexes on words and tags work: row level security would keep them from it."""
    return _page(present.SUMMARY, "catalogue", AROUND, ["true", *_where(filters)], order, _kept_count(filters))


def _kept_count(filters: dict[str, Any]) -> str | None:
    """The kept count, where nothing else is asked for than what it is kept by."""
    asked = {name for name, value in filters.items() if value is not None}
    if not asked <= KEPT_COUNTS.keys():
        return None
    where = " AND ".join(["true", *(KEPT_COUNTS[name] for name in sorted(asked))])
    kept = "catalogue_counts n JOIN categories k ON k.id = n.category_id"
    return f"SELECT coalesce(sum(n.courses_count), 0)::int FROM {kept} WHERE {where}"


def own_courses(filters: dict[str, Any], order: str) -> TextClause:
    mine = ["c.instructor_id = (SELECT app.user_id())", *_where(filters)]
    return _page(present.OWN_SUMMARY, "courses", f"{AROUND} CROSS JOIN {present.OWN_COUNTS}", mine, order)


def _where(filters: dict[str, Any]) -> list[str]:
    return [FILTERS[name] for name, value in filters.items() if value is not None]


def _page(shape: str, source: str, around: str, conditions: list[str], order: str, kept_count: str | None = None) -> TextClause:
    """One statement for the count and the page, so that the two agree; what the page skips is never put together."""
    where = " AND ".join(conditions)
    needed = [join for column, join in NEEDED.items() if column in where + order]
    found = f"FROM {source} c {' '.join(needed)} WHERE {where}"
    count = kept_count or f"SELECT count(*) {found}"
    rows = f"SELECT c.* {found} ORDER BY {order} LIMIT :limit OFFSET :offset"
    page = f"SELECT {shape} FROM ({rows}) c {around} ORDER BY {order}"
    return _statement(f"SELECT ({count}) AS total, to_json(ARRAY({page})) AS results")


@cache
def reviews(*, rated: bool, sort: str, order: str) -> TextClause:
    where = "r.course_id = :course" + (" AND r.rating = :rating" if rated else "")
    ordering = f"{REVIEW_SORTS[sort]} {order}, r.created_at DESC, r.id"
    rows = f"SELECT r.* FROM reviews r WHERE {where} ORDER BY {ordering} LIMIT :limit OFFSET :offset"
    return text(f"""
        SELECT (SELECT count(*) FROM reviews r WHERE {where}) AS total,
               (SELECT to_json(rating) FROM course_stats WHERE course_id = :course) AS rating,
               (SELECT json_agg(json_build_object('rating', rating, 'count', coalesce(n.count, 0)) ORDER BY rating DESC)
                  FROM generate_series(1, 5) AS possible (rating)
                  LEFT JOIN (SELECT rating, count(*) FROM reviews WHERE course_id = :course GROUP BY rating) n USING (rating)
               ) AS distribution,
               to_json(ARRAY(SELECT {present.REVIEW} FROM ({rows}) r JOIN reviewers w ON w.id = r.user_id
                              ORDER BY {ordering})) AS results
    """)


@cache
def _statement(sql: str) -> TextClause:
    """Parsed once: there are as many as there are ways to filter and sort."""
    return text(sql)


def search_words(search: str | None) -> str | None:
    """A tsquery that finds every word by its beginning; one that finds nothing where there is no word at all."""
    if search is None:
        return None
    return " & ".join(f"'{word}':*" for word in words_of(search))


def words_of(search: str) -> list[str]:
    """The words of a text, as `app.words` finds them in titles; marks are parts of words in many scripts."""
    return "".join(char if category(char)[0] in "LMN" else " " for char in normalize("NFC", search)).split()


def insert_course(columns: list[str]) -> TextClause:
    names = ["instructor_id", "slug", *columns]
    return statements.insert("courses", names, "ON CONFLICT (slug) DO NOTHING")


def update_course(columns: list[str]) -> TextClause:
    return statements.update("courses", columns, "id = :course")


def update_category(columns: list[str]) -> TextClause:
    return statements.update("categories", columns, "id = :category")


def as_uuid(id_or_slug: str) -> UUID | None:
    """The id in a path parameter that may also be a slug."""
    try:
        return UUID(id_or_slug) if len(id_or_slug) == 36 else None
    except ValueError:
        return None


def named(id_or_slug: str) -> dict[str, Any]:
    """The values by which a statement finds a course, by its id or its slug."""
    course_id = as_uuid(id_or_slug)
    return {"course": course_id, "slug": None if course_id else id_or_slug}


OFFER = text("""
    SELECT o.*, CAST(o.price * power(10::numeric, app.decimals(o.currency)) AS bigint) AS price_minor
      FROM app.find_offer(:course, :slug) o
""")
TAKES = text("SELECT app.takes_course(:course)")
