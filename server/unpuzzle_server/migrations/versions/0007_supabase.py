"""Users and sessions of Supabase Auth, mirrored here; with their grants and row level security."""

from alembic import context, op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MIRROR = """
-- When a user was last told of by Supabase; what is older than that changes nothing.
ALTER TABLE users ADD COLUMN told_at timestamptz;

-- Users that were deleted and sessions that ended at Supabase: whatever else is told of them comes too late.
CREATE TABLE supabase_gone (id uuid PRIMARY KEY, gone_at timestamptz NOT NULL);

CREATE TABLE auth_webhook_events (id text PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT app.now());
CREATE INDEX auth_webhook_events_received ON auth_webhook_events (received_at);

CREATE FUNCTION app.take_auth_event(event text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    WITH taken AS (INSERT INTO auth_webhook_events (id) VALUES (event) ON CONFLICT DO NOTHING RETURNING true)
    SELECT EXISTS (SELECT FROM taken)
$$;

-- Somebody is no longer known at Supabase: they are signed out, their address is free, and what is theirs is erased in its
-- time. An account of this server's own from before Supabase is set aside instead: an admin knows what to do with it.
CREATE FUNCTION app.lose_user(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE sessions SET ended_at = app.now() WHERE user_id = account AND ended_at IS NULL;
    DELETE FROM api_keys WHERE user_id = account;
    UPDATE users SET email = format('gone-%%s@erased.invalid', id),
                     suspended_at = CASE WHEN told_at IS NULL THEN coalesce(suspended_at, app.now()) ELSE suspended_at END,
                     deletes_at = CASE WHEN told_at IS NULL THEN deletes_at ELSE coalesce(deletes_at, app.now()) END
     WHERE id = account;
    INSERT INTO supabase_gone VALUES (account, app.now()) ON CONFLICT DO NOTHING;
$$;

-- Whether the user is new. Supabase has each address once: whoever else has it here has lost it there without our hearing
-- of it, unless what is told is the older word. A name that was changed here stays unless `renames`.
CREATE FUNCTION app.mirror_user(account uuid, address text, named text, verified boolean, told timestamptz, renames boolean)
    RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE is_new boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(lower(address), 0));
    IF EXISTS (SELECT FROM supabase_gone WHERE id = account)
        OR EXISTS (SELECT FROM users WHERE email = lower(address) AND id <> account AND told_at > told)
    THEN RETURN false; END IF;
    IF EXISTS (SELECT FROM users WHERE id = account AND told_at >= told) THEN RETURN false; END IF;
    PERFORM app.lose_user(id) FROM users WHERE email = lower(address) AND id <> account;
    INSERT INTO users (id, email, full_name, email_verified, told_at)
    VALUES (account, lower(address), named, coalesce(verified, false), told)
    ON CONFLICT (id) DO UPDATE SET email = excluded.email, told_at = told,
                                   full_name = CASE WHEN renames THEN excluded.full_name ELSE users.full_name END,
                                   email_verified = coalesce(verified, users.email_verified)
    RETURNING xmax = 0 INTO is_new;
    RETURN is_new;
END $$;

CREATE FUNCTION app.mirror_session(session uuid, account uuid, agent text, from_address text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    INSERT INTO sessions (id, user_id, user_agent, address)
    SELECT session, account, agent, from_address FROM users u
     WHERE u.id = account AND NOT EXISTS (SELECT FROM supabase_gone g WHERE g.id IN (session, account))
    ON CONFLICT (id) DO NOTHING
$$;

CREATE FUNCTION app.end_mirrored_session(session uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE sessions SET ended_at = app.now() WHERE id = session AND ended_at IS NULL;
    INSERT INTO supabase_gone VALUES (session, app.now()) ON CONFLICT DO NOTHING;
$$;
"""

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

GRANTS = """
CREATE POLICY expired ON auth_webhook_events TO {worker} USING (received_at < app.now() - interval '30 days');
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.take_auth_event, app.mirror_user, app.lose_user, app.mirror_session, app.end_mirrored_session
    TO {app};
GRANT DELETE, SELECT (received_at) ON auth_webhook_events TO {worker};
"""


def upgrade() -> None:
    roles = {"app": context.config.attributes["app_role"], "worker": context.config.attributes["worker_role"]}
    secured = (SECURE.format(table=table) for table in ("supabase_gone", "auth_webhook_events"))
    for statement in [MIRROR, *secured, GRANTS.format(**roles)]:
        op.get_bind().exec_driver_sql(statement)
