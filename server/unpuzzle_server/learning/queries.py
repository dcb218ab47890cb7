"""SQL of learning. Whoever asks sees their own rows in the views `own_enrollments` and `own_lessons`."""

from sqlalchemy import TextClause, text

from unpuzzle_server.enrollments.queries import PROGRESS_STATUS
from unpuzzle_server.kernel import statements

# Every write in a course locks its enrolment first, so that two devices follow each other and the last lesson is seen.
LOCK = text("""
    UPDATE enrollments e SET last_accessed_at = greatest(e.last_accessed_at, app.now())
      FROM lessons l JOIN sections x ON x.id = l.section_id
     WHERE l.id = :lesson AND x.is_published AND e.course_id = l.course_id AND e.user_id = :user
       AND e.status IN ('active', 'completed')
    RETURNING e.id, e.course_id, e.status, l.type, l.duration_seconds
""")
LESSON_EXISTS = text("""
    SELECT EXISTS (SELECT FROM lessons l JOIN sections x ON x.id = l.section_id AND x.is_published WHERE l.id = :lesson)
""")

FIND_PLAYBACK = text("SELECT * FROM app.find_playback(:lesson)")

# Ranges are united, so that neither order nor repetition matters, and cut where the lesson ends, if it says where.
# Time that has not passed can't have been active.
RECORD = text("""
    INSERT INTO lesson_progress AS p (user_id, lesson_id, position_seconds, positioned_at, watched, active_seconds, accessed_at)
    VALUES (:user, :lesson, coalesce(CAST(:position AS float8), 0), CAST(:recorded_at AS timestamptz),
            CAST(:watched AS nummultirange) * nummultirange(numrange(0, CAST(:length AS numeric))),
            least(CAST(:active AS numeric), :at_first), app.now())
    ON CONFLICT (user_id, lesson_id) DO UPDATE SET
        position_seconds = CASE WHEN CAST(:position AS float8) IS NOT NULL AND excluded.positioned_at >= p.positioned_at
                                THEN excluded.position_seconds ELSE p.position_seconds END,
        positioned_at = CASE WHEN CAST(:position AS float8) IS NOT NULL AND excluded.positioned_at >= p.positioned_at
                             THEN excluded.positioned_at ELSE p.positioned_at END,
        watched = p.watched + excluded.watched,
        active_seconds = p.active_seconds
            + greatest(0, least(CAST(:active AS numeric), :at_most, extract(epoch FROM app.now() - p.accessed_at))),
        accessed_at = greatest(p.accessed_at, app.now())
    RETURNING app.seconds_in(p.watched) AS watched_seconds, p.completed_at, p.is_reopened
""")
COMPLETE = text("""
    INSERT INTO lesson_progress AS p (user_id, lesson_id, positioned_at, completed_at, accessed_at)
    VALUES (:user, :lesson, app.now(), app.now(), app.now())
    ON CONFLICT (user_id, lesson_id) DO UPDATE SET completed_at = coalesce(p.completed_at, app.now()), is_reopened = false
""")
REOPEN = text("""
    UPDATE lesson_progress SET completed_at = NULL, is_reopened = true
     WHERE user_id = :user AND lesson_id = :lesson AND completed_at IS NOT NULL
""")
COMPLETE_COURSE = text("""
    UPDATE enrollments e SET status = 'completed', completed_at = app.now()
     WHERE e.id = :enrollment AND e.completed_at IS NULL
       AND NOT EXISTS (SELECT FROM own_lessons l
                        WHERE l.enrollment_id = e.id AND l.lesson_id IS NOT NULL AND l.completed_at IS NULL)
       AND NOT EXISTS (SELECT FROM own_quizzes q WHERE q.enrollment_id = e.id AND q.is_required AND NOT q.is_passed)
""")

WATCHED = """(SELECT coalesce(json_agg(json_build_object('start', trim_scale(lower(part)), 'end', trim_scale(upper(part)))
                                ORDER BY lower(part)), '[]')
                FROM unnest({lesson}.watched) AS part)"""
WATCH_TIME = "floor(app.seconds_in({lesson}.watched))::int"
MINUTES = "ceil({lesson}.duration_seconds / 60.0)::int"

