"""Progress, reviews by learners, notifications and reflections, with their grants and row level security.

Notifications are made by triggers: whatever causes an event, and by whichever way, makes its notification in the same
transaction, and the application's role needs no right to write one to somebody else.
(`%%` is one `%`: the driver reads single ones as parameters.)
"""

from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PROGRESS = """
ALTER TABLE enrollments ADD COLUMN last_accessed_at timestamptz;
ALTER TABLE enrollments ADD CONSTRAINT enrollments_whole UNIQUE (id, user_id, course_id);
CREATE INDEX enrollments_user ON enrollments (user_id, enrolled_at DESC);

CREATE FUNCTION app.seconds_in(ranges nummultirange) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT coalesce(sum(upper(part) - lower(part)), 0) FROM unnest(ranges) AS part $$;

-- Rounded half up.
CREATE FUNCTION app.percentage(done bigint, total bigint) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT coalesce(round(100.0 * done / nullif(total, 0)), 0)::int $$;

CREATE TABLE lesson_progress (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    lesson_id uuid NOT NULL REFERENCES lessons ON DELETE CASCADE,
    position_seconds float8 NOT NULL DEFAULT 0 CHECK (position_seconds >= 0),
    positioned_at timestamptz NOT NULL,
    watched nummultirange NOT NULL DEFAULT '{}',
    active_seconds numeric NOT NULL DEFAULT 0 CHECK (active_seconds >= 0),
    spent_seconds numeric NOT NULL GENERATED ALWAYS AS (app.seconds_in(watched) + active_seconds) STORED,
    completed_at timestamptz,
    -- Whoever reopens a lesson completes it themselves: what they watched before does not.
    is_reopened boolean NOT NULL DEFAULT false,
    accessed_at timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (user_id, lesson_id)
);
CREATE INDEX lesson_progress_lesson ON lesson_progress (lesson_id);

-- When time was spent, by quarters of an hour: days begin at each of them somewhere in the world.
CREATE TABLE study_time (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    quarter timestamptz NOT NULL,
    seconds numeric NOT NULL CHECK (seconds >= 0),
    PRIMARY KEY (user_id, course_id, quarter)
);

CREATE FUNCTION app.book_time() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE spent numeric := NEW.spent_seconds;
BEGIN
    IF TG_OP = 'UPDATE' THEN spent := spent - OLD.spent_seconds; END IF;
    IF spent > 0 THEN
        INSERT INTO study_time AS t (user_id, course_id, quarter, seconds)
        SELECT NEW.user_id, l.course_id, date_bin('15 minutes', NEW.accessed_at, 'epoch'), spent
          FROM lessons l WHERE l.id = NEW.lesson_id
        ON CONFLICT (user_id, course_id, quarter) DO UPDATE SET seconds = t.seconds + excluded.seconds;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER book_time AFTER INSERT OR UPDATE OF watched, active_seconds ON lesson_progress
    FOR EACH ROW EXECUTE FUNCTION app.book_time();

-- The two lists of what one takes are two views of these rows; a course that was left keeps its name here.
CREATE VIEW own_enrollments WITH (security_barrier) AS
    SELECT e.*, c.title, c.slug, c.thumbnail_url, i.full_name AS instructor_name, s.duration_seconds
      FROM enrollments e
      JOIN courses c ON c.id = e.course_id
      JOIN users i ON i.id = c.instructor_id
      JOIN course_stats s ON s.course_id = c.id
     WHERE e.user_id = (SELECT app.user_id());

-- Every published section of one's courses, with its lessons and how far one is in each.
CREATE VIEW own_lessons WITH (security_barrier) AS
    SELECT e.id AS enrollment_id, e.course_id, x.id AS section_id, x.title AS section_title,
           x.description AS section_description, x.position AS section_position,
           l.id AS lesson_id, l.title, l.type, l.position, l.duration_seconds, l.is_preview,
           coalesce(p.position_seconds, 0) AS position_seconds, coalesce(p.watched, '{}') AS watched,
           coalesce(p.spent_seconds, 0) AS spent_seconds, p.completed_at, p.accessed_at
      FROM enrollments e
      JOIN sections x ON x.course_id = e.course_id AND x.is_published
      LEFT JOIN lessons l ON l.section_id = x.id
      LEFT JOIN lesson_progress p ON p.lesson_id = l.id AND p.user_id = e.user_id
     WHERE e.user_id = (SELECT app.user_id());
"""

