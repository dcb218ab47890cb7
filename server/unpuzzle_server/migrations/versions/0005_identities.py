"""Identities at providers, and the attempts to sign in with one; with their grants and row level security."""

from alembic import context, op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IDENTITIES = """
CREATE TABLE identities (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    provider text NOT NULL,
    subject text NOT NULL,
    email text,
    name text,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    last_used_at timestamptz NOT NULL DEFAULT app.now(),
    UNIQUE (provider, subject)
);
CREATE INDEX identities_user ON identities (user_id, created_at, id);

-- Whose an identity is, or, where nobody has it yet, whose its address is; asked before it is known who asks.
CREATE FUNCTION app.find_owner(of_provider text, of_subject text, address text)
    RETURNS TABLE (user_id uuid, roles text[], suspended boolean, email_verified boolean, has_identity boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT u.id, u.roles, u.suspended_at IS NOT NULL, u.email_verified, i.id IS NOT NULL
      FROM users u LEFT JOIN identities i ON i.user_id = u.id AND i.provider = of_provider AND i.subject = of_subject
     WHERE i.id IS NOT NULL OR u.email = lower(address)
     ORDER BY i.id IS NULL LIMIT 1
$$;

-- A provider vouches for the address of an account whose maker nobody vouched for: what they left to come back by goes.
CREATE FUNCTION app.claim_account() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    UPDATE users SET email_verified = true WHERE id = app.user_id() AND NOT email_verified;
    IF NOT FOUND THEN RETURN; END IF;
    DELETE FROM passwords WHERE user_id = app.user_id();
    DELETE FROM identities WHERE user_id = app.user_id();
    DELETE FROM api_keys WHERE user_id = app.user_id();
    DELETE FROM one_time_tokens WHERE user_id = app.user_id();
    UPDATE sessions SET ended_at = app.now() WHERE user_id = app.user_id() AND ended_at IS NULL;
END $$;
"""

ATTEMPTS = """
-- An attempt to sign in, between leaving for a provider and coming back. It holds digests alone: what is secret of it is
-- derived from its state, which only the browser has.
CREATE TABLE oauth_attempts (
    hash bytea PRIMARY KEY,
    provider text NOT NULL,
    redirect_url text NOT NULL,
    browser bytea,
    code_challenge text,
    name text,
    expires_at timestamptz NOT NULL,
    CHECK (num_nonnulls(browser, code_challenge) = 1)
);
CREATE INDEX oauth_attempts_ending ON oauth_attempts (expires_at);

CREATE FUNCTION app.add_oauth_attempt(state bytea, of_provider text, leads_to text, of_browser bytea, challenge text,
                                      ends timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    INSERT INTO oauth_attempts (hash, provider, redirect_url, browser, code_challenge, expires_at)
    VALUES (state, of_provider, leads_to, of_browser, challenge, ends)
$$;

CREATE FUNCTION app.find_oauth_attempt(state bytea, moment timestamptz) RETURNS TABLE (provider text, redirect_url text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT a.provider, a.redirect_url FROM oauth_attempts a WHERE a.hash = state AND a.expires_at > moment
$$;

-- What Apple says of a name, it says on the way back, and once.
CREATE FUNCTION app.name_oauth_attempt(state bytea, full_name text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE oauth_attempts SET name = full_name WHERE hash = state
$$;

-- An attempt is good once, and for whoever began it.
CREATE FUNCTION app.spend_oauth_attempt(state bytea, of_provider text, of_browser bytea, challenge text, moment timestamptz)
    RETURNS TABLE (spent boolean, name text)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM oauth_attempts a
     WHERE a.hash = state AND a.provider = of_provider AND a.expires_at > moment
       AND (a.browser = of_browser OR a.code_challenge = challenge)
    RETURNING true, a.name
$$;
"""

LEAVING = """
-- Erasing an account asks every function app.forget_…(account) too: a migration with something of a person adds one.
CREATE OR REPLACE FUNCTION app.erase_account(account uuid, moment timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE address text; forgets regproc;
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
    FOR forgets IN SELECT oid FROM pg_proc WHERE pronamespace = 'app'::regnamespace AND starts_with(proname, 'forget_') LOOP
        EXECUTE format('SELECT %%s($1)', forgets) USING account;
    END LOOP;
    UPDATE users
       SET email = format('erased-%%s@erased.invalid', account), full_name = 'Somebody who left', avatar_url = NULL, bio = NULL,
           metadata = '{}', roles = '{student}', email_verified = false, timezone = 'UTC', email_notifications = false,
           learning_reminders = false, suspended_at = moment, deletes_at = NULL, erased_at = moment
     WHERE id = account;
    RETURN true;
END $$;

CREATE FUNCTION app.forget_identities(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM identities WHERE user_id = account
$$;
"""

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY own ON identities TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY expired ON oauth_attempts TO {worker} USING (expires_at <= app.now());
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_owner, app.claim_account, app.add_oauth_attempt, app.find_oauth_attempt,
                          app.name_oauth_attempt, app.spend_oauth_attempt TO {app};
GRANT SELECT, DELETE, INSERT (user_id, provider, subject, email, name), UPDATE (email, name, last_used_at) ON identities TO {app};
GRANT DELETE, SELECT (expires_at) ON oauth_attempts TO {worker};
"""


def upgrade() -> None:
    roles = {"app": context.config.attributes["app_role"], "worker": context.config.attributes["worker_role"]}
    statements = [IDENTITIES, ATTEMPTS, LEAVING, *(SECURE.format(table=table) for table in ("identities", "oauth_attempts"))]
    for statement in [*statements, POLICIES.format(**roles), GRANTS.format(**roles)]:
        op.get_bind().exec_driver_sql(statement)
