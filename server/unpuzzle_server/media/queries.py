"""SQL of the media library and of uploads. The fragments expect `media` as `m` and `uploads` as `u`."""

from functools import cache

from sqlalchemy import TextClause, text

from unpuzzle_server.kernel import statements

# One at a time for each owner, so that two uploads that begin together count each other.
LOCK_QUOTA = text("SELECT pg_advisory_xact_lock(hashtextextended('media:' || CAST(:user AS text), 0))")
USED = text("""
    SELECT CAST((SELECT coalesce(sum(file_size), 0) FROM media WHERE user_id = :user)
              + (SELECT coalesce(sum(file_size), 0) FROM uploads WHERE user_id = :user AND completed_at IS NULL) AS bigint)
""")
TEACHES = text("SELECT app.teaches_course(:course)")
INSERT_UPLOAD = text("""
    INSERT INTO uploads (id, user_id, course_id, filename, title, description, content_type, kind, file_size, duration_seconds,
                         chunk_size, storage_key, expires_at)
    VALUES (:id, :user, :course_id, :filename, :title, :description, :content_type, :kind, :file_size, :duration_seconds,
            :chunk_size, :storage_key, :expires_at)
""")
BEGUN = text("UPDATE uploads SET storage_id = :storage_id WHERE id = :upload AND user_id = :user RETURNING *")
FIND_OWN_UPLOAD = text("SELECT * FROM uploads WHERE id = :upload AND user_id = :user")
FIND_UPLOAD = text("SELECT * FROM app.find_upload(:upload)")
LOCK_UPLOAD = text("SELECT * FROM uploads WHERE id = :upload AND user_id = :user FOR UPDATE")
RENEW_UPLOAD = text("""
    UPDATE uploads SET expires_at = :expires_at WHERE id = :upload AND user_id = :user AND completed_at IS NULL RETURNING *
""")
DELETE_UPLOAD = text("DELETE FROM uploads WHERE id = :upload AND user_id = :user AND completed_at IS NULL")
EXPIRE_UPLOADS = text("DELETE FROM uploads WHERE expires_at <= app.now()")

FINISH_UPLOAD = text("UPDATE uploads SET completed_at = app.now() WHERE id = :upload AND user_id = :user")
INSERT_MEDIA = text("""
    INSERT INTO media (id, user_id, course_id, filename, title, description, content_type, kind, file_size, sha1, storage_key,
                       storage_id, duration_seconds)
    SELECT u.id, u.user_id, u.course_id, u.filename, u.title, u.description, u.content_type, u.kind, u.file_size, :sha1,
           u.storage_key, :storage_id, u.duration_seconds FROM uploads u WHERE u.id = :upload AND u.user_id = :user
    ON CONFLICT DO NOTHING RETURNING id
""")

ASSIGNMENT = """CASE WHEN l.id IS NOT NULL THEN json_build_object(
    'course_id', l.course_id, 'course_title', c.title, 'section_id', l.section_id, 'section_title', s.title,
    'lesson_id', l.id) END"""
# Addresses are added by whoever can sign them.
MEDIA = f"""json_build_object(
    'id', m.id, 'filename', m.filename, 'title', m.title, 'description', m.description, 'content_type', m.content_type,
    'kind', m.kind, 'file_size', m.file_size, 'sha1', m.sha1, 'duration_seconds', m.duration_seconds, 'width', m.width,
    'height', m.height, 'bitrate', m.bitrate, 'codec', m.codec, 'page_count', m.page_count,
    'has_thumbnail', m.thumbnail_key IS NOT NULL, 'processing_status', m.processing_status,
    'processing_error', m.processing_error, 'course_id', m.course_id, 'is_assigned', l.id IS NOT NULL,
    'assigned_to', {ASSIGNMENT}, 'upload_date', app.rfc3339(m.created_at), 'updated_at', app.rfc3339(m.updated_at))"""
AROUND = """LEFT JOIN lessons l ON l.media_id = m.id LEFT JOIN sections s ON s.id = l.section_id
            LEFT JOIN courses c ON c.id = l.course_id"""

GET = text(f"SELECT {MEDIA} AS media, m.version FROM media m {AROUND} WHERE m.id = :media AND m.user_id = :user")
LOCK = text("""
    SELECT m.version, EXISTS (SELECT FROM lessons WHERE media_id = m.id) AS is_assigned
      FROM media m WHERE m.id = :media AND m.user_id = :user FOR UPDATE
""")
DELETE = text("DELETE FROM media WHERE id = :media AND user_id = :user")
COLUMNS = ("title", "description")

FILTERS = {
    "course_id": "CAST(:course_id AS uuid) IN (l.course_id, m.course_id)",
    "assigned": "(l.id IS NOT NULL) = :assigned",
    "search": "strpos(lower(m.filename || ' ' || m.title), lower(:search)) > 0",
    "kind": "m.kind = :kind",
    "status": "m.processing_status = :status",
}
SORTS = {"created_at": "m.created_at", "title": "m.title", "file_size": "m.file_size"}


@cache
def library(filters: tuple[str, ...], sort: str, order: str) -> TextClause:
    where = " AND ".join(["m.user_id = :user", *(FILTERS[name] for name in filters)])
    return text(f"""
        SELECT (SELECT count(*) FROM media m {AROUND} WHERE {where}) AS total,
               to_json(ARRAY(SELECT {MEDIA} FROM media m {AROUND} WHERE {where}
                              ORDER BY {SORTS[sort]} {order}, m.id LIMIT :limit OFFSET :offset)) AS results
    """)


@cache
def update(columns: tuple[str, ...]) -> TextClause:
    return statements.update("media", columns, "id = :media AND user_id = :user")


FIND_FILE = text("SELECT * FROM app.find_file(:media)")

# One that a worker died with is begun again.
BEGIN_PROCESSING = text("""
    UPDATE media SET processing_status = 'processing' WHERE id = :media AND processing_status IN ('pending', 'processing')
    RETURNING storage_key, kind, content_type
""")
READY = text("""
    UPDATE media SET processing_status = 'ready', duration_seconds = coalesce(:duration_seconds, duration_seconds),
                     width = :width, height = :height, bitrate = :bitrate, codec = :codec, page_count = :page_count,
                     thumbnail_key = :thumbnail_key
     WHERE id = :media AND processing_status = 'processing'
""")
IS_THERE = text("SELECT EXISTS (SELECT FROM media WHERE id = :media)")
FAILED = text("""
    UPDATE media SET processing_status = 'failed', processing_error = :reason
     WHERE id = :media AND processing_status = 'processing'
""")
