"""SQL of notifications."""

from functools import cache

from sqlalchemy import TextClause, text

from unpuzzle_server.kernel import statements

NOTIFICATION = """json_build_object(
    'id', n.id, 'type', n.type, 'title', n.title, 'message', n.message, 'is_read', n.read_at IS NOT NULL,
    'action_url', n.action_url, 'icon', n.icon, 'created_at', app.rfc3339(n.created_at), 'read_at', app.rfc3339(n.read_at))"""

MARK = text("""
    UPDATE notifications SET read_at = coalesce(read_at, app.now()) WHERE id = :notification AND user_id = :user RETURNING id
""")
MARK_ALL = text("UPDATE notifications SET read_at = app.now() WHERE user_id = :user AND read_at IS NULL")
DELETE = text("DELETE FROM notifications WHERE id = :notification AND user_id = :user RETURNING id")

NUMBER = text("SELECT app.number_notifications()")
NEWEST = text("SELECT coalesce(max(number), 0) FROM notifications WHERE user_id = :user")
AFTER = text(f"""
    SELECT n.number, {NOTIFICATION} AS notification FROM notifications n
     WHERE n.user_id = :user AND n.number > :last ORDER BY n.number LIMIT :limit
""")

PREFERENCES = text("SELECT email_notifications, learning_reminders, mailed, muted, version FROM users WHERE id = :user")
LOCK_PREFERENCES = text("SELECT mailed, muted, version FROM users WHERE id = :user FOR UPDATE")


def prefer(columns: list[str]) -> TextClause:
    return statements.update("users", columns, "id = :user")


@cache
def notifications(*, unread_only: bool, typed: bool) -> TextClause:
    conditions = ["n.user_id = :user"]
    conditions += ["n.read_at IS NULL"] if unread_only else []
    conditions += ["n.type = :type"] if typed else []
    found = f"FROM notifications n WHERE {' AND '.join(conditions)}"
    return text(f"""
        SELECT (SELECT count(*) {found}) AS total,
               (SELECT count(*) FROM notifications WHERE user_id = :user AND read_at IS NULL) AS unread,
               to_json(ARRAY(SELECT {NOTIFICATION} {found}
                              ORDER BY n.created_at DESC, n.id LIMIT :limit OFFSET :offset)) AS results
    """)
