"""Part of revision 0016: what the numbers of analytics are, from the raw rows, and how they are put into their place.

(`%%` is one `%`: the driver reads single ones as parameters.)
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
