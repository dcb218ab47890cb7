"""What there is to know of learning and of teaching, counted as it happens; with its grants and row level security.

Every number is kept by triggers of the tables where things happen: each adds what a row comes to, or takes it away again. The
views `app.recounted_…` say what the numbers are, from the raw rows; `app.rebuild_analytics` puts them into the place of what was
kept, and a test holds the two against each other. Days are those of the learner's time zone: when it changes, theirs are
counted anew.
"""

from alembic import context, op

from unpuzzle_server.migrations.achievements import ACHIEVEMENTS, LEARNERS
from unpuzzle_server.migrations.recounts import RECOUNTS

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = """
-- What is done in a lesson counts for its course also when the lesson is gone.
ALTER TABLE lesson_progress ADD COLUMN course_id uuid REFERENCES courses ON DELETE CASCADE;
UPDATE lesson_progress p SET course_id = l.course_id FROM lessons l WHERE l.id = p.lesson_id;
ALTER TABLE lesson_progress ALTER COLUMN course_id SET NOT NULL;
CREATE INDEX lesson_progress_course ON lesson_progress (course_id);
CREATE FUNCTION app.place_progress() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    SELECT course_id INTO NEW.course_id FROM lessons WHERE id = NEW.lesson_id;
    RETURN NEW;
END $$;
CREATE TRIGGER place_progress BEFORE INSERT ON lesson_progress FOR EACH ROW EXECUTE FUNCTION app.place_progress();

-- A learner's day in a course, where they are; `nights` and `mornings` count quarters of an hour.
CREATE TABLE learner_days (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    day date NOT NULL,
    seconds numeric NOT NULL DEFAULT 0 CHECK (seconds >= 0),
    lessons int NOT NULL DEFAULT 0 CHECK (lessons >= 0),
    quizzes int NOT NULL DEFAULT 0 CHECK (quizzes >= 0),
    perfect int NOT NULL DEFAULT 0 CHECK (perfect >= 0),
    score_sum numeric NOT NULL DEFAULT 0 CHECK (score_sum >= 0),
    nights int NOT NULL DEFAULT 0 CHECK (nights >= 0),
    mornings int NOT NULL DEFAULT 0 CHECK (mornings >= 0),
    PRIMARY KEY (user_id, day, course_id)
);
CREATE INDEX learner_days_course ON learner_days (course_id);

CREATE TABLE learner_courses (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    lessons int NOT NULL CHECK (lessons >= 0),
    PRIMARY KEY (user_id, course_id)
);
CREATE INDEX learner_courses_course ON learner_courses (course_id);

-- What achievements measure.
CREATE TABLE learner_totals (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    seconds numeric NOT NULL DEFAULT 0 CHECK (seconds >= 0),
    lessons int NOT NULL DEFAULT 0 CHECK (lessons >= 0),
    perfect int NOT NULL DEFAULT 0 CHECK (perfect >= 0),
    nights int NOT NULL DEFAULT 0 CHECK (nights >= 0),
    mornings int NOT NULL DEFAULT 0 CHECK (mornings >= 0),
    courses int NOT NULL DEFAULT 0 CHECK (courses >= 0),
    reviews int NOT NULL DEFAULT 0 CHECK (reviews >= 0),
    -- Days in a row: those up to the last one, and the most there were.
    streak int NOT NULL DEFAULT 0,
    streak_until date,
    longest_streak int NOT NULL DEFAULT 0
);

CREATE TABLE course_counts (
    course_id uuid PRIMARY KEY REFERENCES courses ON DELETE CASCADE,
    enrolled int NOT NULL DEFAULT 0 CHECK (enrolled >= 0),
    active int NOT NULL DEFAULT 0 CHECK (active >= 0),
    started int NOT NULL DEFAULT 0 CHECK (started >= 0),
    first_lesson int NOT NULL DEFAULT 0 CHECK (first_lesson >= 0),
    completed int NOT NULL DEFAULT 0 CHECK (completed >= 0),
    -- How many gave one star, two, …
    ratings int[] NOT NULL DEFAULT '{0,0,0,0,0}',
    attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    passed int NOT NULL DEFAULT 0 CHECK (passed >= 0),
    score_sum numeric NOT NULL DEFAULT 0 CHECK (score_sum >= 0)
);

-- A course's day, in UTC.
CREATE TABLE course_days (
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    day date NOT NULL,
    enrolled int NOT NULL DEFAULT 0 CHECK (enrolled >= 0),
    completed int NOT NULL DEFAULT 0 CHECK (completed >= 0),
    PRIMARY KEY (course_id, day)
);

CREATE TABLE lesson_counts (
    lesson_id uuid PRIMARY KEY REFERENCES lessons ON DELETE CASCADE,
    started int NOT NULL DEFAULT 0 CHECK (started >= 0),
    completed int NOT NULL DEFAULT 0 CHECK (completed >= 0)
);

-- What stands in `earnings`, by month, in UTC.
CREATE TABLE monthly_earnings (
    user_id uuid NOT NULL REFERENCES users,
    course_id uuid NOT NULL REFERENCES courses,
    month date NOT NULL,
    currency text NOT NULL,
    sales int NOT NULL CHECK (sales >= 0),
    gross_minor bigint NOT NULL CHECK (gross_minor >= 0),
    refunded_minor bigint NOT NULL CHECK (refunded_minor >= 0),
    PRIMARY KEY (user_id, month, course_id, currency)
);
CREATE INDEX monthly_earnings_course ON monthly_earnings (course_id);
"""