REVIEWS = """
-- A review is of its enrolment's course, and by whom that is.
ALTER TABLE reviews ADD FOREIGN KEY (enrollment_id, user_id, course_id) REFERENCES enrollments (id, user_id, course_id)
    ON UPDATE CASCADE ON DELETE CASCADE;
CREATE INDEX reviews_rating ON reviews (course_id, rating);

-- What anybody may know of those who wrote a review.
CREATE VIEW reviewers AS
    SELECT id, full_name AS name, avatar_url FROM users WHERE EXISTS (SELECT FROM reviews WHERE user_id = users.id);
"""

REFLECTIONS = """
CREATE TABLE reflections (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- A reflection is its author's: it outlives the lesson, under the titles that it had.
    lesson_id uuid REFERENCES lessons ON DELETE SET NULL,
    course_id uuid REFERENCES courses ON DELETE SET NULL,
    lesson_title text NOT NULL,
    course_title text NOT NULL,
    type text NOT NULL DEFAULT 'puzzle' CHECK (type IN ('puzzle', 'note', 'question')),
    content text NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    visibility text NOT NULL DEFAULT 'private' CHECK (visibility IN ('private', 'instructor', 'public')),
    timestamp_seconds float8 CHECK (timestamp_seconds >= 0),
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX reflections_user ON reflections (user_id, created_at DESC, id);
CREATE INDEX reflections_lesson ON reflections (lesson_id);
CREATE INDEX reflections_course ON reflections (course_id);
-- That its lesson was deleted is no change that its author made.
CREATE TRIGGER touch BEFORE UPDATE OF type, content, tags, visibility, timestamp_seconds ON reflections
    FOR EACH ROW EXECUTE FUNCTION app.touch();

-- Whether the asking user may read what a lesson shows: a preview, or a lesson of a course they take or teach.
CREATE FUNCTION app.may_read(lesson uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM lessons l JOIN sections x ON x.id = l.section_id JOIN courses c ON c.id = l.course_id
         WHERE l.id = lesson
           AND (c.instructor_id = app.user_id() OR app.is_admin()
                OR x.is_published AND (l.is_preview AND c.status = 'published' OR app.takes_course(c.id))))
$$;
"""

