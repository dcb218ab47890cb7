"""SQL of accounts, sessions and API keys."""

from functools import cache

from sqlalchemy import TextClause, text

FIND_IDENTITY = text("SELECT roles, suspended, session_open FROM app.find_identity(:session, :user)")
FIND_LOGIN = text("SELECT user_id, hash, roles, suspended, email_verified FROM app.find_login(:email)")
FIND_API_KEY = text("SELECT * FROM app.find_api_key(:hash, :now)")
FIND_REFRESH_TOKEN = text("SELECT * FROM app.find_refresh_token(:hash)")

USER = text("""
    SELECT u.*, a.plan, a.daily_limit, a.daily_used, a.valid_until
      FROM users u CROSS JOIN LATERAL app.find_allowance(u.id) a WHERE u.id = :user
""")
EMAIL = text("SELECT email FROM users WHERE id = :user")
LOCK_USER = text("SELECT version FROM users WHERE id = :user FOR UPDATE")
LOCK_ROLES = text("SELECT roles FROM users WHERE id = :user FOR UPDATE")
ADD_USER = text("""
    INSERT INTO users (id, email, full_name, metadata) VALUES (:user, :email, :full_name, CAST(:metadata AS jsonb))
    ON CONFLICT (email) DO NOTHING
""")
CHANGE_PASSWORD = text("""
    INSERT INTO passwords (user_id, hash) VALUES (:user, :hash)
    ON CONFLICT (user_id) DO UPDATE SET hash = :hash, changed_at = app.now()
""")
ADD_PASSWORD = text("INSERT INTO passwords (user_id, hash) VALUES (:user, :hash)")

ADD_SESSION = text("INSERT INTO sessions (id, user_id, user_agent, address) VALUES (:session, :user, :user_agent, :address)")
SEE_SESSION = text("UPDATE sessions SET last_seen_at = app.now() WHERE id = :session")
END_SESSION = text("UPDATE sessions SET ended_at = app.now() WHERE id = :session AND user_id = :user AND ended_at IS NULL")
END_OTHER_SESSIONS = text("""
    UPDATE sessions SET ended_at = app.now() WHERE user_id = :user AND id <> :session AND ended_at IS NULL
""")
END_ALL_SESSIONS = text("UPDATE sessions SET ended_at = app.now() WHERE user_id = :user AND ended_at IS NULL")
SESSION_STARTED = text("SELECT created_at FROM sessions WHERE id = :session")
OPEN = "s.user_id = :user AND s.ended_at IS NULL AND s.last_seen_at > :since"
SESSIONS = text(f"""
    SELECT (SELECT count(*) FROM sessions s WHERE {OPEN}) AS total,
           to_json(ARRAY(SELECT json_build_object(
               'id', s.id, 'device', s.user_agent, 'address', s.address, 'created_at', app.rfc3339(s.created_at),
               'last_seen_at', app.rfc3339(s.last_seen_at), 'is_current', s.id = :session)
             FROM sessions s WHERE {OPEN} ORDER BY s.last_seen_at DESC, s.id LIMIT :limit OFFSET :offset)) AS results
""")

ADD_REFRESH_TOKEN = text("""
    INSERT INTO refresh_tokens (hash, session_id, user_id, expires_at) VALUES (:hash, :session, :user, :expires_at)
""")
SPEND_REFRESH_TOKEN = text("UPDATE refresh_tokens SET spent_at = app.now() WHERE hash = :hash AND spent_at IS NULL")

ADD_APPLICATION = text("""
    INSERT INTO instructor_applications (user_id, motivation) VALUES (:user, :motivation)
    ON CONFLICT (user_id) WHERE status = 'pending' DO NOTHING
    RETURNING id, created_at
""")
APPROVE_APPLICATION = text("SELECT app.approve_own_application(:application)")

PROFILE_COLUMNS = ("full_name", "bio", "avatar_url", "email_notifications", "learning_reminders", "timezone")
"""The columns of users that their owner may change."""

API_KEY = """json_build_object(
    'id', k.id, 'name', k.name, 'prefix', k.prefix, 'scopes', k.scopes, 'created_at', app.rfc3339(k.created_at),
    'expires_at', app.rfc3339(k.expires_at), 'last_used_at', app.rfc3339(k.last_used_at))"""
API_KEYS = text(f"""
    SELECT (SELECT count(*) FROM api_keys WHERE user_id = :user) AS total,
           to_json(ARRAY(SELECT {API_KEY} FROM api_keys k WHERE k.user_id = :user
                          ORDER BY k.created_at DESC, k.id LIMIT :limit OFFSET :offset)) AS results
""")
COUNT_API_KEYS = text("SELECT count(*) FROM api_keys WHERE user_id = :user")
ADD_API_KEY = text(f"""
    INSERT INTO api_keys AS k (user_id, name, prefix, hash, scopes, expires_at)
    VALUES (:user, :name, :prefix, :hash, :scopes, :expires_at) RETURNING {API_KEY}
""")
DELETE_ALL_KEYS = text("DELETE FROM api_keys WHERE user_id = :user")
DELETE_API_KEY = text("DELETE FROM api_keys WHERE id = :key AND user_id = :user")

