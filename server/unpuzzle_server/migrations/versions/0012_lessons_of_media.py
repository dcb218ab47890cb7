"""Lessons that show a file, and what is said in them, in segments with their times; with grants and row level security.

A file and a transcript are paid for as the text of a lesson is: whoever may read the one may have the others.
(`%%` is one `%`: the driver reads single ones as parameters.)
"""

from alembic import context, op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TRANSCRIPTS = """
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

MEDIA = """
-- A lesson shows a file of whoever teaches its course: to know a file's id is not to have it.
CREATE FUNCTION app.check_media_owner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM media m JOIN courses c ON c.instructor_id = m.user_id
                    WHERE m.id = NEW.media_id AND c.id = NEW.course_id) THEN
        RAISE insufficient_privilege USING MESSAGE = 'a lesson shows a file of whoever teaches its course';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_media_owner BEFORE INSERT OR UPDATE OF media_id, course_id ON lessons FOR EACH ROW
    WHEN (NEW.media_id IS NOT NULL) EXECUTE FUNCTION app.check_media_owner();

-- What a lesson plays, for whoever may read it.
CREATE FUNCTION app.find_playback(lesson uuid)
    RETURNS TABLE (lesson_id uuid, media_id uuid, filename text, kind text, content_type text, duration_seconds numeric,
                   processing_status text, has_transcript boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT l.id, m.id, m.filename, m.kind, m.content_type, m.duration_seconds, m.processing_status,
           EXISTS (SELECT FROM transcripts t WHERE t.lesson_id = l.id)
      FROM lessons l LEFT JOIN media m ON m.id = l.media_id WHERE l.id = lesson AND app.may_read(lesson)
$$;

-- How long a lesson is, its file knows best, which may be looked into after it was assigned.
CREATE FUNCTION app.follow_media() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    UPDATE lessons SET duration_seconds = ceil(NEW.duration_seconds)
     WHERE media_id = NEW.id AND duration_seconds <> ceil(NEW.duration_seconds);
    RETURN NULL;
END $$;
CREATE TRIGGER follow_media AFTER UPDATE OF duration_seconds ON media FOR EACH ROW
    WHEN (NEW.duration_seconds IS NOT NULL) EXECUTE FUNCTION app.follow_media();

CREATE FUNCTION app.notify_of_media() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT NEW.user_id, 'course', event.title, event.message, format('/instructor/media/%%s', NEW.id), 'media'
      FROM (VALUES ('ready', 'Your file is ready', format('''%%s'' can be used now', NEW.title)),
                   ('failed', 'Your file can''t be used', format('''%%s'': %%s', NEW.title, NEW.processing_error))
           ) AS event (status, title, message)
     WHERE event.status = NEW.processing_status AND OLD.processing_status <> NEW.processing_status;
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER UPDATE OF processing_status ON media FOR EACH ROW EXECUTE FUNCTION app.notify_of_media();
"""

TRANSCRIPTIONS = """
-- What is being transcribed, so that nobody pays twice for one lesson.
CREATE TABLE transcriptions (
    lesson_id uuid PRIMARY KEY REFERENCES lessons ON DELETE CASCADE,
    media_id uuid NOT NULL REFERENCES media ON DELETE CASCADE,
    requested_at timestamptz NOT NULL DEFAULT app.now()
);

-- That it is done, or why not, is told to whoever teaches the course.
CREATE FUNCTION app.end_transcription(lesson uuid, reason text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    WITH ended AS (DELETE FROM transcriptions WHERE lesson_id = lesson RETURNING lesson_id)
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT c.instructor_id, 'course', CASE WHEN reason IS NULL THEN 'Transcript ready' ELSE 'No transcript' END,
           CASE WHEN reason IS NULL THEN format('''%%s'' can be read along', l.title)
                                    ELSE format('''%%s'' was not transcribed. %%s', l.title, reason) END,
           format('/instructor/lessons/%%s', l.id), 'transcript'
      FROM ended JOIN lessons l ON l.id = ended.lesson_id JOIN courses c ON c.id = l.course_id
$$;
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
CREATE POLICY taught ON transcriptions TO {app} USING (
    EXISTS (SELECT FROM lessons l WHERE l.id = lesson_id AND app.teaches_course(l.course_id)) OR (SELECT app.is_admin()));
CREATE POLICY readable ON transcript_segments FOR SELECT TO {app} USING (app.may_read(lesson_id));
CREATE POLICY taught ON transcript_segments TO {app} USING (
    EXISTS (SELECT FROM lessons l WHERE l.id = lesson_id AND app.teaches_course(l.course_id)) OR (SELECT app.is_admin()));
"""

WORKER = """
CREATE POLICY worker ON transcriptions FOR SELECT TO {worker} USING (true);
GRANT EXECUTE ON FUNCTION app.end_transcription TO {worker};
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.segments_of, app.put_transcript, app.find_playback TO {app};
GRANT SELECT, DELETE ON transcripts TO {app};
GRANT SELECT ON transcript_segments TO {app};
GRANT SELECT, INSERT (lesson_id, media_id), UPDATE (media_id, requested_at) ON transcriptions TO {app};
"""


def upgrade() -> None:
    roles = {"app": context.config.attributes["app_role"], "worker": context.config.attributes["worker_role"]}
    secured = (SECURE.format(table=table) for table in ("transcripts", "transcript_segments", "transcriptions"))
    rights = (statement.format(**roles) for statement in (POLICIES, GRANTS, WORKER))
    for statement in [TRANSCRIPTS, MEDIA, TRANSCRIPTIONS, *secured, *rights]:
        op.get_bind().exec_driver_sql(statement)
