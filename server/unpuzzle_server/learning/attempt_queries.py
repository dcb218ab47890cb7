"""SQL of attempts at quizzes. What is written of one is written by functions; whoever asks reads their own."""

from sqlalchemy import text

# As every write in a course, an attempt locks its enrolment: two that are begun at once are one.
LOCK = text("""
    UPDATE enrollments e SET last_accessed_at = greatest(e.last_accessed_at, app.now())
      FROM quizzes q JOIN lessons l ON l.id = q.lesson_id JOIN sections x ON x.id = l.section_id
     WHERE q.id = :quiz AND x.is_published AND e.course_id = q.course_id AND e.user_id = :user
       AND e.status IN ('active', 'completed')
    RETURNING e.id, q.max_attempts, q.lesson_id, l.type
""")
TAKEN = text("""
    SELECT EXISTS (SELECT FROM own_quizzes WHERE id = :quiz AND enrollment_status IN ('active', 'completed'))
""")
EXISTS = text("""
    SELECT EXISTS (SELECT FROM quizzes q JOIN lessons l ON l.id = q.lesson_id
                     JOIN sections x ON x.id = l.section_id AND x.is_published WHERE q.id = :quiz)
""")
START = text("SELECT app.start_attempt(:quiz)")
SUBMIT = text("SELECT app.submit_attempt(:attempt, CAST(:given AS jsonb))")
MINE = text("""
    SELECT questions, submitted_at, submitted_at IS NULL AND (expires_at > app.now()) IS NOT FALSE AS is_open
      FROM quiz_attempts WHERE id = :attempt AND quiz_id = :quiz AND user_id = :user
""")
LESSON_IS_PASSED = text("""
    SELECT bool_and(is_passed OR NOT is_required) FROM own_quizzes WHERE enrollment_id = :enrollment AND lesson_id = :lesson
""")

FIELDS = """
    'id', a.id, 'quiz_id', a.quiz_id, 'title', a.title, 'number', a.number,
    'status', CASE WHEN a.submitted_at IS NOT NULL THEN 'submitted' WHEN a.expires_at <= app.now() THEN 'expired'
                   ELSE 'in_progress' END,
    'started_at', app.rfc3339(a.started_at), 'expires_at', app.rfc3339(a.expires_at),
    'submitted_at', app.rfc3339(a.submitted_at), 'points', trim_scale(a.points), 'total_points', a.total_points,
    'passing_percentage', a.passing_percentage, 'score', trim_scale(a.score), 'is_passed', a.is_passed"""
QUESTIONS = """(
    SELECT json_agg(json_build_object(
               'id', question -> 'id', 'type', question -> 'type', 'question', question -> 'question',
               'points', question -> 'points', 'options', question -> 'options',
               'answer', (a.answers -> (question ->> 'id')) - 'folded', 'result', a.results -> (question ->> 'id'))
                    ORDER BY place)
      FROM jsonb_array_elements(a.questions) WITH ORDINALITY AS listed (question, place))"""

ATTEMPT = f"""
    SELECT json_build_object({FIELDS}, 'questions', {QUESTIONS}) AS attempt, 1 + num_nonnulls(a.submitted_at) AS version
      FROM quiz_attempts a WHERE a.quiz_id = :quiz AND a.user_id = :user"""

GET = text(f"{ATTEMPT} AND a.id = :attempt")
NEWEST = text(f"{ATTEMPT} ORDER BY a.number DESC LIMIT 1")
PAGE = text(f"""
    SELECT (SELECT count(*) FROM quiz_attempts WHERE quiz_id = :quiz AND user_id = :user) AS total,
           to_json(ARRAY(SELECT json_build_object({FIELDS}) FROM quiz_attempts a WHERE a.quiz_id = :quiz AND a.user_id = :user
                          ORDER BY a.number DESC LIMIT :limit OFFSET :offset)) AS results
""")
