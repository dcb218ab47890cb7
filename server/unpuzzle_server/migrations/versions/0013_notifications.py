"""Notifications as a stream, by mail and as announcements; shared reflections, bulk enrolment and reminders.

With their grants and row level security.
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
    -- Those of one transaction have one time: they come as they were written.
    UPDATE notifications n SET number = fresh.number
      FROM (SELECT id, nextval('notification_numbers') AS number
              FROM (SELECT id FROM notifications WHERE user_id = app.user_id() AND number IS NULL AND is_shown
                     ORDER BY created_at, ctid) waiting) fresh
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

COURSES = """
-- Told by whoever teaches the course, in one statement to all who take it; answers how many there are.
CREATE FUNCTION app.announce(course uuid, heading text, words text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE told bigint;
BEGIN
    IF NOT (app.teaches_course(course) OR app.is_admin()) THEN RAISE insufficient_privilege; END IF;
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT e.user_id, 'course', heading, words, format('/courses/%%s/learn', c.slug), 'announcement'
      FROM enrollments e JOIN courses c ON c.id = e.course_id
     WHERE e.course_id = course AND e.status IN ('active', 'completed');
    GET DIAGNOSTICS told = ROW_COUNT;
    RETURN told;
END $$;

-- Who takes the courses of whoever asks, without their addresses.
CREATE VIEW students WITH (security_barrier) AS
    SELECT e.id AS enrollment_id, e.course_id, e.user_id, u.full_name AS name, u.avatar_url, e.status, e.enrolled_at,
           e.last_accessed_at, e.completed_at,
           (SELECT count(*) FROM lesson_progress p JOIN lessons l ON l.id = p.lesson_id JOIN sections x ON x.id = l.section_id
             WHERE p.user_id = e.user_id AND l.course_id = e.course_id AND x.is_published AND p.completed_at IS NOT NULL) AS done
      FROM enrollments e JOIN users u ON u.id = e.user_id
     WHERE app.teaches_course(e.course_id) OR (SELECT app.is_admin());
"""

REFLECTIONS = """
CREATE TABLE reflection_responses (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    reflection_id uuid NOT NULL REFERENCES reflections ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX reflection_responses_reflection ON reflection_responses (reflection_id, created_at, id);
CREATE INDEX reflection_responses_user ON reflection_responses (user_id);
CREATE INDEX reflections_tags ON reflections USING gin (tags);
CREATE INDEX reflections_shared ON reflections (course_id, created_at DESC, id) WHERE visibility <> 'private';

-- What anybody may know of those who share a reflection, or answer one.
CREATE VIEW sharers AS
    SELECT id, full_name AS name, avatar_url FROM users
     WHERE EXISTS (SELECT FROM reflections r WHERE r.user_id = users.id AND r.visibility <> 'private')
        OR EXISTS (SELECT FROM reflection_responses r WHERE r.user_id = users.id);

CREATE FUNCTION app.notify_of_response() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT r.user_id, 'course', 'Your reflection was answered',
           format('%%s answered what you wrote on ''%%s''', u.full_name, r.lesson_title),
           format('/reflections/%%s', r.id), 'response'
      FROM reflections r JOIN users u ON u.id = NEW.user_id WHERE r.id = NEW.reflection_id AND r.user_id <> NEW.user_id;
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER INSERT ON reflection_responses FOR EACH ROW EXECUTE FUNCTION app.notify_of_response();

CREATE FUNCTION app.forget_responses(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM reflection_responses WHERE user_id = account
$$;
"""

BULK = """
CREATE TABLE bulk_jobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    is_dry_run boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    finished_at timestamptz
);
CREATE INDEX bulk_jobs_user ON bulk_jobs (user_id);
CREATE INDEX bulk_jobs_created ON bulk_jobs (created_at);

CREATE TABLE bulk_rows (
    job_id uuid NOT NULL REFERENCES bulk_jobs ON DELETE CASCADE,
    position int NOT NULL,
    email text NOT NULL,
    address text NOT NULL GENERATED ALWAYS AS (lower(trim(email))) STORED,
    outcome text CHECK (outcome IN ('enrolled', 'invited', 'already_enrolled', 'already_invited', 'duplicate', 'invalid')),
    message text,
    PRIMARY KEY (job_id, position)
);
CREATE INDEX bulk_rows_address ON bulk_rows (address, job_id, position);
CREATE INDEX bulk_rows_waiting ON bulk_rows (job_id, position) WHERE outcome IS NULL;

-- The token of the mail stands here as a digest.
CREATE TABLE invitations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    email text NOT NULL CHECK (email = lower(email)),
    hash bytea UNIQUE,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    UNIQUE (course_id, email)
);
CREATE INDEX invitations_user ON invitations (user_id);
CREATE INDEX invitations_email ON invitations (email);
CREATE INDEX invitations_expires ON invitations (expires_at);

-- What would come of each row of a job that waits, and why nothing would.
CREATE FUNCTION app.judge_rows(job uuid, size int)
    RETURNS TABLE (place int, verdict text, reason text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT b.position, v.verdict, v.reason
      FROM (SELECT * FROM bulk_rows WHERE job_id = job AND outcome IS NULL ORDER BY position LIMIT size) b
      JOIN bulk_jobs j ON j.id = job
      JOIN courses c ON c.id = j.course_id
      LEFT JOIN users u ON u.email = b.address
      LEFT JOIN enrollments e ON e.user_id = u.id AND e.course_id = c.id
      LEFT JOIN invitations i ON i.email = b.address AND i.course_id = c.id,
     LATERAL (SELECT w.verdict, w.reason FROM (VALUES
         (1, 'invalid', 'This is not an e-mail address.',
             length(b.address) > 254 OR b.address !~ '^[^@[:space:]]+@[^@[:space:].]+([.][^@[:space:].]+)+$'),
         (2, 'duplicate', 'An earlier row has the same address.',
             EXISTS (SELECT FROM bulk_rows o WHERE o.address = b.address AND o.job_id = job AND o.position < b.position)),
         (3, 'invalid', 'Whoever teaches the course does not take it.', u.id = c.instructor_id),
         (4, 'invalid', 'This account can''t be enrolled.', u.suspended_at IS NOT NULL),
         (5, 'already_enrolled', NULL, e.status IN ('active', 'completed')),
         (6, 'enrolled', NULL, u.id IS NOT NULL),
         (7, 'already_invited', NULL, i.expires_at > app.now()),
         (8, 'invited', NULL, true)
     ) AS w (rank, verdict, reason, holds) WHERE w.holds ORDER BY w.rank LIMIT 1) v
$$;

-- Some rows of a job, done in one transaction; answers how many are left. Of two workers with the same job the second waits, and
-- finds the next rows.
CREATE FUNCTION app.enroll_in_bulk(job uuid, size int, invited_until timestamptz) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE j bulk_jobs; remaining bigint;
BEGIN
    SELECT * INTO j FROM bulk_jobs WHERE id = job AND finished_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN RETURN 0; END IF;
    WITH done AS (
        UPDATE bulk_rows b SET outcome = r.verdict, message = r.reason
          FROM app.judge_rows(job, size) r WHERE b.job_id = job AND b.position = r.place
        RETURNING b.address, b.outcome),
    enrolled AS (
        INSERT INTO enrollments AS e (user_id, course_id)
        SELECT u.id, j.course_id FROM done JOIN users u ON u.email = done.address
         WHERE done.outcome = 'enrolled' AND NOT j.is_dry_run
        ON CONFLICT ON CONSTRAINT enrollments_once
        DO UPDATE SET status = CASE WHEN e.completed_at IS NULL THEN 'active' ELSE 'completed' END, enrolled_at = app.now()
         WHERE e.status NOT IN ('active', 'completed')),
    invited AS (
        INSERT INTO invitations AS i (course_id, user_id, email, expires_at)
        SELECT j.course_id, j.user_id, address, invited_until FROM done WHERE outcome = 'invited' AND NOT j.is_dry_run
        ON CONFLICT (course_id, email) DO UPDATE SET expires_at = excluded.expires_at, user_id = excluded.user_id
        RETURNING id)
    SELECT count(app.enqueue('enrollments.mail_invitation', jsonb_build_object('invitation_id', id), '0', '20 seconds'))
      INTO remaining FROM invited;
    SELECT count(*) INTO remaining FROM bulk_rows WHERE job_id = job AND outcome IS NULL;
    IF remaining = 0 THEN UPDATE bulk_jobs SET finished_at = app.now() WHERE id = job; END IF;
    RETURN remaining;
END $$;

-- What an invitation says, for the worker that mails it, whose token is good from now on.
CREATE FUNCTION app.arm_invitation(invitation uuid, token_hash bytea)
    RETURNS TABLE (email text, title text, instructor text)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE invitations i SET hash = token_hash FROM courses c JOIN users u ON u.id = c.instructor_id
     WHERE i.id = invitation AND c.id = i.course_id RETURNING i.email, c.title, u.full_name
$$;

-- An invitation is good once, to whoever has its link.
CREATE FUNCTION app.accept_invitation(token_hash bytea) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM invitations i WHERE i.hash = token_hash AND i.expires_at > app.now() RETURNING i.course_id
$$;

CREATE FUNCTION app.forget_invitations(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM bulk_jobs WHERE user_id = account;
    DELETE FROM bulk_rows WHERE address = (SELECT email FROM users WHERE id = account);
    DELETE FROM invitations WHERE user_id = account OR email = (SELECT email FROM users WHERE id = account);
$$;
"""

REMINDERS = """
CREATE TABLE reminders (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    reminded_at timestamptz NOT NULL
);

-- Asks for a mail to each who wants to be reminded, takes a course and has not learnt for a week; at most one a week. Whom
-- another worker is reminding is left to that one.
CREATE FUNCTION app.remind_learners(size int) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    WITH idle AS (
        SELECT u.id FROM users u
         WHERE u.learning_reminders AND u.email_notifications AND u.suspended_at IS NULL AND u.deletes_at IS NULL
           AND NOT EXISTS (SELECT FROM reminders r WHERE r.user_id = u.id AND r.reminded_at > app.now() - interval '7 days')
           AND EXISTS (SELECT FROM enrollments e WHERE e.user_id = u.id AND e.status = 'active')
           AND NOT EXISTS (SELECT FROM enrollments e WHERE e.user_id = u.id AND e.status IN ('active', 'completed')
                              AND greatest(e.last_accessed_at, e.enrolled_at) > app.now() - interval '7 days')
         ORDER BY u.id LIMIT size FOR UPDATE OF u SKIP LOCKED),
    noted AS (
        INSERT INTO reminders AS r (user_id, reminded_at) SELECT id, app.now() FROM idle
        ON CONFLICT (user_id) DO UPDATE SET reminded_at = excluded.reminded_at
         WHERE r.reminded_at <= app.now() - interval '7 days'
        RETURNING user_id)
    SELECT count(app.enqueue('notifications.mail_reminder', jsonb_build_object('user_id', user_id), '0', '20 seconds')) FROM noted
$$;

-- What a reminder says: where the learner was last. Nothing if they have learnt meanwhile, or do not want it any more.
CREATE FUNCTION app.find_reminder(account uuid)
    RETURNS TABLE (email text, full_name text, title text, slug text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT u.email, u.full_name, c.title, c.slug
      FROM users u JOIN enrollments e ON e.user_id = u.id AND e.status = 'active' JOIN courses c ON c.id = e.course_id
     WHERE u.id = account AND u.learning_reminders AND u.email_notifications AND u.suspended_at IS NULL AND u.deletes_at IS NULL
       AND greatest(e.last_accessed_at, e.enrolled_at) <= app.now() - interval '7 days'
     ORDER BY greatest(e.last_accessed_at, e.enrolled_at) DESC, c.id LIMIT 1
$$;

CREATE FUNCTION app.forget_reminders(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM reminders WHERE user_id = account
$$;
"""

SECURED = ["reflection_responses", "bulk_jobs", "bulk_rows", "invitations", "reminders"]

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY shown ON notifications AS RESTRICTIVE TO {app} USING (is_shown);

-- A public reflection is for those who take the course; one for the instructor, and a public one, for whoever teaches it.
CREATE POLICY shared ON reflections FOR SELECT TO {app} USING (
    visibility = 'public' AND app.takes_course(course_id) OR visibility <> 'private' AND app.teaches_course(course_id));
CREATE POLICY visible ON reflection_responses FOR SELECT TO {app} USING (
    EXISTS (SELECT FROM reflections r WHERE r.id = reflection_id));
CREATE POLICY taught ON reflection_responses FOR INSERT TO {app} WITH CHECK (
    user_id = (SELECT app.user_id()) AND EXISTS (
        SELECT FROM reflections r WHERE r.id = reflection_id AND r.visibility <> 'private' AND app.teaches_course(r.course_id)));

CREATE POLICY own ON bulk_jobs TO {app} USING (user_id = (SELECT app.user_id()))
    WITH CHECK (user_id = (SELECT app.user_id()) AND (app.teaches_course(course_id) OR (SELECT app.is_admin())));
CREATE POLICY own ON bulk_rows TO {app} USING (EXISTS (SELECT FROM bulk_jobs j WHERE j.id = job_id));
CREATE POLICY old ON bulk_jobs TO {worker} USING (created_at <= app.now() - interval '90 days');
CREATE POLICY expired ON invitations TO {worker} USING (expires_at <= app.now());
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.number_notifications, app.announce, app.accept_invitation TO {app};
GRANT EXECUTE ON FUNCTION app.find_notification_mail, app.note_mail, app.enroll_in_bulk, app.arm_invitation, app.remind_learners,
                          app.find_reminder TO {worker};
GRANT UPDATE (mailed, muted) ON users TO {app};
GRANT DELETE ON notifications TO {app};
GRANT SELECT ON students, sharers TO {app};
GRANT SELECT, INSERT (reflection_id, user_id, content) ON reflection_responses TO {app};
GRANT SELECT, INSERT (id, user_id, course_id, is_dry_run) ON bulk_jobs TO {app};
GRANT SELECT, INSERT (job_id, position, email) ON bulk_rows TO {app};
GRANT SELECT (id, created_at), DELETE ON bulk_jobs TO {worker};
GRANT SELECT (id, expires_at), DELETE ON invitations TO {worker};
"""


def upgrade() -> None:
    roles = {"app": context.config.attributes["app_role"], "worker": context.config.attributes["worker_role"]}
    statements = [PREFERENCES, TELLING, COURSES, REFLECTIONS, BULK, REMINDERS]
    statements += [SECURE.format(table=table) for table in SECURED]
    for statement in [*statements, POLICIES.format(**roles), GRANTS.format(**roles)]:
        op.get_bind().exec_driver_sql(statement)