LESSON_PROGRESS = text(f"""
    SELECT json_build_object(
        'lesson_id', l.lesson_id, 'course_id', l.course_id, 'position_seconds', l.position_seconds,
        'watched', {WATCHED.format(lesson="l")}, 'watch_time_seconds', {WATCH_TIME.format(lesson="l")},
        'time_spent_seconds', floor(l.spent_seconds)::int,
        'is_completed', l.completed_at IS NOT NULL, 'completed_at', app.rfc3339(l.completed_at),
        'progress_percentage', (SELECT app.percentage(count(n.completed_at), count(n.lesson_id))
                                  FROM own_lessons n WHERE n.enrollment_id = l.enrollment_id),
        'course_completed_at', (SELECT app.rfc3339(e.completed_at) FROM own_enrollments e WHERE e.id = l.enrollment_id),
        'updated_at', app.rfc3339(l.accessed_at))
      FROM own_lessons l WHERE l.enrollment_id = :enrollment AND l.lesson_id = :lesson
""")

# A section with its lessons in one row, counted.
SECTIONS = """
    SELECT section_id, section_title, section_description, section_position, count(lesson_id) AS lessons,
           count(completed_at) AS completed,
           coalesce(json_agg({lesson} ORDER BY position) FILTER (WHERE lesson_id IS NOT NULL), '[]') AS tree
      FROM mine GROUP BY section_id, section_title, section_description, section_position"""

PROGRESS_LESSON = f"""json_build_object(
    'lesson_id', lesson_id, 'title', title, 'type', type, 'duration_minutes', {MINUTES.format(lesson="mine")},
    'is_completed', completed_at IS NOT NULL, 'completed_at', app.rfc3339(completed_at),
    'watch_time_seconds', {WATCH_TIME.format(lesson="mine")})"""

# Since the beginning of the day, or of the week, where the learner is.
SPENT_SINCE = """(SELECT floor(coalesce(sum(seconds), 0) / 60)::int FROM spent
                   WHERE quarter >= date_trunc('{unit}', app.now() AT TIME ZONE timezone) AT TIME ZONE timezone)"""

PROGRESS = text(f"""
    WITH mine AS (SELECT * FROM own_lessons WHERE enrollment_id = :enrollment),
         sections AS ({SECTIONS.format(lesson=PROGRESS_LESSON)}),
         spent AS (SELECT t.quarter, t.seconds, u.timezone FROM study_time t JOIN users u ON u.id = t.user_id
                    WHERE t.user_id = :user AND t.course_id = :course)
    SELECT json_build_object(
        'course_id', CAST(:course AS uuid),
        'overall_progress', app.percentage(coalesce(sum(completed), 0)::bigint, coalesce(sum(lessons), 0)::bigint),
        'completed_lessons', coalesce(sum(completed), 0), 'total_lessons', coalesce(sum(lessons), 0),
        'sections', coalesce(json_agg(json_build_object(
            'section_id', section_id, 'title', section_title, 'progress', app.percentage(completed, lessons),
            'completed_lessons', completed, 'total_lessons', lessons, 'lessons', tree) ORDER BY section_position), '[]'),
        'quizzes', (
            SELECT json_build_object('total', count(*), 'completed', count(*) FILTER (WHERE is_passed),
                                     'average_score', trim_scale(round(avg(best_score), 1)))
              FROM own_quizzes WHERE enrollment_id = :enrollment),
        'last_accessed', (
            SELECT json_build_object('lesson_id', lesson_id, 'lesson_title', title, 'section_id', section_id,
                                     'timestamp', app.rfc3339(accessed_at))
              FROM mine WHERE accessed_at IS NOT NULL ORDER BY accessed_at DESC, lesson_id LIMIT 1),
        'time_spent', json_build_object(
            'total_minutes', (SELECT floor(coalesce(sum(seconds), 0) / 60)::int FROM spent),
            'this_week_minutes', {SPENT_SINCE.format(unit="week")}, 'today_minutes', {SPENT_SINCE.format(unit="day")}))
      FROM sections
""")