DAYS = """
-- Adds what something comes to to a day, or takes it away: a day on which nothing is left is none.
CREATE FUNCTION app.count_day(account uuid, course uuid, moment timestamptz, sign int, part learner_days) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE local date;
BEGIN
    SELECT (moment AT TIME ZONE timezone)::date INTO local FROM users WHERE id = account;
    IF sign > 0 THEN
        INSERT INTO learner_days AS d VALUES
            (account, course, local, part.seconds, part.lessons, part.quizzes, part.perfect, part.score_sum, part.nights,
             part.mornings)
        ON CONFLICT (user_id, day, course_id) DO UPDATE SET
            seconds = d.seconds + excluded.seconds, lessons = d.lessons + excluded.lessons,
            quizzes = d.quizzes + excluded.quizzes, perfect = d.perfect + excluded.perfect,
            score_sum = d.score_sum + excluded.score_sum, nights = d.nights + excluded.nights,
            mornings = d.mornings + excluded.mornings;
    ELSE
        UPDATE learner_days SET
            seconds = seconds - part.seconds, lessons = lessons - part.lessons, quizzes = quizzes - part.quizzes,
            perfect = perfect - part.perfect, score_sum = score_sum - part.score_sum, nights = nights - part.nights,
            mornings = mornings - part.mornings
         WHERE user_id = account AND day = local AND course_id = course;
        DELETE FROM learner_days WHERE user_id = account AND day = local AND course_id = course
                                   AND seconds = 0 AND lessons = 0 AND quizzes = 0;
    END IF;
END $$;

-- What a day is made of, for the three tables that make one; null where it is nothing.
CREATE FUNCTION app.part_of_day(spent numeric, done int, score numeric) RETURNS learner_days
    LANGUAGE sql IMMUTABLE SET search_path = public, app, pg_temp AS $$
    SELECT ROW (NULL, NULL, NULL, spent, done, num_nonnulls(score), coalesce((score = 100)::int, 0), coalesce(score, 0), 0, 0)
           ::learner_days
$$;

CREATE FUNCTION app.hour_in(zone text, moment timestamptz) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT extract(hour FROM moment AT TIME ZONE zone)::int $$;
CREATE FUNCTION app.is_night(zone text, moment timestamptz) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (app.hour_in(zone, moment) < 4)::int $$;
CREATE FUNCTION app.is_morning(zone text, moment timestamptz) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (app.hour_in(zone, moment) IN (5, 6))::int $$;

CREATE FUNCTION app.count_study_time() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE t study_time := coalesce(NEW, OLD); part learner_days; zone text;
BEGIN
    part := app.part_of_day(coalesce(NEW.seconds, 0) - coalesce(OLD.seconds, 0), 0, NULL);
    IF TG_OP <> 'UPDATE' THEN
        SELECT timezone INTO zone FROM users WHERE id = t.user_id;
        part.seconds := t.seconds;
        part.nights := app.is_night(zone, t.quarter);
        part.mornings := app.is_morning(zone, t.quarter);
    END IF;
    PERFORM app.count_day(t.user_id, t.course_id, t.quarter, CASE TG_OP WHEN 'DELETE' THEN -1 ELSE 1 END, part);
    RETURN NULL;
END $$;
CREATE TRIGGER count_day AFTER INSERT OR DELETE OR UPDATE OF seconds ON study_time
    FOR EACH ROW EXECUTE FUNCTION app.count_study_time();

CREATE FUNCTION app.add_progress(p lesson_progress, sign int) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
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

CREATE FUNCTION app.count_progress() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM app.add_progress(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM app.add_progress(NEW, 1); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_progress AFTER INSERT OR DELETE ON lesson_progress FOR EACH ROW EXECUTE FUNCTION app.count_progress();
CREATE TRIGGER count_completion AFTER UPDATE OF completed_at ON lesson_progress FOR EACH ROW
    WHEN (OLD.completed_at IS DISTINCT FROM NEW.completed_at) EXECUTE FUNCTION app.count_progress();

CREATE FUNCTION app.add_attempt(a quiz_attempts, sign int) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF a.submitted_at IS NULL THEN RETURN; END IF;
    PERFORM app.count_day(a.user_id, a.course_id, a.submitted_at, sign, app.part_of_day(0, 0, a.score));
    UPDATE course_counts SET attempts = attempts + sign, passed = passed + sign * a.is_passed::int,
                             score_sum = score_sum + sign * a.score
     WHERE course_id = a.course_id;
END $$;

CREATE FUNCTION app.count_attempt() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM app.add_attempt(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM app.add_attempt(NEW, 1); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_attempt AFTER INSERT OR DELETE OR UPDATE OF submitted_at ON quiz_attempts
    FOR EACH ROW EXECUTE FUNCTION app.count_attempt();
"""

