"""Notifications as a stream, by mail and as announcements; with their grants and row level security.

What somebody wants to be told, and how, stands in their row of `users`, where the profile's preferences stand too.
(`%%` is one `%`: the driver reads single ones as parameters.)
"""

from alembic import context, op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PREFERENCES = """
-- The types of notifications that come by mail, and those that the app does not show.
ALTER TABLE users ADD COLUMN mailed text[] NOT NULL DEFAULT '{}', ADD COLUMN muted text[] NOT NULL DEFAULT '{}';

-- One that is for the mail alone is gone when it is sent.
ALTER TABLE notifications ADD COLUMN is_shown boolean NOT NULL DEFAULT true, ADD COLUMN is_mailed boolean NOT NULL DEFAULT false;

-- How it is told is what its receiver wants when it happens; what is wanted in no way does not happen.
CREATE FUNCTION app.choose_channels() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    SELECT NEW.type <> ALL (muted), email_notifications AND NEW.type = ANY (mailed) INTO NEW.is_shown, NEW.is_mailed
      FROM users WHERE id = NEW.user_id;
    RETURN CASE WHEN NEW.is_shown OR NEW.is_mailed THEN NEW END;
END $$;
CREATE TRIGGER choose_channels BEFORE INSERT ON notifications FOR EACH ROW EXECUTE FUNCTION app.choose_channels();
"""

TELLING = """
-- Whoever listens is told when the transaction commits, and looks here. A payload of NOTIFY has at most 8000 bytes: 200 ids.
CREATE FUNCTION app.tell() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    PERFORM pg_notify('unpuzzle_notifications', string_agg(user_id::text, ','))
       FROM (SELECT user_id, row_number() OVER (ORDER BY user_id) / 200 AS part
               FROM (SELECT DISTINCT user_id FROM new_rows WHERE is_shown) told) parts
      GROUP BY part;
    PERFORM app.enqueue('notifications.mail', jsonb_build_object('notification_id', id), '0', '20 seconds')
       FROM new_rows WHERE is_mailed;
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT ON notifications REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.tell();

-- Numbers are given when they are read: a transaction that commits late does not come before a number that was read already,
-- and no writer waits for another.
ALTER TABLE notifications ADD COLUMN number bigint;
CREATE SEQUENCE notification_numbers;
CREATE INDEX notifications_number ON notifications (user_id, number);

CREATE FUNCTION app.number_notifications() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    -- Held until the numbers are there for others: of two readers at once, the second sees those of the first.
    PERFORM pg_advisory_xact_lock(hashtextextended(format('notifications:%%s', app.user_id()), 0));
    UPDATE notifications n SET number = fresh.number
      FROM (SELECT id, nextval('notification_numbers') AS number
              FROM (SELECT id FROM notifications WHERE user_id = app.user_id() AND number IS NULL AND is_shown
                     ORDER BY created_at, id) waiting) fresh
     WHERE n.id = fresh.id;
END $$;

-- What a mail says, for the worker that sends it; nothing if it is gone, or not wanted any more.
CREATE FUNCTION app.find_notification_mail(notification uuid)
    RETURNS TABLE (email text, full_name text, title text, message text, action_url text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT u.email, u.full_name, n.title, n.message, n.action_url
      FROM notifications n JOIN users u ON u.id = n.user_id
     WHERE n.id = notification AND n.is_mailed AND u.email_notifications AND u.suspended_at IS NULL
$$;

CREATE FUNCTION app.note_mail(notification uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE notifications SET is_mailed = false WHERE id = notification AND is_shown;
    DELETE FROM notifications WHERE id = notification AND NOT is_shown;
$$;

CREATE FUNCTION app.forget_channels(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE users SET mailed = '{}', muted = '{}' WHERE id = account
$$;
"""

POLICIES = """
CREATE POLICY shown ON notifications AS RESTRICTIVE TO {app} USING (is_shown);
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.number_notifications TO {app};
GRANT EXECUTE ON FUNCTION app.find_notification_mail, app.note_mail TO {worker};
GRANT UPDATE (mailed, muted) ON users TO {app};
GRANT DELETE ON notifications TO {app};
"""


def upgrade() -> None:
    roles = {"app": context.config.attributes["app_role"], "worker": context.config.attributes["worker_role"]}
    for statement in (PREFERENCES, TELLING, POLICIES.format(**roles), GRANTS.format(**roles)):
        op.get_bind().exec_driver_sql(statement)
