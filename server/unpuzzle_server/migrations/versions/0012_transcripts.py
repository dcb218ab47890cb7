"""What is said in lessons, in segments with their times and a full-text index; with grants and row level security.

A transcript is paid for as the text of its lesson is: whoever may read the one may read the other.
"""

from alembic import context, op

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE transcripts (
    lesson_id uuid PRIMARY KEY REFERENCES lessons ON DELETE CASCADE,
    language text NOT NULL DEFAULT 'en',
    source text NOT NULL CHECK (source IN ('upload', 'generated')),
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE TRIGGER touch BEFORE UPDATE ON transcripts FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TABLE transcript_segments (
    lesson_id uuid NOT NULL REFERENCES transcripts ON DELETE CASCADE,
    position int NOT NULL CHECK (position > 0),
    start_ms int NOT NULL CHECK (start_ms >= 0),
    end_ms int NOT NULL CHECK (end_ms > start_ms),
    text text NOT NULL,
    -- As courses are searched: by stems and by the words themselves, which is all there is for other languages than English.
    search tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector('english', app.words(text)) || to_tsvector('simple', app.words(text))) STORED,
    PRIMARY KEY (lesson_id, position)
);
CREATE INDEX transcript_segments_search ON transcript_segments USING gin (search);

-- The segments of one lesson for whoever may read them, which is asked once and not of every segment.
CREATE FUNCTION app.segments_of(lesson uuid) RETURNS SETOF transcript_segments
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT * FROM transcript_segments WHERE lesson_id = lesson AND app.may_read(lesson)
$$;

-- Replaces a transcript as a whole: writers of the same one follow each other at its row. Whose the lesson is, it asks itself.
CREATE FUNCTION app.put_transcript(
        lesson uuid, spoken text, came_from text, starts int[], ends int[], texts text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM lessons l WHERE l.id = lesson AND (app.teaches_course(l.course_id) OR app.is_admin())) THEN
        RAISE insufficient_privilege USING MESSAGE = 'a transcript is written by whoever teaches its course';
    END IF;
    INSERT INTO transcripts (lesson_id, language, source) VALUES (lesson, spoken, came_from)
    ON CONFLICT (lesson_id) DO UPDATE SET language = excluded.language, source = excluded.source;
    DELETE FROM transcript_segments WHERE lesson_id = lesson;
    INSERT INTO transcript_segments (lesson_id, position, start_ms, end_ms, text)
    SELECT lesson, position, start_ms, end_ms, said
      FROM unnest(starts, ends, texts) WITH ORDINALITY AS s (start_ms, end_ms, said, position);
END $$;
"""

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY readable ON transcripts FOR SELECT TO {app} USING (app.may_read(lesson_id));
CREATE POLICY taught ON transcripts TO {app} USING (
    EXISTS (SELECT FROM lessons l WHERE l.id = lesson_id AND app.teaches_course(l.course_id)) OR (SELECT app.is_admin()));
CREATE POLICY readable ON transcript_segments FOR SELECT TO {app} USING (app.may_read(lesson_id));
CREATE POLICY taught ON transcript_segments TO {app} USING (
    EXISTS (SELECT FROM lessons l WHERE l.id = lesson_id AND app.teaches_course(l.course_id)) OR (SELECT app.is_admin()));
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.segments_of, app.put_transcript TO {app};
GRANT SELECT, DELETE ON transcripts TO {app};
GRANT SELECT ON transcript_segments TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    secured = (SECURE.format(table=table) for table in ("transcripts", "transcript_segments"))
    for statement in [TABLES, *secured, POLICIES.format(app=app), GRANTS.format(app=app)]:
        op.get_bind().exec_driver_sql(statement)
