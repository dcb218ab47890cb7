"""SQL of the mirror of Supabase's users and sessions."""

from sqlalchemy import text

MIRROR_USER = text("""
    SELECT app.mirror_user(:user, :email, :name, CAST(:verified AS boolean), CAST(:told_at AS timestamptz), :renames)
""")
LOSE_USER = text("SELECT app.lose_user(:user)")
MIRROR_SESSION = text("SELECT app.mirror_session(:session, :user, CAST(:user_agent AS text), CAST(:address AS text))")
END_SESSION = text("SELECT app.end_mirrored_session(:session)")
TAKE_EVENT = text("SELECT app.take_auth_event(:event)")
DROP_EVENTS = text("DELETE FROM auth_webhook_events WHERE received_at < app.now() - interval '30 days'")