NOTIFICATIONS = """
CREATE TABLE notifications (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    type text NOT NULL CHECK (type IN ('course', 'payment', 'achievement', 'system')),
    title text NOT NULL,
    message text NOT NULL,
    action_url text,
    icon text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    read_at timestamptz
);
CREATE INDEX notifications_user ON notifications (user_id, created_at DESC, id);
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL;

CREATE FUNCTION app.notify_of_enrollment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE came boolean; finished boolean;
BEGIN
    came := NEW.status IN ('active', 'completed') AND (TG_OP = 'INSERT' OR OLD.status NOT IN ('active', 'completed'));
    finished := TG_OP = 'UPDATE' AND NEW.completed_at IS NOT NULL AND OLD.completed_at IS NULL;
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT NEW.user_id, 'course', event.title, format(event.message, c.title), format('/courses/%%s/learn', c.slug), event.icon
      FROM courses c,
           (VALUES (came, 'Welcome to the course', 'You are enrolled in ''%%s''', 'enrollment'),
                   (finished, 'Course completed', 'You have completed ''%%s''', 'completion')
           ) AS event (happened, title, message, icon)
     WHERE c.id = NEW.course_id AND event.happened;
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER INSERT OR UPDATE OF status, completed_at ON enrollments
    FOR EACH ROW EXECUTE FUNCTION app.notify_of_enrollment();

-- One statement for all learners of a course, however many lessons came at once.
CREATE FUNCTION app.notify_of_lessons(course uuid, lessons bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT e.user_id, 'course', CASE lessons WHEN 1 THEN 'New lesson available' ELSE 'New lessons available' END,
           CASE lessons WHEN 1 THEN format('A new lesson has been added to ''%%s''', c.title)
                        ELSE format('%%s new lessons have been added to ''%%s''', lessons, c.title) END,
           format('/courses/%%s/learn', c.slug), 'lesson'
      FROM enrollments e JOIN courses c ON c.id = e.course_id
     WHERE e.course_id = course AND e.status IN ('active', 'completed') AND lessons > 0
$$;

CREATE FUNCTION app.notify_of_new_lessons() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    PERFORM app.notify_of_lessons(n.course_id, count(*))
       FROM new_rows n JOIN sections x ON x.id = n.section_id WHERE x.is_published GROUP BY n.course_id;
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER INSERT ON lessons REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.notify_of_new_lessons();

-- What was there when a section was hidden is not new when it is shown again.
ALTER TABLE sections ADD COLUMN hidden_at timestamptz;
CREATE FUNCTION app.note_hiding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.hidden_at := app.now();
    RETURN NEW;
END $$;
CREATE TRIGGER note_hiding BEFORE UPDATE ON sections FOR EACH ROW
    WHEN (OLD.is_published AND NOT NEW.is_published) EXECUTE FUNCTION app.note_hiding();

CREATE FUNCTION app.notify_of_new_sections() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    PERFORM app.notify_of_lessons(n.course_id, count(l.id))
       FROM new_rows n JOIN old_rows o ON o.id = n.id JOIN lessons l ON l.section_id = n.id
      WHERE n.is_published AND NOT o.is_published AND l.created_at > coalesce(n.hidden_at, '-infinity') GROUP BY n.course_id;
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER UPDATE ON sections REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.notify_of_new_sections();

CREATE FUNCTION app.notify_of_review() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT c.instructor_id, 'course', 'New review', format('''%%s'' was rated %%s of 5', c.title, NEW.rating),
           format('/courses/%%s', c.slug), 'review'
      FROM courses c WHERE c.id = NEW.course_id;
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER INSERT ON reviews FOR EACH ROW EXECUTE FUNCTION app.notify_of_review();

CREATE FUNCTION app.notify_of_decision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT NEW.user_id, 'system', decision.title, decision.message, decision.action_url, 'application'
      FROM (VALUES ('approved', 'Application approved', 'You can write courses now', '/instructor/courses'),
                   ('rejected', 'Application declined', 'Your application to teach was declined', NULL)
           ) AS decision (status, title, message, action_url)
     WHERE decision.status = NEW.status AND OLD.status = 'pending';
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER UPDATE OF status ON instructor_applications
    FOR EACH ROW EXECUTE FUNCTION app.notify_of_decision();
"""

SECURED = ["lesson_progress", "study_time", "notifications", "reflections"]

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY own ON lesson_progress TO {app} USING (user_id = (SELECT app.user_id()))
    WITH CHECK (user_id = (SELECT app.user_id())
                AND EXISTS (SELECT FROM lessons l WHERE l.id = lesson_id AND app.takes_course(l.course_id)));
CREATE POLICY own ON study_time TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON notifications TO {app} USING (user_id = (SELECT app.user_id()));

CREATE POLICY own ON reflections TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY readable ON reflections AS RESTRICTIVE FOR INSERT TO {app} WITH CHECK (app.may_read(lesson_id));

CREATE POLICY taken ON reviews AS RESTRICTIVE FOR INSERT TO {app} WITH CHECK (app.takes_course(course_id));
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.seconds_in, app.percentage, app.may_read TO {app};
GRANT SELECT ON own_enrollments, own_lessons, reviewers, study_time TO {app};
GRANT SELECT, INSERT, UPDATE ON lesson_progress TO {app};
GRANT INSERT (enrollment_id, course_id, user_id, rating, comment), UPDATE (rating, comment), DELETE ON reviews TO {app};
GRANT SELECT, UPDATE (read_at) ON notifications TO {app};
GRANT SELECT, INSERT, UPDATE (type, content, tags, visibility, timestamp_seconds), DELETE ON reflections TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    statements = [PROGRESS, REVIEWS, REFLECTIONS, NOTIFICATIONS]
    statements += [SECURE.format(table=table) for table in SECURED]
    statements += [POLICIES.format(app=app), GRANTS.format(app=app)]
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
