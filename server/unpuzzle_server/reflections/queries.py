"""SQL of reflections."""

from functools import cache

from sqlalchemy import TextClause, text

from unpuzzle_server.kernel import statements

COLUMNS = ("type", "content", "tags", "visibility", "timestamp_seconds")

RESPONSE = """json_build_object(
    'id', a.id, 'reflection_id', a.reflection_id, 'author', json_build_object('id', a.user_id, 'name', s.name),
    'content', a.content, 'created_at', app.rfc3339(a.created_at))"""
RESPONSES = f"""to_json(ARRAY(SELECT {RESPONSE} FROM reflection_responses a JOIN sharers s ON s.id = a.user_id
                              WHERE a.reflection_id = r.id ORDER BY a.created_at, a.id))"""

REFLECTION = f"""json_build_object(
    'id', r.id, 'lesson_id', r.lesson_id,
    'lesson', json_build_object('id', r.lesson_id, 'title', coalesce(l.title, r.lesson_title),
                                'course_id', r.course_id, 'course_title', coalesce(c.title, r.course_title)),
    'type', r.type, 'content', r.content, 'tags', r.tags, 'visibility', r.visibility,
    'timestamp_seconds', r.timestamp_seconds, 'responses', {RESPONSES},
    'created_at', app.rfc3339(r.created_at), 'updated_at', app.rfc3339(r.updated_at))"""
# What its author may not see any more goes by the title that it had.
AROUND = "LEFT JOIN lessons l ON l.id = r.lesson_id LEFT JOIN courses c ON c.id = r.course_id"

GET = text(f"""
    SELECT {REFLECTION} AS reflection, r.version FROM reflections r {AROUND} WHERE r.id = :reflection AND r.user_id = :user
""")
LOCK = text("SELECT version FROM reflections WHERE id = :reflection AND user_id = :user FOR UPDATE")
DELETE = text("DELETE FROM reflections WHERE id = :reflection")

FILTERS = {
    "course_id": "r.course_id = :course_id",
    "lesson_id": "r.lesson_id = :lesson_id",
    "type": "r.type = :type",
    "visibility": "r.visibility = :visibility",
    "tag": "r.tags @> ARRAY[:tag]",
    "search": "(r.content ILIKE :search OR EXISTS (SELECT FROM unnest(r.tags) AS word WHERE word ILIKE :search))",
}


@cache
def reflections(asked: tuple[str, ...], sort: str, order: str) -> TextClause:
    where = " AND ".join(["r.user_id = :user", *(FILTERS[name] for name in asked)])
    ordering = f"r.{sort} {order}, r.id"
    rows = f"SELECT r.* FROM reflections r WHERE {where} ORDER BY {ordering} LIMIT :limit OFFSET :offset"
    return text(f"""
        SELECT (SELECT count(*) FROM reflections r WHERE {where}) AS total,
               to_json(ARRAY(SELECT {REFLECTION} FROM ({rows}) r {AROUND} ORDER BY {ordering})) AS results
    """)


# By whom a course's reflections may be read, as the policies have it too.
READER = text("""
    SELECT c.id, c.instructor_id = app.user_id() AS teaches, app.takes_course(c.id) AS takes FROM courses c
     WHERE c.id = :course OR c.slug = :slug
""")
SHARED = f"""(to_jsonb({REFLECTION}) || jsonb_build_object(
    'author', jsonb_build_object('id', r.user_id, 'name', u.name, 'avatar_url', u.avatar_url)))"""


@cache
def shared(asked: tuple[str, ...], *, teaches: bool) -> TextClause:
    """What learners share with whoever asks, the newest first."""
    visible = "r.visibility IN ('instructor', 'public')" if teaches else "r.visibility = 'public'"
    where = " AND ".join(["r.course_id = :course", visible, *(FILTERS[name] for name in asked)])
    rows = f"SELECT r.* FROM reflections r WHERE {where} ORDER BY r.created_at DESC, r.id LIMIT :limit OFFSET :offset"
    return text(f"""
        SELECT (SELECT count(*) FROM reflections r WHERE {where}) AS total,
               to_json(ARRAY(SELECT {SHARED} FROM ({rows}) r JOIN sharers u ON u.id = r.user_id {AROUND}
                              ORDER BY r.created_at DESC, r.id)) AS results
    """)


# Answers nothing to who may not respond: the policies hide or refuse it.
RESPOND = text("""
    INSERT INTO reflection_responses (reflection_id, user_id, content)
    SELECT r.id, app.user_id(), :content FROM reflections r
     WHERE r.id = :answered AND r.visibility <> 'private' AND app.teaches_course(r.course_id)
    RETURNING id
""")
GET_RESPONSE = text(f"""
    SELECT {RESPONSE} AS response FROM reflection_responses a JOIN sharers s ON s.id = a.user_id WHERE a.id = :response
""")


def insert(columns: list[str]) -> TextClause:
    """Writes nothing on a lesson that is not there, or not to be read by whoever asks."""
    names, values = ", ".join(["", *columns]), ", ".join(["", *(f":{name}" for name in columns)])
    return text(f"""
        INSERT INTO reflections (user_id, lesson_id, course_id, lesson_title, course_title{names})
        SELECT :user, l.id, c.id, l.title, c.title{values}
          FROM lessons l JOIN courses c ON c.id = l.course_id WHERE l.id = :lesson AND app.may_read(l.id)
        RETURNING id
    """)


def update(columns: list[str]) -> TextClause:
    return statements.update("reflections", columns, "id = :reflection")
