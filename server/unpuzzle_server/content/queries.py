"""SQL of sections and lessons. Courses are known by their id; row level security knows whose they are."""

from sqlalchemy import TextClause, text

from unpuzzle_server.media.queries import AROUND, MEDIA

TAUGHT = "(c.instructor_id = (SELECT app.user_id()) OR (SELECT app.is_admin()))"

SECTION = """json_build_object(
    'id', x.id, 'course_id', x.course_id, 'title', x.title, 'description', x.description, 'order', x.position,
    'is_published', x.is_published, 'is_preview', coalesce(l.preview, false), 'lessons_count', l.lessons, 'media_count', l.files,
    'total_duration_minutes', ceil(coalesce(l.seconds, 0) / 60.0)::int,
    'created_at', app.rfc3339(x.created_at), 'updated_at', app.rfc3339(x.updated_at))"""
SECTIONS = """sections x CROSS JOIN LATERAL (
    SELECT count(*) AS lessons, count(media_id) AS files, sum(duration_seconds) AS seconds, bool_or(is_preview) AS preview
      FROM lessons WHERE section_id = x.id) l"""

LESSON = """json_build_object(
    'id', n.id, 'course_id', n.course_id, 'section_id', n.section_id, 'title', n.title, 'type', n.type, 'order', n.position,
    'duration_minutes', ceil(n.duration_seconds / 60.0)::int, 'duration_seconds', n.duration_seconds,
    'is_preview', n.is_preview, 'body', b.body, 'media_id', n.media_id,
    'quizzes', (SELECT coalesce(json_agg(json_build_object('id', q.id, 'title', q.title, 'is_required', q.is_required)
                                         ORDER BY q.created_at, q.id), '[]')
                  FROM quizzes q WHERE q.lesson_id = n.id),
    'created_at', app.rfc3339(n.created_at), 'updated_at', app.rfc3339(n.updated_at))"""
LESSONS = "lessons n LEFT JOIN lesson_texts b ON b.lesson_id = n.id"

COURSE = text(f"SELECT c.id, c.status FROM courses c WHERE c.id = :course AND {TAUGHT}")
LOCK_COURSE = text(f"SELECT c.id, c.status FROM courses c WHERE c.id = :course AND {TAUGHT} FOR UPDATE")
LESSONS_LEFT = text("SELECT lessons_count FROM course_stats WHERE course_id = :course")

SECTION_PAGE = text(f"""
    SELECT (SELECT count(*) FROM sections WHERE course_id = :course) AS total,
           to_json(ARRAY(SELECT {SECTION} FROM {SECTIONS} WHERE x.course_id = :course
                          ORDER BY x.position LIMIT :limit OFFSET :offset)) AS results
""")
ALL_SECTIONS = text(f"SELECT to_json(ARRAY(SELECT {SECTION} FROM {SECTIONS} WHERE x.course_id = :course ORDER BY x.position))")
GET_SECTION = text(f"SELECT {SECTION} AS section, x.version FROM {SECTIONS} WHERE x.id = :section AND x.course_id = :course")
SECTION_PLACE = text("SELECT course_id, position, version FROM sections WHERE id = :section")

LESSON_PAGE = text(f"""
    SELECT (SELECT count(*) FROM lessons WHERE section_id = :section) AS total,
           to_json(ARRAY(SELECT {LESSON} FROM {LESSONS} WHERE n.section_id = :section
                          ORDER BY n.position LIMIT :limit OFFSET :offset)) AS results
""")
ALL_LESSONS = text(f"SELECT to_json(ARRAY(SELECT {LESSON} FROM {LESSONS} WHERE n.section_id = :section ORDER BY n.position))")
GET_LESSON = text(f"SELECT {LESSON} AS lesson, n.version FROM {LESSONS} WHERE n.id = :lesson")
LESSON_PLACE = text("SELECT course_id, section_id, position, version FROM lessons WHERE id = :lesson")
PUT_TEXT = text("""
    INSERT INTO lesson_texts (lesson_id, body) VALUES (:lesson, :body)
    ON CONFLICT (lesson_id) DO UPDATE SET body = excluded.body
""")
DELETE_TEXT = text("DELETE FROM lesson_texts WHERE lesson_id = :lesson")
TOUCH_LESSON = text("UPDATE lessons SET updated_at = app.now() WHERE id = :lesson")

