"""SQL of notifications."""

from functools import cache

from sqlalchemy import TextClause, text

NOTIFICATION = """json_build_object(
    'id', n.id, 'type', n.type, 'title', n.title, 'message', n.message, 'is_read', n.read_at IS NOT NULL,
    'action_url', n.action_url, 'icon', n.icon, 'created_at', app.rfc3339(n.created_at), 'read_at', app.rfc3339(n.read_at))"""

MARK = text("""
    UPDATE notifications SET read_at = coalesce(read_at, app.now()) WHERE id = :notification AND user_id = :user RETURNING id
""")
MARK_ALL = text("UPDATE notifications SET read_at = app.now() WHERE user_id = :user AND read_at IS NULL")


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
