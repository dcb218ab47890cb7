"""API keys, mail and its one-time tokens, what admins do to accounts, and how an account is exported and erased.

With their grants and row level security. `app.erase_account` knows what to do with each table that holds something of a
person; a migration that adds such a table replaces it.
"""

from alembic import context, op

revision = "0004"
down_revision = "0003"
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

MAIL = """
-- The embedded mail server: where no SMTP server is set, mails are kept here for whoever runs the server.
CREATE TABLE outbox_mails (
    message_id text PRIMARY KEY,
    recipient text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    html text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX outbox_mails_newest ON outbox_mails (created_at DESC);

-- What a link in a mail carries, as a digest.
CREATE TABLE one_time_tokens (
    hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('password_reset', 'email')),
    email text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id);

DROP FUNCTION app.find_login(text);
CREATE FUNCTION app.find_login(address text)
    RETURNS TABLE (user_id uuid, hash text, roles text[], suspended boolean, email_verified boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT u.id, p.hash, u.roles, u.suspended_at IS NOT NULL, u.email_verified
      FROM users u JOIN passwords p ON p.user_id = u.id
     WHERE u.email = lower(address)
$$;

-- Whom to write to; asked by tasks, where nobody is signed in.
CREATE FUNCTION app.find_recipient(address text)
    RETURNS TABLE (user_id uuid, full_name text, email text, email_verified boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT id, full_name, email, email_verified FROM users WHERE email = lower(address)
$$;

-- A token is good once: whoever spends it is who they say they are.
CREATE FUNCTION app.spend_token(token_hash bytea, what_for text, moment timestamptz)
    RETURNS TABLE (user_id uuid, roles text[], email text)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    WITH spent AS (DELETE FROM one_time_tokens t WHERE t.hash = token_hash AND t.purpose = what_for
                   RETURNING t.user_id, t.email, t.expires_at)
    SELECT u.id, u.roles, spent.email FROM spent JOIN users u ON u.id = spent.user_id WHERE spent.expires_at > moment
$$;

-- The address of whoever asks, which a link sent to it has just confirmed; answers the one before.
CREATE FUNCTION app.confirm_email(address text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE before text;
BEGIN
    SELECT u.email INTO before FROM users u WHERE u.id = app.user_id() FOR UPDATE;
    UPDATE users SET email = lower(address), email_verified = true WHERE id = app.user_id();
    RETURN before;
END $$;
"""

LEAVING = """
ALTER TABLE users ADD COLUMN deletes_at timestamptz, ADD COLUMN erased_at timestamptz;
CREATE INDEX users_leaving ON users (deletes_at) WHERE deletes_at IS NOT NULL;

CREATE TABLE exports (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    archive bytea,
    ready_at timestamptz,
    failed_at timestamptz,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX exports_user ON exports (user_id, created_at DESC);

-- Fetched with a signed link, by nobody in particular.
CREATE FUNCTION app.find_archive(export uuid, moment timestamptz) RETURNS bytea
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT archive FROM exports WHERE id = export AND expires_at > moment
$$;

-- Who is to be erased by now.
CREATE FUNCTION app.find_leavers(moment timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT id FROM users WHERE deletes_at <= moment
$$;

CREATE FUNCTION app.plan_deletion(moment timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE users SET deletes_at = moment WHERE id = app.user_id()
$$;

-- Everything personal goes. What others rely on stays without a name: courses, ratings, how many took a course.
CREATE FUNCTION app.erase_account(account uuid, moment timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE address text;
BEGIN
    SELECT email INTO address FROM users WHERE id = account AND deletes_at <= moment FOR UPDATE;
    IF address IS NULL THEN RETURN false; END IF;
    DELETE FROM outbox_mails WHERE recipient = address
        OR recipient IN (SELECT email FROM one_time_tokens WHERE user_id = account);
    DELETE FROM rate_limits WHERE position(address in key) > 0;
    DELETE FROM tasks WHERE args->>'email' = address;
    DELETE FROM failed_tasks WHERE args->>'email' = address;
    DELETE FROM one_time_tokens WHERE user_id = account;
    DELETE FROM api_keys WHERE user_id = account;
    DELETE FROM exports WHERE user_id = account;
    DELETE FROM idempotency_keys WHERE user_id = account;
    DELETE FROM notifications WHERE user_id = account;
    DELETE FROM passwords WHERE user_id = account;
    DELETE FROM reflections WHERE user_id = account;
    DELETE FROM instructor_applications WHERE user_id = account;
    DELETE FROM sessions WHERE user_id = account;
    DELETE FROM study_time WHERE user_id = account;
    DELETE FROM lesson_progress WHERE user_id = account;
    UPDATE reviews SET comment = NULL WHERE user_id = account;
    UPDATE users
       SET email = format('erased-%%s@erased.invalid', account), full_name = 'Somebody who left', avatar_url = NULL, bio = NULL,
           metadata = '{}', roles = '{student}', email_verified = false, timezone = 'UTC', email_notifications = false,
           learning_reminders = false, suspended_at = moment, deletes_at = NULL, erased_at = moment
     WHERE id = account;
    RETURN true;
END $$;
"""

SECURED = ["api_keys", "outbox_mails", "one_time_tokens", "exports"]

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY own ON api_keys TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON one_time_tokens TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON exports TO {app} USING (user_id = (SELECT app.user_id()));
-- Written by workers, who may see no more than whether a mail is there; read by nobody who serves requests.
CREATE POLICY there ON outbox_mails FOR SELECT TO {worker} USING (true);
CREATE POLICY written ON outbox_mails FOR INSERT TO {worker} WITH CHECK (true);
CREATE POLICY expired ON exports TO {worker} USING (expires_at <= app.now());
CREATE POLICY expired ON one_time_tokens TO {worker} USING (expires_at <= app.now());
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_api_key, app.update_account, app.decide_application, app.find_login, app.find_recipient,
                          app.spend_token,
                          app.confirm_email, app.find_archive, app.plan_deletion TO {app};
GRANT EXECUTE ON FUNCTION app.find_leavers, app.erase_account TO {worker};
GRANT SELECT (id, user_id, name, prefix, scopes, expires_at, last_used_at, created_at), DELETE,
      INSERT (user_id, name, prefix, hash, scopes, expires_at) ON api_keys TO {app};
GRANT INSERT, DELETE, SELECT (user_id, purpose, expires_at) ON one_time_tokens TO {app};
GRANT INSERT, SELECT (message_id) ON outbox_mails TO {worker};
GRANT SELECT, INSERT (user_id), UPDATE (archive, ready_at, failed_at, expires_at), DELETE ON exports TO {app};
GRANT SELECT (user_id), UPDATE (hash, changed_at) ON passwords TO {app};
"""


def upgrade() -> None:
    roles = {"app": context.config.attributes["app_role"], "worker": context.config.attributes["worker_role"]}
    statements = [KEYS, ADMINS, MAIL, LEAVING, *(SECURE.format(table=table) for table in SECURED)]
    for statement in [*statements, POLICIES.format(**roles), GRANTS.format(**roles)]:
        op.get_bind().exec_driver_sql(statement)
