"""What there is to know of learning and of teaching, counted as it happens; with its grants and row level security.

Every number is kept by triggers of the tables where things happen: each adds what a row comes to, or takes it away again. The
views `app.recounted_…` say what the numbers are, from the raw rows; `app.rebuild_analytics` puts them into the place of what was
kept, and a test holds the two against each other. Days are those of the learner's time zone: when it changes, theirs are
counted anew.
"""

from alembic import context, op

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

LEARNERS = """
CREATE FUNCTION app.count_streaks(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    WITH days AS (SELECT DISTINCT day FROM learner_days WHERE user_id = account),
         runs AS (SELECT max(day) AS until, count(*)::int AS days
                    FROM (SELECT day, day - (row_number() OVER (ORDER BY day))::int AS run FROM days) AS numbered GROUP BY run)
    UPDATE learner_totals
       SET (streak, streak_until) = (SELECT coalesce(max(last.days), 0), max(last.until)
                                       FROM (SELECT * FROM runs ORDER BY until DESC LIMIT 1) AS last),
           longest_streak = (SELECT coalesce(max(days), 0) FROM runs)
     WHERE user_id = account
$$;

CREATE FUNCTION app.sum_days() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE d learner_days := coalesce(NEW, OLD); added int;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO learner_totals (user_id) VALUES (d.user_id) ON CONFLICT DO NOTHING;
        INSERT INTO learner_courses VALUES (d.user_id, d.course_id, 0) ON CONFLICT DO NOTHING;
    END IF;
    UPDATE learner_totals
       SET seconds = seconds + coalesce(NEW.seconds, 0) - coalesce(OLD.seconds, 0),
           lessons = lessons + coalesce(NEW.lessons, 0) - coalesce(OLD.lessons, 0),
           perfect = perfect + coalesce(NEW.perfect, 0) - coalesce(OLD.perfect, 0),
           nights = nights + coalesce(NEW.nights, 0) - coalesce(OLD.nights, 0),
           mornings = mornings + coalesce(NEW.mornings, 0) - coalesce(OLD.mornings, 0)
     WHERE user_id = d.user_id;
    added := coalesce(NEW.lessons, 0) - coalesce(OLD.lessons, 0);
    IF added <> 0 THEN
        UPDATE learner_courses SET lessons = lessons + added WHERE user_id = d.user_id AND course_id = d.course_id;
    END IF;
    IF TG_OP <> 'UPDATE' THEN PERFORM app.count_streaks(d.user_id); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER sum_days AFTER INSERT OR UPDATE OR DELETE ON learner_days FOR EACH ROW
    WHEN (current_setting('app.recounting', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION app.sum_days();

CREATE FUNCTION app.count_first_lesson() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    UPDATE course_counts SET first_lesson = first_lesson + (NEW.lessons > 0)::int - (OLD.lessons > 0)::int
     WHERE course_id = NEW.course_id;
    RETURN NULL;
END $$;
CREATE TRIGGER count_first_lesson AFTER UPDATE ON learner_courses FOR EACH ROW
    WHEN ((OLD.lessons > 0) <> (NEW.lessons > 0)) EXECUTE FUNCTION app.count_first_lesson();
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
    IF TG_OP <> 'INSERT' THEN PERFORM app.add_enrollment(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM app.add_enrollment(NEW, 1); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_enrollment AFTER INSERT OR DELETE ON enrollments FOR EACH ROW EXECUTE FUNCTION app.count_enrollment();
-- Not for each step of a learner: a course's counts are one row.
CREATE TRIGGER count_standing AFTER UPDATE ON enrollments FOR EACH ROW
    WHEN ((OLD.course_id, OLD.status, OLD.enrolled_at, OLD.completed_at, OLD.last_accessed_at IS NULL)
          IS DISTINCT FROM (NEW.course_id, NEW.status, NEW.enrolled_at, NEW.completed_at, NEW.last_accessed_at IS NULL))
    EXECUTE FUNCTION app.count_enrollment();

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

ACHIEVEMENTS = """
-- The one table of rules: whoever's total reaches the threshold has earned it, and keeps it.
CREATE TABLE achievement_rules (
    id text PRIMARY KEY,
    type text NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    measure text NOT NULL,
    threshold int NOT NULL,
    position int NOT NULL
);
INSERT INTO achievement_rules VALUES
    ('first-lesson', 'lesson', 'First Lesson', 'Completed a lesson', 'lessons', 1, 1),
    ('lessons-100', 'lesson', 'A Hundred Lessons', 'Completed 100 lessons', 'lessons', 100, 2),
    ('streak-7', 'streak', '7-Day Learning Streak', 'Learned for 7 consecutive days', 'longest_streak', 7, 3),
    ('streak-30', 'streak', '30-Day Learning Streak', 'Learned for 30 consecutive days', 'longest_streak', 30, 4),
    ('streak-100', 'streak', '100-Day Learning Streak', 'Learned for 100 consecutive days', 'longest_streak', 100, 5),
    ('first-course', 'course', 'First Course', 'Completed a course', 'courses', 1, 6),
    ('courses-5', 'course', 'Five Courses', 'Completed five courses', 'courses', 5, 7),
    ('perfect-quiz', 'quiz', 'Perfect Quiz', 'Answered every question of a quiz right', 'perfect', 1, 8),
    ('perfect-10', 'quiz', 'Ten Perfect Quizzes', 'Answered every question right in ten attempts', 'perfect', 10, 9),
    ('hours-10', 'time', 'Ten Hours', 'Learned for ten hours', 'seconds', 36000, 10),
    ('hours-100', 'time', 'A Hundred Hours', 'Learned for 100 hours', 'seconds', 360000, 11),
    ('night-owl', 'habit', 'Night Owl', 'Learned between midnight and four', 'nights', 1, 12),
    ('early-bird', 'habit', 'Early Bird', 'Learned between five and seven in the morning', 'mornings', 1, 13),
    ('reviewer', 'community', 'First Review', 'Reviewed a course', 'reviews', 1, 14);