COURSES = """
CREATE FUNCTION app.add_course_counts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO course_counts (course_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER course_counts AFTER INSERT ON courses FOR EACH ROW EXECUTE FUNCTION app.add_course_counts();

CREATE FUNCTION app.count_course_day(course uuid, moment timestamptz, came int, finished int) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    INSERT INTO course_days AS d
    SELECT course, (moment AT TIME ZONE 'UTC')::date, 0, 0 WHERE moment IS NOT NULL
    ON CONFLICT DO NOTHING;
    UPDATE course_days SET enrolled = enrolled + came, completed = completed + finished
     WHERE course_id = course AND day = (moment AT TIME ZONE 'UTC')::date;
$$;

CREATE FUNCTION app.add_enrollment(e enrollments, sign int) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE finished int := sign * num_nonnulls(e.completed_at);
BEGIN
    UPDATE course_counts
       SET enrolled = enrolled + sign, active = active + sign * (e.status = 'active')::int,
           started = started + sign * num_nonnulls(e.last_accessed_at), completed = completed + finished
     WHERE course_id = e.course_id;
    PERFORM app.count_course_day(e.course_id, e.enrolled_at, sign, 0);
    PERFORM app.count_course_day(e.course_id, e.completed_at, 0, finished);
    IF finished > 0 THEN INSERT INTO learner_totals (user_id) VALUES (e.user_id) ON CONFLICT DO NOTHING; END IF;
    UPDATE learner_totals SET courses = courses + finished WHERE user_id = e.user_id AND finished <> 0;
END $$;

CREATE FUNCTION app.count_enrollment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    PERFORM app.add_enrollment(OLD, -1);
    IF TG_OP <> 'DELETE' THEN PERFORM app.add_enrollment(NEW, 1); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_leaving AFTER DELETE ON enrollments FOR EACH ROW EXECUTE FUNCTION app.count_enrollment();
-- Not for each step of a learner: a course's counts are one row.
CREATE TRIGGER count_standing AFTER UPDATE ON enrollments FOR EACH ROW
    WHEN ((OLD.course_id, OLD.status, OLD.enrolled_at, OLD.completed_at, OLD.last_accessed_at IS NULL)
          IS DISTINCT FROM (NEW.course_id, NEW.status, NEW.enrolled_at, NEW.completed_at, NEW.last_accessed_at IS NULL))
    EXECUTE FUNCTION app.count_enrollment();

-- All at once: ten thousand who come in one statement are one change to the course's row.
CREATE FUNCTION app.count_coming() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    UPDATE course_counts c
       SET enrolled = c.enrolled + n.enrolled, active = c.active + n.active, started = c.started + n.started,
           completed = c.completed + n.completed
      FROM (SELECT course_id, count(*) AS enrolled, count(*) FILTER (WHERE status = 'active') AS active,
                   count(last_accessed_at) AS started, count(completed_at) AS completed
              FROM new_rows GROUP BY course_id) n
     WHERE c.course_id = n.course_id;
    INSERT INTO course_days AS d
    SELECT course_id, day, sum(came), sum(finished)
      FROM (SELECT course_id, (enrolled_at AT TIME ZONE 'UTC')::date AS day, 1 AS came, 0 AS finished FROM new_rows
            UNION ALL
            SELECT course_id, (completed_at AT TIME ZONE 'UTC')::date, 0, 1 FROM new_rows
             WHERE completed_at IS NOT NULL) AS events
     GROUP BY course_id, day
    ON CONFLICT (course_id, day) DO UPDATE SET enrolled = d.enrolled + excluded.enrolled,
                                               completed = d.completed + excluded.completed;
    INSERT INTO learner_totals AS t (user_id, courses)
    SELECT user_id, count(*) FROM new_rows WHERE completed_at IS NOT NULL GROUP BY user_id
    ON CONFLICT (user_id) DO UPDATE SET courses = t.courses + excluded.courses;
    RETURN NULL;
END $$;
CREATE TRIGGER count_coming AFTER INSERT ON enrollments REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.count_coming();

CREATE FUNCTION app.add_review(r reviews, sign int) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    UPDATE course_counts SET ratings[r.rating] = ratings[r.rating] + sign WHERE course_id = r.course_id;
    IF sign > 0 THEN INSERT INTO learner_totals (user_id) VALUES (r.user_id) ON CONFLICT DO NOTHING; END IF;
    UPDATE learner_totals SET reviews = reviews + sign WHERE user_id = r.user_id;
END $$;

CREATE FUNCTION app.count_review() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM app.add_review(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM app.add_review(NEW, 1); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_review AFTER INSERT OR DELETE OR UPDATE OF rating ON reviews
    FOR EACH ROW EXECUTE FUNCTION app.count_review();

-- The ledger grows and does not change.
CREATE FUNCTION app.sum_earnings() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO monthly_earnings AS m
    VALUES (NEW.user_id, NEW.course_id, date_trunc('month', NEW.earned_at AT TIME ZONE 'UTC')::date, NEW.currency,
            (NEW.kind = 'sale')::int, greatest(NEW.amount_minor, 0), greatest(-NEW.amount_minor, 0))
    ON CONFLICT (user_id, month, course_id, currency) DO UPDATE SET
        sales = m.sales + excluded.sales, gross_minor = m.gross_minor + excluded.gross_minor,
        refunded_minor = m.refunded_minor + excluded.refunded_minor;
    RETURN NULL;
END $$;
CREATE TRIGGER sum_earnings AFTER INSERT ON earnings FOR EACH ROW EXECUTE FUNCTION app.sum_earnings();
-- One that was paid before it came here is booked as it comes.
CREATE TRIGGER book_paid AFTER INSERT ON payments FOR EACH ROW
    WHEN (NEW.paid_at IS NOT NULL) EXECUTE FUNCTION app.book_earnings();
"""

