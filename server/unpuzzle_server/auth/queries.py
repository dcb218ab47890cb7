"""SQL of accounts and sessions."""

from sqlalchemy import text

FIND_IDENTITY = text("SELECT roles, suspended, session_open FROM app.find_identity(:session, :user)")
FIND_LOGIN = text("SELECT user_id, hash, roles, suspended FROM app.find_login(:email)")
FIND_REFRESH_TOKEN = text("SELECT * FROM app.find_refresh_token(:hash)")

USER = text("SELECT * FROM users WHERE id = :user")
LOCK_USER = text("SELECT version FROM users WHERE id = :user FOR UPDATE")
LOCK_ROLES = text("SELECT roles FROM users WHERE id = :user FOR UPDATE")
ADD_USER = text("""
    INSERT INTO users (id, email, full_name, metadata) VALUES (:user, :email, :full_name, CAST(:metadata AS jsonb))
    ON CONFLICT (email) DO NOTHING
""")
ADD_PASSWORD = text("INSERT INTO passwords (user_id, hash) VALUES (:user, :hash)")

ADD_SESSION = text("INSERT INTO sessions (id, user_id, user_agent, address) VALUES (:session, :user, :user_agent, :address)")
SEE_SESSION = text("UPDATE sessions SET last_seen_at = app.now() WHERE id = :session")
END_SESSION = text("UPDATE sessions SET ended_at = app.now() WHERE id = :session AND ended_at IS NULL")

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