# Alone with them, so that two sections at once see each other's.
LOCK_MEDIA = text("SELECT id FROM media WHERE id = ANY (CAST(:ids AS uuid[])) AND user_id = :user ORDER BY id FOR UPDATE")
FIND_MEDIA = text("""
    SELECT m.id, m.title, m.kind, m.processing_status, m.processing_error, l.section_id,
           m.user_id = (SELECT instructor_id FROM courses WHERE id = :course) AS is_teachers
      FROM media m LEFT JOIN lessons l ON l.media_id = m.id WHERE m.id = ANY (CAST(:ids AS uuid[])) AND m.user_id = :user
""")
LESSONS_IN_ORDER = text("SELECT id FROM lessons WHERE section_id = :section ORDER BY position")
ADD_LESSONS = text("""
    INSERT INTO lessons (section_id, course_id, title, type, position, duration_seconds, media_id)
    SELECT CAST(:section AS uuid), CAST(:course AS uuid), left(m.title, 200),
           CASE m.kind WHEN 'document' THEN 'document' ELSE 'video' END,
           :count + file.number, coalesce(ceil(m.duration_seconds), 0), m.id
      FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS file (id, number) JOIN media m ON m.id = file.id
    RETURNING id, media_id
""")
LESSONS_OF_MEDIA = text(f"""
    SELECT to_json(ARRAY(SELECT {LESSON} FROM {LESSONS} WHERE n.media_id = ANY (CAST(:ids AS uuid[])) ORDER BY n.position))
""")
SECTION_MEDIA = text(f"""
    SELECT (SELECT count(*) FROM media m {AROUND} WHERE l.section_id = :section) AS total,
           to_json(ARRAY(SELECT {MEDIA} FROM media m {AROUND} WHERE l.section_id = :section
                          ORDER BY l.position LIMIT :limit OFFSET :offset)) AS results
""")
FIND_ASSIGNMENT = text("""
    SELECT m.id, l.id AS lesson_id, l.section_id FROM media m LEFT JOIN lessons l ON l.media_id = m.id
     WHERE m.id = :media AND m.user_id = :user
""")

GET_TRANSCRIPT = text("""
    SELECT json_build_object(
               'lesson_id', t.lesson_id, 'course_id', (SELECT course_id FROM lessons WHERE id = t.lesson_id),
               'language', t.language, 'source', t.source, 'segments_count', said.count, 'segments', said.segments,
               'created_at', app.rfc3339(t.created_at), 'updated_at', app.rfc3339(t.updated_at)) AS transcript, t.version
      FROM transcripts t, LATERAL (
          SELECT count(*), coalesce(json_agg(json_build_object(
                     'start', trim_scale(start_ms / 1000.0), 'end', trim_scale(end_ms / 1000.0), 'text', text)
                     ORDER BY position), '[]') AS segments
            FROM app.segments_of(t.lesson_id)) said
     WHERE t.lesson_id = :lesson
""")
TRANSCRIPT_VERSION = text("SELECT version FROM transcripts WHERE lesson_id = :lesson")
PUT_TRANSCRIPT = text("""
    SELECT app.put_transcript(:lesson, :language, :source, CAST(:starts AS int[]), CAST(:ends AS int[]), CAST(:texts AS text[]))
""")
DELETE_TRANSCRIPT = text("DELETE FROM transcripts WHERE lesson_id = :lesson")

