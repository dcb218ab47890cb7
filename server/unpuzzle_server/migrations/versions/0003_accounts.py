"""API keys, the changing of passwords, and what admins do to accounts, with their grants and row level security."""

from alembic import context, op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEYS = """
CREATE TABLE api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL,
    prefix text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX api_keys_user ON api_keys (user_id, created_at DESC, id);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON api_keys TO CURRENT_USER USING (true) WITH CHECK (true);

-- Who a key belongs to, asked before it is known who asks. When it was used is written down once a minute.
CREATE FUNCTION app.find_api_key(key_hash bytea, moment timestamptz)
    RETURNS TABLE (user_id uuid, roles text[], suspended boolean, scopes text[], expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    UPDATE api_keys k SET last_used_at = date_trunc('minute', moment)
     WHERE k.hash = key_hash AND k.last_used_at IS DISTINCT FROM date_trunc('minute', moment)
       AND (k.expires_at IS NULL OR k.expires_at > moment);
    RETURN QUERY
        SELECT u.id, u.roles, u.suspended_at IS NOT NULL, k.scopes, k.expires_at
          FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.hash = key_hash;
END $$;
"""

ADMINS = """
ALTER TABLE instructor_applications ADD COLUMN reason text;
CREATE INDEX instructor_applications_waiting ON instructor_applications (created_at, id);
CREATE INDEX users_newest ON users (created_at DESC, id);

-- The application's role changes neither roles nor suspensions itself: for admins these do.
CREATE FUNCTION app.update_account(account uuid, new_roles text[], is_suspended boolean) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF NOT app.is_admin() THEN RAISE insufficient_privilege; END IF;
    UPDATE users
       SET roles = coalesce(new_roles, roles),
           suspended_at = CASE is_suspended WHEN true THEN coalesce(suspended_at, app.now()) WHEN false THEN NULL
                                            ELSE suspended_at END
     WHERE id = account;
    RETURN FOUND;
END $$;

CREATE FUNCTION app.decide_application(application uuid, decision text, why text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE applicant uuid;
BEGIN
    IF NOT app.is_admin() THEN RAISE insufficient_privilege; END IF;
    UPDATE instructor_applications SET status = decision, reason = why, decided_at = app.now()
     WHERE id = application AND status = 'pending' RETURNING user_id INTO applicant;
    IF applicant IS NULL THEN RETURN false; END IF;
    IF decision = 'approved' THEN
        UPDATE users SET roles = array_append(array_remove(roles, 'instructor'), 'instructor') WHERE id = applicant;
    END IF;
    RETURN true;
END $$;
"""

POLICIES = """
CREATE POLICY own ON api_keys TO {app} USING (user_id = (SELECT app.user_id()));
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_api_key, app.update_account, app.decide_application TO {app};
GRANT SELECT (id, user_id, name, prefix, scopes, expires_at, last_used_at, created_at), DELETE,
      INSERT (user_id, name, prefix, hash, scopes, expires_at) ON api_keys TO {app};
GRANT SELECT (user_id), UPDATE (hash, changed_at) ON passwords TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for statement in (KEYS, ADMINS, POLICIES.format(app=app), GRANTS.format(app=app)):
        op.get_bind().exec_driver_sql(statement)
