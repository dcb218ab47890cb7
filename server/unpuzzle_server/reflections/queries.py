"""SQL of reflections."""

from functools import cache

from sqlalchemy import TextClause, text

COLUMNS = ("type", "content", "tags", "visibility", "timestamp_seconds")

REFLECTION = """json_build_object(
    'id', r.id, 'lesson_id', r.lesson_id,
    'lesson', json_build_object('id', r.lesson_id, 'title', coalesce(l.title, r.lesson_title),
                                'course_id', r.course_id, 'course_title', coalesce(c.title, r.course_title)),
    'type', r.type, 'content', r.content, 'tags', r.tags, 'visibility', r.visibility,
    'timestamp_seconds', r.timestamp_seconds, 'created_at', app.rfc3339(r.created_at), 'updated_at', app.rfc3339(r.updated_at))"""
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
    return text(f"UPDATE reflections SET {', '.join(f'{name} = :{name}' for name in columns)} WHERE id = :reflection")