OWN = ["learner_days", "learner_courses", "learner_totals", "achievements"]
TAUGHT = ["course_counts", "course_days"]
SECURED = [*OWN, *TAUGHT, "lesson_counts", "monthly_earnings", "achievement_rules"]

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT ON {table} TO {app};
"""

POLICIES = """
CREATE POLICY taught ON lesson_counts FOR SELECT TO {app} USING (
    EXISTS (SELECT FROM lessons l WHERE l.id = lesson_id AND app.teaches_course(l.course_id)) OR (SELECT app.is_admin()));
CREATE POLICY own ON monthly_earnings FOR SELECT TO {app} USING (
    user_id = (SELECT app.user_id()) OR (SELECT app.is_admin()));
CREATE POLICY everybody ON achievement_rules FOR SELECT TO {app} USING (true);
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    statements = [TABLES, DAYS, LEARNERS, COURSES, ACHIEVEMENTS, RECOUNTS]
    statements += [SECURE.format(table=table, app=app) for table in SECURED]
    statements += [f"CREATE POLICY own ON {table} FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()))" for table in OWN]
    taught = "app.teaches_course(course_id) OR (SELECT app.is_admin())"
    statements += [f"CREATE POLICY taught ON {table} FOR SELECT TO {app} USING ({taught})" for table in TAUGHT]
    for statement in [*statements, POLICIES.format(app=app)]:
        op.get_bind().exec_driver_sql(statement)
