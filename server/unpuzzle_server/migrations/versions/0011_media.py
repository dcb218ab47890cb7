"""The media library and the uploads that fill it; with their grants and row level security.

A file outlives its row by as long as it takes to delete it: a trigger asks for that, whoever deletes the row and why.
"""

from alembic import context, op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE media (
    -- That of the upload which it came by.
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- The course that it was uploaded for; which one shows it follows from lessons.
    course_id uuid REFERENCES courses ON DELETE SET NULL,
    filename text NOT NULL,
    title text NOT NULL,
    description text,
    content_type text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('video', 'audio', 'image', 'document')),
    file_size bigint NOT NULL CHECK (file_size > 0),
    -- Of the whole file; unknown where storage has put it together and nobody asked.
    sha1 text,
    storage_key text NOT NULL UNIQUE,
    storage_id text NOT NULL,
    -- What its owner said until it is processed, what was found from then on.
    duration_seconds numeric CHECK (duration_seconds >= 0),
    width int,
    height int,
    bitrate bigint,
    codec text,
    page_count int,
    thumbnail_key text,
    processing_status text NOT NULL DEFAULT 'pending'
        CHECK (processing_status IN ('pending', 'processing', 'ready', 'failed')),
    processing_error text,
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now(),
    CHECK ((processing_status = 'failed') = (processing_error IS NOT NULL))
);
CREATE INDEX media_user ON media (user_id, created_at DESC);
CREATE INDEX media_course ON media (course_id);
CREATE TRIGGER touch BEFORE UPDATE ON media FOR EACH ROW EXECUTE FUNCTION app.touch();

-- Which parts have come, storage knows alone.
CREATE TABLE uploads (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id uuid REFERENCES courses ON DELETE SET NULL,
    filename text NOT NULL,
    title text NOT NULL,
    description text,
    content_type text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('video', 'audio', 'image', 'document')),
    file_size bigint NOT NULL CHECK (file_size > 0),
    duration_seconds numeric,
    chunk_size int NOT NULL CHECK (chunk_size > 0),
    storage_key text NOT NULL UNIQUE,
    -- Absent until storage has been told.
    storage_id text,
    completed_at timestamptz,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX uploads_user ON uploads (user_id);
CREATE INDEX uploads_expires ON uploads (expires_at);

-- One lesson shows one file, and a file is in one place. A lesson whose file is deleted stays, without it.
ALTER TABLE lessons ADD COLUMN media_id uuid UNIQUE REFERENCES media ON DELETE SET NULL;
"""

FUNCTIONS = """
CREATE FUNCTION app.discard_media() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    PERFORM app.enqueue('media.discard', jsonb_build_object('keys', jsonb_build_array(OLD.storage_key) || CASE
        WHEN OLD.thumbnail_key IS NULL THEN '[]' ELSE jsonb_build_array(OLD.thumbnail_key) END),
        interval '0', interval '20 seconds');
    RETURN NULL;
END $$;
CREATE TRIGGER discard AFTER DELETE ON media FOR EACH ROW EXECUTE FUNCTION app.discard_media();

CREATE FUNCTION app.discard_upload() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    PERFORM app.enqueue('media.discard', jsonb_build_object('keys', jsonb_build_array(OLD.storage_key)),
        interval '0', interval '20 seconds');
    RETURN NULL;
END $$;
-- What is complete belongs to the library.
CREATE TRIGGER discard AFTER DELETE ON uploads FOR EACH ROW WHEN (OLD.completed_at IS NULL)
    EXECUTE FUNCTION app.discard_upload();

-- For whoever has a signed address, which asks as nobody.
CREATE FUNCTION app.find_upload(upload uuid) RETURNS SETOF uploads
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT * FROM uploads WHERE id = upload
$$;

CREATE FUNCTION app.find_file(media uuid)
    RETURNS TABLE (id uuid, filename text, content_type text, kind text, file_size bigint, storage_key text, thumbnail_key text,
                   created_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT id, filename, content_type, kind, file_size, storage_key, thumbnail_key, created_at FROM media m WHERE m.id = media
$$;

-- What a course shows stays, under a name that says nothing.
CREATE FUNCTION app.forget_media(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM uploads WHERE user_id = account;
    DELETE FROM media WHERE user_id = account AND NOT EXISTS (SELECT FROM lessons WHERE media_id = media.id);
    UPDATE media SET filename = id::text, title = 'Lesson', description = NULL WHERE user_id = account;
$$;
"""

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY own ON {table} TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY worker ON {table} TO {worker} USING (true);
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_upload, app.find_file TO {app};
GRANT SELECT, DELETE, UPDATE (title, description, course_id, updated_at),
      INSERT (id, user_id, course_id, filename, title, description, content_type, kind, file_size, sha1, storage_key, storage_id,
              duration_seconds) ON media TO {app};
GRANT UPDATE (duration_seconds, width, height, bitrate, codec, page_count, thumbnail_key, processing_status, processing_error)
      ON media TO {worker};
GRANT SELECT, DELETE, UPDATE (storage_id, expires_at, completed_at),
      INSERT (id, user_id, course_id, filename, title, description, content_type, kind, file_size, duration_seconds, chunk_size,
              storage_key, expires_at) ON uploads TO {app};
"""


def upgrade() -> None:
    roles = {"app": context.config.attributes["app_role"], "worker": context.config.attributes["worker_role"]}
    secured = [SECURE.format(table=table, **roles) for table in ("media", "uploads")]
    for statement in [TABLES, FUNCTIONS, *secured, GRANTS.format(**roles)]:
        op.get_bind().exec_driver_sql(statement)