# Asked for once, until it is done or nobody has been heard of for longer than it may take.
REQUEST_TRANSCRIPTION = text("""
    INSERT INTO transcriptions AS t (lesson_id, media_id) VALUES (:lesson, :media)
    ON CONFLICT (lesson_id) DO UPDATE SET media_id = excluded.media_id, requested_at = excluded.requested_at
      WHERE t.requested_at < app.now() - interval '4 hours' OR t.media_id <> excluded.media_id
    RETURNING app.rfc3339(requested_at)
""")
REQUESTED_TRANSCRIPTION = text("SELECT app.rfc3339(requested_at) FROM transcriptions WHERE lesson_id = :lesson")
FIND_TRANSCRIPTION = text("""
    SELECT m.storage_key, m.content_type FROM transcriptions t JOIN media m ON m.id = t.media_id WHERE t.lesson_id = :lesson
""")
END_TRANSCRIPTION = text("SELECT app.end_transcription(:lesson, :reason)")
LESSON_MEDIA = text("""
    SELECT f.media_id, f.kind, f.processing_status, c.instructor_id
      FROM app.find_playback(:lesson) f JOIN lessons l ON l.id = f.lesson_id JOIN courses c ON c.id = l.course_id
""")

SECTION_COLUMNS = ("title", "description", "is_published")
LESSON_COLUMNS = ("title", "type", "duration_seconds", "is_preview")

# One set of statements for both kinds of ordered rows: sections in a course, lessons in a section.
PARENT = {"sections": "course_id", "lessons": "section_id"}


def count_in(table: str) -> TextClause:
    return text(f"SELECT count(*) FROM {table} WHERE {PARENT[table]} = :parent")


def ids_in(table: str) -> TextClause:
    return text(f"SELECT id FROM {table} WHERE {PARENT[table]} = :parent")


def shift(table: str) -> TextClause:
    """Moves the rows from one place to another (both included) by a step."""
    return text(f"""
        UPDATE {table} SET position = position + :step
         WHERE {PARENT[table]} = :parent AND position BETWEEN :first AND :last
    """)


def arrange(table: str) -> TextClause:
    return text(f"""
        UPDATE {table} t SET position = place.number
          FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS place (id, number) WHERE t.id = place.id
    """)


def delete(table: str) -> TextClause:
    return text(f"DELETE FROM {table} WHERE id = :id")


COPY_SECTIONS = text("""
    WITH pairs AS MATERIALIZED (SELECT id AS old, gen_random_uuid() AS new FROM sections WHERE course_id = :source),
         copied AS (INSERT INTO sections (id, course_id, title, description, position, is_published)
                    SELECT new, :target, title, description, position, is_published FROM sections JOIN pairs ON id = old)
    SELECT old, new FROM pairs
""")
COPY_LESSONS = text("""
    WITH sections_pairs AS (SELECT * FROM unnest(CAST(:old AS uuid[]), CAST(:new AS uuid[])) AS pair (old, new)),
         pairs AS MATERIALIZED (SELECT id AS old, gen_random_uuid() AS new FROM lessons WHERE course_id = :source),
         copied AS (INSERT INTO lessons (id, section_id, course_id, title, type, position, duration_seconds, is_preview)
                    SELECT pairs.new, s.new, :target, l.title, l.type, l.position, l.duration_seconds, l.is_preview
                      FROM lessons l JOIN pairs ON l.id = pairs.old JOIN sections_pairs s ON s.old = l.section_id)
    SELECT old, new FROM pairs
""")
COPY_TEXTS = text("""
    INSERT INTO lesson_texts (lesson_id, body)
    SELECT pair.new, body FROM unnest(CAST(:old AS uuid[]), CAST(:new AS uuid[])) AS pair (old, new)
      JOIN lesson_texts ON lesson_id = pair.old
""")
COPY_TRANSCRIPTS = text("""
    WITH pairs AS (SELECT * FROM unnest(CAST(:old AS uuid[]), CAST(:new AS uuid[])) AS pair (old, new))
    SELECT app.put_transcript(p.new, t.language, t.source, s.starts, s.ends, s.texts)
      FROM pairs p JOIN transcripts t ON t.lesson_id = p.old, LATERAL (
          SELECT array_agg(start_ms ORDER BY position) AS starts, array_agg(end_ms ORDER BY position) AS ends,
                 array_agg(text ORDER BY position) AS texts
            FROM app.segments_of(p.old)) s
""")
