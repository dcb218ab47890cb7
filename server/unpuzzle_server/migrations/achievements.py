"""Part of revision 0016: the totals of learners, and the achievements that are held against them by one table of rules."""

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
