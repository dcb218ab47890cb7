"""Corrections of what earlier revisions brought; with their grants.

(`%%` is one `%`: the driver reads single ones as parameters.)
"""

from alembic import context, op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

LOCKS = """
-- Whatever happens in a course locks its rows in one order, so that no two transactions wait for each other: `course_stats`, then
-- `course_counts`, then those of days and lessons. Triggers fire by their names: those of analytics come behind `count_students`
-- and `count_reviews`.
ALTER TRIGGER count_leaving ON enrollments RENAME TO counts_leaving;
ALTER TRIGGER count_standing ON enrollments RENAME TO counts_standing;
ALTER TRIGGER count_review ON reviews RENAME TO counts_review;

-- Whoever completes a course is counted as before.
CREATE OR REPLACE FUNCTION app.count_students() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE counted text[] := '{active,completed}';
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.course_id = NEW.course_id AND (OLD.status = ANY (counted)) = (NEW.status = ANY (counted)) THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' AND OLD.status = ANY (counted) THEN
        UPDATE course_stats SET students_count = students_count - 1 WHERE course_id = OLD.course_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status = ANY (counted) THEN
        UPDATE course_stats SET students_count = students_count + 1 WHERE course_id = NEW.course_id;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION app.add_progress(p lesson_progress, sign int) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    PERFORM FROM course_counts WHERE course_id = p.course_id FOR NO KEY UPDATE;
    IF sign > 0 THEN
        INSERT INTO lesson_counts AS n VALUES (p.lesson_id, 1, num_nonnulls(p.completed_at))
        ON CONFLICT (lesson_id) DO UPDATE SET started = n.started + 1, completed = n.completed + excluded.completed;
    ELSE
        UPDATE lesson_counts SET started = started - 1, completed = completed - num_nonnulls(p.completed_at)
         WHERE lesson_id = p.lesson_id;
    END IF;
    IF p.completed_at IS NOT NULL THEN
        PERFORM app.count_day(p.user_id, p.course_id, p.completed_at, sign, app.part_of_day(0, 1, NULL));
    END IF;
END $$;
"""

STUDENTS = """
-- Who takes the courses of whoever asks, without their addresses.
DROP VIEW students;
CREATE VIEW students WITH (security_barrier) AS
    SELECT e.id AS enrollment_id, e.course_id, e.user_id, u.full_name AS name, u.avatar_url, e.status, e.enrolled_at,
           e.last_accessed_at, e.completed_at
      FROM enrollments e JOIN users u ON u.id = e.user_id
     WHERE e.course_id IN (SELECT id FROM courses WHERE instructor_id = app.user_id()) OR (SELECT app.is_admin());

-- How far one of them is; apart from the view, which would count for each learner of a course, whatever the page shows.
CREATE FUNCTION app.lessons_done(learner uuid, course uuid) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT count(*) FROM lesson_progress p JOIN lessons l ON l.id = p.lesson_id JOIN sections x ON x.id = l.section_id
     WHERE p.user_id = learner AND l.course_id = course AND x.is_published AND p.completed_at IS NOT NULL
       AND (app.teaches_course(course) OR app.is_admin())
$$;
"""

MEDIA = """
-- What a course shows stays, under a name that says nothing; but an image's is in its address, which courses keep.
CREATE OR REPLACE FUNCTION app.forget_media(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM uploads WHERE user_id = account;
    DELETE FROM media m
     WHERE user_id = account AND NOT EXISTS (SELECT FROM lessons WHERE media_id = m.id)
       AND NOT EXISTS (SELECT FROM courses WHERE position('/media/files/' || m.id || '/' IN lower(thumbnail_url)) > 0);
    UPDATE media SET filename = CASE kind WHEN 'image' THEN filename ELSE id::text END, title = 'Lesson', description = NULL
     WHERE user_id = account;
$$;
"""

INVOICES = """
-- What was given back at Stripe; its invoice stays paid there, too.
ALTER TABLE invoices ADD COLUMN refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0);
CREATE FUNCTION app.refund_invoice(which text, given_back bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    WITH before AS (SELECT id, refunded_minor FROM invoices WHERE id = which AND refunded_minor < given_back FOR UPDATE),
         refunded AS (UPDATE invoices i SET refunded_minor = given_back FROM before b WHERE i.id = b.id
                      RETURNING i.user_id, i.currency, i.plan, given_back - b.refunded_minor AS more)
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT r.user_id, 'payment', 'Payment refunded',
           format('%%s %%s for your %%s subscription were given back', app.units(r.more, r.currency), r.currency, p.name),
           '/subscription', 'refund'
      FROM refunded r JOIN plans p USING (plan)
$$;
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT SELECT ON students TO {app};
GRANT EXECUTE ON FUNCTION app.lessons_done, app.refund_invoice TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for statement in [LOCKS, STUDENTS, MEDIA, INVOICES, GRANTS.format(app=app)]:
        op.get_bind().exec_driver_sql(statement)