CREATE TABLE achievements (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    rule text NOT NULL REFERENCES achievement_rules,
    earned_at timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (user_id, rule)
);

CREATE FUNCTION app.award() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO achievements (user_id, rule)
    SELECT NEW.user_id, r.id FROM achievement_rules r WHERE (to_jsonb(NEW) ->> r.measure)::numeric >= r.threshold
     ORDER BY r.position
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER award_first AFTER INSERT ON learner_totals FOR EACH ROW EXECUTE FUNCTION app.award();
-- Seconds by the hour: most that happens adds a few.
CREATE TRIGGER award AFTER UPDATE ON learner_totals FOR EACH ROW
    WHEN ((OLD.lessons, OLD.perfect, OLD.nights, OLD.mornings, OLD.courses, OLD.reviews, OLD.longest_streak,
           div(OLD.seconds, 3600)) IS DISTINCT FROM
          (NEW.lessons, NEW.perfect, NEW.nights, NEW.mornings, NEW.courses, NEW.reviews, NEW.longest_streak,
           div(NEW.seconds, 3600)))
    EXECUTE FUNCTION app.award();

CREATE FUNCTION app.notify_of_achievement() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT NEW.user_id, 'achievement', r.title, r.description, '/achievements', 'achievement'
      FROM achievement_rules r WHERE r.id = NEW.rule;
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER INSERT ON achievements FOR EACH ROW
    WHEN (current_setting('app.recounting', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION app.notify_of_achievement();

CREATE FUNCTION app.forget_analytics(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM learner_days WHERE user_id = account;
    DELETE FROM learner_courses WHERE user_id = account;
    DELETE FROM learner_totals WHERE user_id = account;
    DELETE FROM achievements WHERE user_id = account;
$$;
"""

RECOUNTS = """
CREATE VIEW app.recounted_learner_days AS
    SELECT user_id, course_id, day, sum(seconds) AS seconds, sum(lessons)::int AS lessons, sum(quizzes)::int AS quizzes,
           sum(perfect)::int AS perfect, sum(score) AS score_sum, sum(nights)::int AS nights, sum(mornings)::int AS mornings
      FROM (SELECT t.user_id, t.course_id, (t.quarter AT TIME ZONE u.timezone)::date AS day, t.seconds, 0 AS lessons,
                   0 AS quizzes, 0 AS perfect, 0 AS score, app.is_night(u.timezone, t.quarter) AS nights,
                   app.is_morning(u.timezone, t.quarter) AS mornings
              FROM study_time t JOIN users u ON u.id = t.user_id
            UNION ALL
            SELECT p.user_id, p.course_id, (p.completed_at AT TIME ZONE u.timezone)::date, 0, 1, 0, 0, 0, 0, 0
              FROM lesson_progress p JOIN users u ON u.id = p.user_id WHERE p.completed_at IS NOT NULL
            UNION ALL
            SELECT a.user_id, a.course_id, (a.submitted_at AT TIME ZONE u.timezone)::date, 0, 0, 1, (a.score = 100)::int, a.score,
                   0, 0
              FROM quiz_attempts a JOIN users u ON u.id = a.user_id WHERE a.submitted_at IS NOT NULL) AS parts
     GROUP BY user_id, course_id, day;

CREATE VIEW app.recounted_learner_courses AS
    SELECT user_id, course_id, sum(lessons)::int AS lessons FROM app.recounted_learner_days GROUP BY user_id, course_id;

CREATE VIEW app.recounted_learner_totals AS
    WITH days AS (SELECT user_id, day, sum(seconds) AS seconds, sum(lessons) AS lessons, sum(perfect) AS perfect,
                         sum(nights) AS nights, sum(mornings) AS mornings
                    FROM app.recounted_learner_days GROUP BY user_id, day),
         runs AS (SELECT user_id, max(day) AS until, count(*) AS days
                    FROM (SELECT user_id, day, day - (row_number() OVER (PARTITION BY user_id ORDER BY day))::int AS run
                            FROM days) AS numbered GROUP BY user_id, run),
         streaks AS (SELECT DISTINCT ON (user_id) user_id, days AS streak, until AS streak_until,
                            max(days) OVER (PARTITION BY user_id) AS longest_streak
                       FROM runs ORDER BY user_id, until DESC),
         sums AS (SELECT user_id, sum(seconds) AS seconds, sum(lessons) AS lessons, sum(perfect) AS perfect,
                         sum(nights) AS nights, sum(mornings) AS mornings FROM days GROUP BY user_id),
         done AS (SELECT user_id, count(*) AS courses FROM enrollments WHERE completed_at IS NOT NULL GROUP BY user_id),
         said AS (SELECT user_id, count(*) AS reviews FROM reviews GROUP BY user_id)
    SELECT user_id, coalesce(seconds, 0) AS seconds, coalesce(lessons, 0)::int AS lessons, coalesce(perfect, 0)::int AS perfect,
           coalesce(nights, 0)::int AS nights, coalesce(mornings, 0)::int AS mornings, coalesce(courses, 0)::int AS courses,
           coalesce(reviews, 0)::int AS reviews, coalesce(streak, 0)::int AS streak, streak_until,
           coalesce(longest_streak, 0)::int AS longest_streak
      FROM sums FULL JOIN streaks USING (user_id) FULL JOIN done USING (user_id) FULL JOIN said USING (user_id);

CREATE VIEW app.recounted_course_counts AS
    SELECT c.id AS course_id, coalesce(e.enrolled, 0)::int AS enrolled, coalesce(e.active, 0)::int AS active,
           coalesce(e.started, 0)::int AS started, coalesce(l.first_lesson, 0)::int AS first_lesson,
           coalesce(e.completed, 0)::int AS completed, coalesce(r.ratings, '{0,0,0,0,0}') AS ratings,
           coalesce(a.attempts, 0)::int AS attempts, coalesce(a.passed, 0)::int AS passed, coalesce(a.score_sum, 0) AS score_sum
      FROM courses c
      LEFT JOIN (SELECT course_id, count(*) AS enrolled, count(*) FILTER (WHERE status = 'active') AS active,
                        count(last_accessed_at) AS started, count(completed_at) AS completed
                   FROM enrollments GROUP BY course_id) e ON e.course_id = c.id
      LEFT JOIN (SELECT course_id, count(DISTINCT user_id) AS first_lesson FROM lesson_progress WHERE completed_at IS NOT NULL
                  GROUP BY course_id) l ON l.course_id = c.id
      LEFT JOIN (SELECT course_id, ARRAY[count(*) FILTER (WHERE rating = 1), count(*) FILTER (WHERE rating = 2),
                                         count(*) FILTER (WHERE rating = 3), count(*) FILTER (WHERE rating = 4),
                                         count(*) FILTER (WHERE rating = 5)]::int[] AS ratings
                   FROM reviews GROUP BY course_id) r ON r.course_id = c.id
      LEFT JOIN (SELECT course_id, count(*) AS attempts, count(*) FILTER (WHERE is_passed) AS passed, sum(score) AS score_sum
                   FROM quiz_attempts WHERE submitted_at IS NOT NULL GROUP BY course_id) a ON a.course_id = c.id;

CREATE VIEW app.recounted_course_days AS
    SELECT course_id, day, sum(enrolled)::int AS enrolled, sum(completed)::int AS completed
      FROM (SELECT course_id, (enrolled_at AT TIME ZONE 'UTC')::date AS day, 1 AS enrolled, 0 AS completed FROM enrollments
            UNION ALL
            SELECT course_id, (completed_at AT TIME ZONE 'UTC')::date, 0, 1 FROM enrollments
             WHERE completed_at IS NOT NULL) AS events
     GROUP BY course_id, day;

CREATE VIEW app.recounted_lesson_counts AS
    SELECT lesson_id, count(*)::int AS started, count(completed_at)::int AS completed FROM lesson_progress GROUP BY lesson_id;

CREATE VIEW app.recounted_monthly_earnings AS
    SELECT user_id, course_id, date_trunc('month', earned_at AT TIME ZONE 'UTC')::date AS month, currency,
           count(*) FILTER (WHERE kind = 'sale')::int AS sales,
           sum(greatest(amount_minor, 0))::bigint AS gross_minor, sum(greatest(-amount_minor, 0))::bigint AS refunded_minor
      FROM earnings GROUP BY 1, 2, 3, 4;

-- Whoever is elsewhere now has other days.
CREATE FUNCTION app.recount_learner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    PERFORM FROM enrollments WHERE user_id = NEW.id ORDER BY id FOR UPDATE;  -- nothing is learnt meanwhile
    PERFORM set_config('app.recounting', 'on', true);
    DELETE FROM learner_days WHERE user_id = NEW.id;
    INSERT INTO learner_days SELECT * FROM app.recounted_learner_days WHERE user_id = NEW.id;
    PERFORM set_config('app.recounting', 'off', true);
    UPDATE learner_totals t SET nights = r.nights, mornings = r.mornings
      FROM app.recounted_learner_totals r WHERE r.user_id = NEW.id AND t.user_id = NEW.id;
    PERFORM app.count_streaks(NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER recount_learner AFTER UPDATE OF timezone ON users FOR EACH ROW
    WHEN (OLD.timezone IS DISTINCT FROM NEW.timezone) EXECUTE FUNCTION app.recount_learner();

-- Counts everything anew, while nobody writes.
CREATE FUNCTION app.rebuild_analytics() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE kept text;
BEGIN
    LOCK TABLE users, enrollments, lesson_progress, study_time, quiz_attempts, reviews, earnings IN SHARE ROW EXCLUSIVE MODE;
    PERFORM set_config('app.recounting', 'on', true);
    FOREACH kept IN ARRAY ARRAY['learner_days', 'learner_courses', 'learner_totals', 'course_counts', 'course_days',
                                'lesson_counts', 'monthly_earnings']
    LOOP
        EXECUTE format('DELETE FROM %%I', kept);
        EXECUTE format('INSERT INTO %%I SELECT * FROM app.%%I', kept, 'recounted_' || kept);
    END LOOP;
    PERFORM set_config('app.recounting', 'off', true);
END $$;
SELECT app.rebuild_analytics();
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
