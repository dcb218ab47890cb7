"""SQL of analytics. Every number was counted when it came about: what is read grows with days, lessons and courses alone."""

from sqlalchemy import text

from unpuzzle_server.enrollments.queries import STANDING

# A streak lasts until a day is over on which nothing was learnt.
STREAK = "(SELECT t.streak FROM learner_totals t WHERE t.user_id = me.id AND t.streak_until >= me.today - 1)"
LONGEST = "(SELECT t.longest_streak FROM learner_totals t WHERE t.user_id = me.id)"
ME = "SELECT id, timezone, (app.now() AT TIME ZONE timezone)::date AS today FROM users WHERE id = :user"

EARNED = """'name', r.id, 'type', r.type, 'title', r.title, 'description', r.description, 'earned_at', app.rfc3339(a.earned_at),
            'icon_url', CAST(:public_url AS text) || '/achievements/' || r.id || '/icon.svg'"""
IN_SPAN = """(CAST(:days AS int) IS NULL
                OR ({moment} AT TIME ZONE span.timezone)::date BETWEEN span.first AND span.last)"""
SCORE = "trim_scale(round(sum(score_sum) / nullif(sum(quizzes), 0), 1))"

LEARNING = text(f"""
    WITH me AS ({ME}),
         past AS (SELECT d.* FROM learner_days d JOIN me ON me.id = d.user_id
                   WHERE (CAST(:course AS uuid) IS NULL OR d.course_id = :course) AND d.day <= me.today
                     AND (CAST(:days AS int) IS NULL OR d.day > me.today - CAST(:days AS int))),
         span AS (SELECT coalesce(me.today - CAST(:days AS int) + 1, (SELECT min(day) FROM past), me.today) AS first,
                         me.today AS last, me.timezone FROM me),
         sums AS (SELECT day, sum(seconds) AS seconds, sum(lessons) AS lessons, sum(quizzes) AS quizzes FROM past GROUP BY day),
         taken AS (SELECT e.* FROM own_enrollments e
                    WHERE CAST(:course AS uuid) IS NULL OR e.course_id = CAST(:course AS uuid)),
         shown AS (SELECT e.* FROM taken e WHERE e.status IN ('active', 'completed')
                    ORDER BY e.last_accessed_at DESC NULLS LAST, e.id LIMIT 100)
    SELECT json_build_object(
        'period', CAST(:period AS text), 'start_date', span.first, 'end_date', span.last,
        'summary', json_build_object(
            'total_learning_time_minutes', (SELECT floor(coalesce(sum(seconds), 0) / 60)::int FROM past),
            'courses_in_progress', (SELECT count(*) FROM taken WHERE status = 'active' AND last_accessed_at IS NOT NULL),
            'courses_completed', (SELECT count(*) FROM taken
                                   WHERE completed_at IS NOT NULL AND {IN_SPAN.format(moment="completed_at")}),
            'lessons_completed', (SELECT coalesce(sum(lessons), 0) FROM past),
            'quizzes_taken', (SELECT coalesce(sum(quizzes), 0) FROM past),
            'average_quiz_score', (SELECT {SCORE} FROM past),
            'certificates_earned', (SELECT count(*) FROM certificates k
                                     WHERE k.user_id = me.id AND k.revoked_at IS NULL
                                       AND (CAST(:course AS uuid) IS NULL OR k.course_id = CAST(:course AS uuid))
                                       AND {IN_SPAN.format(moment="k.issued_at")}),
            'current_streak', coalesce({STREAK}, 0), 'longest_streak', coalesce({LONGEST}, 0)),
        'daily_activity', (
            SELECT json_agg(json_build_object(
                       'date', each.day::date, 'minutes_learned', floor(coalesce(sums.seconds, 0) / 60)::int,
                       'lessons_completed', coalesce(sums.lessons, 0), 'quizzes_taken', coalesce(sums.quizzes, 0))
                            ORDER BY each.day)
              FROM generate_series(span.first::timestamp, span.last, '1 day') AS each (day)
              LEFT JOIN sums ON sums.day = each.day::date),
        'course_progress', (
            SELECT coalesce(json_agg(json_build_object(
                       'course_id', e.course_id, 'course_title', e.title, 'progress_percentage', s.percentage,
                       'time_spent_minutes', (SELECT floor(coalesce(sum(p.seconds), 0) / 60)::int FROM past p
                                               WHERE p.course_id = e.course_id),
                       'last_activity', app.rfc3339(e.last_accessed_at)) ORDER BY e.last_accessed_at DESC NULLS LAST, e.id), '[]')
              FROM shown e CROSS JOIN {STANDING}),
        'achievements', (
            SELECT coalesce(json_agg(json_build_object({EARNED}) ORDER BY a.earned_at DESC, r.position), '[]')
              FROM achievements a JOIN achievement_rules r ON r.id = a.rule
             WHERE a.user_id = me.id AND {IN_SPAN.format(moment="a.earned_at")}))
      FROM span, me
""")