FIND_RECIPIENT = text("SELECT * FROM app.find_recipient(:email)")
SPEND_TOKEN = text("SELECT * FROM app.spend_token(:hash, :purpose, :now)")
CONFIRM_EMAIL = text("SELECT app.confirm_email(:email)")
HOLDS_TOKEN = text("SELECT app.holds_token(:hash)")
DROP_TOKENS = text("DELETE FROM one_time_tokens WHERE user_id = :user")
DROP_REFRESH_TOKENS = text("""
    DELETE FROM refresh_tokens t
     WHERE expires_at <= app.now() OR EXISTS (SELECT FROM sessions s WHERE s.id = t.session_id AND s.ended_at IS NOT NULL)
""")
DROP_TOKENS_THAT_ENDED = text("DELETE FROM one_time_tokens WHERE expires_at <= app.now()")
ADD_TOKEN = text("""
    INSERT INTO one_time_tokens (hash, user_id, purpose, email, expires_at) VALUES (:hash, :user, :purpose, :email, :expires_at)
""")

_EXPORT = "SELECT id, created_at, ready_at, failed_at, expires_at, octet_length(archive) AS size_bytes FROM exports"
EXPORT = text(f"{_EXPORT} WHERE id = :export AND user_id = :user")
LATEST_EXPORT = text(f"""
    {_EXPORT} WHERE user_id = :user AND created_at > :since AND failed_at IS NULL ORDER BY created_at DESC LIMIT 1
""")
ADD_EXPORT = text("INSERT INTO exports (user_id) VALUES (:user) RETURNING id")
KEEP_ARCHIVE = text("""
    UPDATE exports SET archive = :archive, ready_at = app.now(), expires_at = :expires_at WHERE id = :export
""")
FAIL_EXPORT = text("UPDATE exports SET failed_at = app.now() WHERE id = :export AND ready_at IS NULL")
DROP_EXPORTS = text("DELETE FROM exports WHERE expires_at <= app.now()")
FIND_ARCHIVE = text("SELECT app.find_archive(:export, :now)")

PLAN_DELETION = text("SELECT app.plan_deletion(:moment)")
FIND_LEAVERS = text("SELECT * FROM app.find_leavers(:now)")
ERASE = text("SELECT app.erase_account(:account, :now)")

_ACCOUNT = """json_build_object(
    'id', u.id, 'email', u.email, 'full_name', u.full_name, 'roles', u.roles, 'email_verified', u.email_verified,
    'is_suspended', u.suspended_at IS NOT NULL, 'suspended_at', app.rfc3339(u.suspended_at),
    'created_at', app.rfc3339(u.created_at), 'updated_at', app.rfc3339(u.updated_at))"""
ACCOUNT = text(f"SELECT {_ACCOUNT} AS account, u.version FROM users u WHERE u.id = :user")
UPDATE_ACCOUNT = text("SELECT app.update_account(:user, CAST(:roles AS text[]), CAST(:is_suspended AS boolean))")
ACCOUNT_FILTERS = {
    "search": "(u.full_name ILIKE :search OR u.email ILIKE :search)",
    "role": "u.roles @> ARRAY[:role]",
    "is_suspended": "(u.suspended_at IS NOT NULL) = :is_suspended",
}

_APPLICATION = """json_build_object(
    'id', a.id, 'user', json_build_object('id', u.id, 'name', u.full_name, 'email', u.email), 'motivation', a.motivation,
    'status', a.status, 'reason', a.reason, 'created_at', app.rfc3339(a.created_at), 'decided_at', app.rfc3339(a.decided_at))"""
APPLICATION = text(f"""
    SELECT {_APPLICATION} FROM instructor_applications a JOIN users u ON u.id = a.user_id WHERE a.id = :application
""")
DECIDE = text("SELECT app.decide_application(:application, :decision, :reason)")


@cache
def accounts(asked: tuple[str, ...]) -> TextClause:
    where = " AND ".join(["true", *(ACCOUNT_FILTERS[name] for name in asked)])
    return text(f"""
        SELECT (SELECT count(*) FROM users u WHERE {where}) AS total,
               to_json(ARRAY(SELECT {_ACCOUNT} FROM users u WHERE {where}
                              ORDER BY u.created_at DESC, u.id LIMIT :limit OFFSET :offset)) AS results
    """)


@cache
def applications(*, filtered: bool) -> TextClause:
    where = "a.status = :status" if filtered else "true"
    return text(f"""
        SELECT (SELECT count(*) FROM instructor_applications a WHERE {where}) AS total,
               to_json(ARRAY(SELECT {_APPLICATION} FROM instructor_applications a JOIN users u ON u.id = a.user_id
                              WHERE {where} ORDER BY a.created_at, a.id LIMIT :limit OFFSET :offset)) AS results
    """)