TREE_LESSON = f"""json_build_object(
    'id', lesson_id, 'title', title, 'type', type, 'order', position, 'duration_minutes', {MINUTES.format(lesson="mine")},
    'duration_seconds', duration_seconds, 'is_preview', is_preview, 'body', body, 'quizzes', quizzes,
    'is_completed', completed_at IS NOT NULL, 'completed_at', app.rfc3339(completed_at),
    'position_seconds', position_seconds, 'watch_time_seconds', {WATCH_TIME.format(lesson="mine")},
    'watched', {WATCHED.format(lesson="mine")})"""

LEARNING_QUIZZES = """
    SELECT lesson_id, json_agg(json_build_object(
               'id', id, 'title', title, 'description', description, 'is_required', is_required,
               'questions_count', questions_count, 'total_points', total_points, 'passing_percentage', passing_percentage,
               'time_limit_minutes', time_limit_minutes, 'max_attempts', max_attempts, 'attempts_count', attempts_count,
               'best_score', best_score, 'is_passed', is_passed) ORDER BY created_at, id) AS quizzes
      FROM own_quizzes WHERE enrollment_id = :enrollment GROUP BY lesson_id"""

# The lesson that was left last while it is open; else the first open one behind it; else the first.
NEXT_LESSON = """
    SELECT json_build_object('lesson_id', lesson_id, 'title', title, 'section_id', mine.section_id,
                             'position_seconds', position_seconds)
      FROM mine LEFT JOIN (SELECT lesson_id AS id, section_position, position FROM mine
                            WHERE accessed_at IS NOT NULL ORDER BY accessed_at DESC, lesson_id LIMIT 1) last ON true
     WHERE lesson_id IS NOT NULL AND completed_at IS NULL
     ORDER BY lesson_id = last.id DESC,
              (mine.section_position, mine.position) > (last.section_position, last.position) DESC,
              mine.section_position, mine.position
     LIMIT 1"""


def tree(*, texts: bool) -> TextClause:
    return TREE_WITH_TEXTS if texts else TREE


def _tree(body: str, around: str) -> TextClause:
    return text(f"""
        WITH quizzes AS ({LEARNING_QUIZZES}),
             mine AS (SELECT l.*, {body} AS body, coalesce(z.quizzes, '[]') AS quizzes
                        FROM own_lessons l LEFT JOIN quizzes z ON z.lesson_id = l.lesson_id {around}
                       WHERE l.enrollment_id = :enrollment),
             sections AS ({SECTIONS.format(lesson=TREE_LESSON)}),
             e AS (SELECT * FROM own_enrollments WHERE id = :enrollment),
             done AS (SELECT coalesce(sum(completed), 0)::bigint AS completed, coalesce(sum(lessons), 0)::bigint AS lessons
                        FROM sections)
        SELECT json_build_object(
            'course_id', e.course_id, 'title', e.title, 'slug', e.slug, 'instructor_name', e.instructor_name,
            'enrollment_id', e.id, 'status', {PROGRESS_STATUS},
            'progress_percentage', app.percentage(done.completed, done.lessons),
            'completed_lessons', done.completed, 'total_lessons', done.lessons, 'next_lesson', ({NEXT_LESSON}),
            'sections', (SELECT coalesce(json_agg(json_build_object(
                            'id', section_id, 'title', section_title, 'description', section_description,
                            'order', section_position, 'lessons', tree) ORDER BY section_position), '[]') FROM sections))
          FROM e, done
    """)


TREE = _tree("CAST(NULL AS text)", "")
TREE_WITH_TEXTS = _tree("b.body", "LEFT JOIN lesson_texts b ON b.lesson_id = l.lesson_id")

# Of a course that one takes, or took once.
LOCK_REVIEW = text("""
    SELECT r.id, r.version FROM reviews r JOIN own_enrollments e ON e.id = r.enrollment_id
     WHERE e.course_id = :course OR e.slug = :slug FOR UPDATE OF r
""")
ADD_REVIEW = text("""
    INSERT INTO reviews (enrollment_id, course_id, user_id, rating, comment)
    VALUES (:enrollment, :course, :user, :rating, :comment) ON CONFLICT (enrollment_id) DO NOTHING RETURNING id
""")
DELETE_REVIEW = text("DELETE FROM reviews WHERE id = :review")


def update_review(columns: list[str]) -> TextClause:
    return statements.update("reviews", columns, "id = :review")