ACHIEVEMENTS = text(f"""
    WITH me AS ({ME}), reached AS (SELECT to_jsonb(t) AS totals FROM learner_totals t JOIN me ON me.id = t.user_id)
    SELECT (SELECT count(*) FROM achievement_rules) AS total, (SELECT count(*) FROM achievements WHERE user_id = me.id) AS earned,
           coalesce({STREAK}, 0) AS streak, coalesce({LONGEST}, 0) AS longest,
           to_json(ARRAY(
               SELECT json_build_object({EARNED},
                          'current', coalesce(floor((SELECT (totals ->> r.measure)::numeric FROM reached))::bigint, 0),
                          'target', r.threshold)
                 FROM achievement_rules r LEFT JOIN achievements a ON a.rule = r.id AND a.user_id = me.id
                ORDER BY a.earned_at DESC NULLS LAST, r.position LIMIT :limit OFFSET :offset)) AS results
      FROM me
""")
RULE = text("SELECT type, title, measure, threshold FROM achievement_rules WHERE id = lower(:rule)")

SUM = """'currency', currency, 'sales', sum(sales), 'gross', app.units(sum(gross_minor)::bigint, currency),
         'refunded', app.units(sum(refunded_minor)::bigint, currency),
         'net', app.units(sum(gross_minor - refunded_minor)::bigint, currency)"""
BY_CURRENCY = f"""
    SELECT coalesce(json_agg(total ORDER BY currency), '[]')
      FROM (SELECT currency, json_build_object({SUM}) AS total FROM {{earned}} GROUP BY currency) AS totals"""

COURSE = text(f"""
    WITH span AS (SELECT coalesce(today - CAST(:days AS int) + 1, (SELECT min(day) FROM course_days WHERE course_id = :course),
                                  today) AS first, today AS last
                    FROM (SELECT (app.now() AT TIME ZONE 'UTC')::date AS today) AS now),
         days AS (SELECT each.day::date AS day, coalesce(d.enrolled, 0) AS enrolled, coalesce(d.completed, 0) AS completed
                    FROM span CROSS JOIN generate_series(span.first::timestamp, span.last, '1 day') AS each (day)
                    LEFT JOIN course_days d ON d.course_id = :course AND d.day = each.day::date)
    SELECT json_build_object(
        'course_id', c.id, 'title', c.title, 'period', CAST(:period AS text), 'start_date', span.first, 'end_date', span.last,
        'enrollments', json_build_object(
            'total', n.enrolled, 'active', n.active, 'completed', n.completed, 'new', (SELECT sum(enrolled) FROM days),
            'by_day', (SELECT json_agg(json_build_object('date', day, 'enrolled', enrolled, 'completed', completed) ORDER BY day)
                         FROM days)),
        'funnel', (SELECT json_agg(json_build_object('step', step, 'learners', learners,
                                                     'percentage', app.percentage(learners, n.enrolled)) ORDER BY place)
                     FROM (VALUES (1, 'enrolled', n.enrolled), (2, 'started', n.started), (3, 'first_lesson', n.first_lesson),
                                  (4, 'completed', n.completed)) AS steps (place, step, learners)),
        'completion_rate', app.percentage(n.completed, n.enrolled),
        'lessons', (
            SELECT coalesce(json_agg(json_build_object(
                       'lesson_id', l.id, 'title', l.title, 'section_title', x.title, 'started', coalesce(m.started, 0),
                       'completed', coalesce(m.completed, 0),
                       'drop_off_percentage', app.percentage(m.started - m.completed, m.started))
                                     ORDER BY x.position, l.position), '[]')
              FROM sections x JOIN lessons l ON l.section_id = x.id LEFT JOIN lesson_counts m ON m.lesson_id = l.id
             WHERE x.course_id = c.id AND x.is_published),
        'ratings', json_build_object(
            'average', s.rating, 'count', s.reviews_count,
            'distribution', (SELECT json_agg(json_build_object('rating', rating, 'count', n.ratings[rating]) ORDER BY rating DESC)
                               FROM generate_series(1, 5) AS rating)),
        'quizzes', json_build_object('attempts', n.attempts, 'passed', n.passed,
                                     'average_score', trim_scale(round(n.score_sum / nullif(n.attempts, 0), 1))),
        'revenue', ({BY_CURRENCY.format(earned="monthly_earnings WHERE course_id = c.id")}))
      FROM span, courses c JOIN course_counts n ON n.course_id = c.id JOIN course_stats s ON s.course_id = c.id
     WHERE c.id = :course
""")

EARNINGS = text(f"""
    WITH earned AS (SELECT e.*, c.title FROM monthly_earnings e JOIN courses c ON c.id = e.course_id
                     WHERE e.user_id = :user
                       AND (CAST(:sold AS uuid) IS NULL OR e.course_id = CAST(:sold AS uuid))
                       AND (CAST(:first_month AS date) IS NULL OR e.month >= CAST(:first_month AS date))
                       AND (CAST(:last_month AS date) IS NULL OR e.month <= CAST(:last_month AS date)))
    SELECT json_build_object(
        'totals', ({BY_CURRENCY.format(earned="earned")}),
        'by_month', (SELECT coalesce(json_agg(sums ORDER BY month, currency), '[]')
                       FROM (SELECT month, currency, json_build_object('month', to_char(month, 'YYYY-MM'), {SUM}) AS sums
                               FROM earned GROUP BY month, currency) AS months),
        'by_course', (SELECT coalesce(json_agg(sums ORDER BY net DESC, course_id, currency), '[]')
                        FROM (SELECT course_id, currency, sum(gross_minor - refunded_minor) AS net,
                                     json_build_object('course_id', course_id, 'course_title', title, {SUM}) AS sums
                                FROM earned GROUP BY course_id, title, currency) AS courses))
""")
