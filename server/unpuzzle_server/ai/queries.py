"""SQL of the tutor. What a prompt is made of is read here, as whoever asks: the policies show no more than they may see."""

from functools import cache

from sqlalchemy import TextClause, text

LESSON = text("""
    SELECT l.id, l.title, l.course_id, c.title AS course_title, b.body
      FROM lessons l JOIN courses c ON c.id = l.course_id LEFT JOIN lesson_texts b ON b.lesson_id = l.id
     WHERE l.id = :lesson AND app.may_read(l.id)
""")
COURSE = text("SELECT c.id AS course_id, c.title AS course_title FROM courses c WHERE c.id = :course")
SEGMENTS = text("SELECT position, start_ms, end_ms, text FROM app.segments_of(:lesson) ORDER BY position")
ELSEWHERE = text("""
    SELECT lesson_id, lesson_title, position, start_ms, end_ms, text FROM app.search_segments(app.any_word(:asked), :course, NULL)
     WHERE lesson_id IS DISTINCT FROM CAST(:lesson AS uuid)
     ORDER BY rank DESC, lesson_id, position LIMIT :most
""")
# Texts of lessons in which nothing is said, in a course or in all that one takes.
TEXTS_ELSEWHERE = text("""
    SELECT l.id AS lesson_id, l.title AS lesson_title, b.body
      FROM lessons l JOIN lesson_texts b ON b.lesson_id = l.id
     WHERE (l.course_id = :course OR CAST(:course AS uuid) IS NULL AND l.course_id IN (SELECT course_id FROM own_enrollments))
       AND l.id IS DISTINCT FROM CAST(:lesson AS uuid) AND b.search @@ app.any_word(:asked)
       AND NOT EXISTS (SELECT FROM transcripts t WHERE t.lesson_id = l.id)
     ORDER BY ts_rank(b.search, app.any_word(:asked)) DESC, l.id LIMIT :most
""")
# What else is said in a course, for words that could be mistaken for those of a lesson.
VOCABULARY = text("""
    SELECT l.id AS lesson_id, l.title AS lesson_title, s.position, s.start_ms, s.end_ms, s.text
      FROM lessons l CROSS JOIN LATERAL app.segments_of(l.id) s
     WHERE l.course_id = :course AND l.id <> :lesson ORDER BY l.id, s.position LIMIT :most
""")

SESSION = text("""
    SELECT s.id, s.course_id, s.lesson_id, (SELECT count(*) FROM ai_messages m WHERE m.session_id = s.id) AS messages
      FROM ai_sessions s WHERE s.id = :session AND s.user_id = :user
""")
HISTORY = text("""
    SELECT role, content FROM (
        SELECT m.position, m.role, m.content FROM ai_messages m WHERE m.session_id = :session AND m.user_id = :user
         ORDER BY m.position DESC LIMIT :most) latest
     ORDER BY position
""")
KEEP_SESSION = text("""
    INSERT INTO ai_sessions AS s (id, user_id, course_id, lesson_id, title) VALUES (:session, :user, :course, :lesson, :title)
    ON CONFLICT (id) DO UPDATE SET updated_at = app.now(), course_id = coalesce(excluded.course_id, s.course_id),
                                   lesson_id = coalesce(excluded.lesson_id, s.lesson_id)
""")
KEEP_QUESTION = text("""
    INSERT INTO ai_messages (id, session_id, user_id, role, content) VALUES (gen_random_uuid(), :session, :user, 'user', :content)
""")
KEEP_ANSWER = text("""
    INSERT INTO ai_messages (id, session_id, user_id, role, content, "references", suggested_actions, model, prompt_tokens,
                             completion_tokens, cost_usd)
    VALUES (:answer, :session, :user, 'assistant', :content, CAST(:references AS jsonb), CAST(:actions AS jsonb), :model,
            :prompt_tokens, :completion_tokens, :cost_usd)
    RETURNING app.rfc3339(created_at)
""")

USAGE = """json_build_object('prompt_tokens', {row}.prompt_tokens, 'completion_tokens', {row}.completion_tokens,
    'total_tokens', {row}.prompt_tokens + {row}.completion_tokens, 'cost_usd', {row}.cost_usd)"""
MESSAGE = f"""json_build_object(
    'id', m.id, 'role', m.role, 'content', m.content, 'references', m."references", 'suggested_actions', m.suggested_actions,
    'usage', CASE WHEN m.role = 'assistant' THEN {USAGE.format(row="m")} END, 'model', m.model, 'rating', m.rating,
    'created_at', app.rfc3339(m.created_at))"""
GET_SESSION = text(f"""
    SELECT json_build_object(
               'id', s.id, 'title', s.title, 'course_id', s.course_id, 'lesson_id', s.lesson_id,
               'messages', (SELECT coalesce(json_agg({MESSAGE} ORDER BY m.position), '[]')
                              FROM ai_messages m WHERE m.session_id = s.id),
               'created_at', app.rfc3339(s.created_at), 'updated_at', app.rfc3339(s.updated_at))
      FROM ai_sessions s WHERE s.id = :session AND s.user_id = :user
""")
DELETE_SESSION = text("DELETE FROM ai_sessions WHERE id = :session AND user_id = :user RETURNING id")
SESSION_ROW = """json_build_object(
    'id', s.id, 'title', s.title, 'course_id', s.course_id, 'lesson_id', s.lesson_id,
    'messages_count', (SELECT count(*) FROM ai_messages m WHERE m.session_id = s.id),
    'created_at', app.rfc3339(s.created_at), 'updated_at', app.rfc3339(s.updated_at))"""
SESSION_FILTERS = {"course_id": "s.course_id = :course_id", "lesson_id": "s.lesson_id = :lesson_id"}


@cache
def sessions(asked: tuple[str, ...]) -> TextClause:
    where = " AND ".join(["s.user_id = :user", *(SESSION_FILTERS[name] for name in asked)])
    ordering = "s.updated_at DESC, s.id"
    rows = f"SELECT s.* FROM ai_sessions s WHERE {where} ORDER BY {ordering} LIMIT :limit OFFSET :offset"
    return text(f"""
        SELECT (SELECT count(*) FROM ai_sessions s WHERE {where}) AS total,
               to_json(ARRAY(SELECT {SESSION_ROW} FROM ({rows}) s ORDER BY {ordering})) AS results
    """)


RATE = text("""
    UPDATE ai_messages SET rating = :verdict, comment = :comment, rated_at = app.now()
     WHERE id = :answer AND user_id = :user AND role = 'assistant'
    RETURNING json_build_object('message_id', id, 'rating', rating, 'comment', comment, 'rated_at', app.rfc3339(rated_at))
""")

KEEP_QUIZ = text("""
    INSERT INTO ai_quizzes (id, user_id, lesson_id, questions, model, prompt_tokens, completion_tokens, cost_usd)
    VALUES (:practice, :user, :lesson, CAST(:questions AS jsonb), :model, :prompt_tokens, :completion_tokens, :cost_usd)
""")
# 70 % pass, and a question should not take longer than two minutes.
GET_QUIZ = text(f"""
    SELECT json_build_object(
               'quiz_id', q.id, 'lesson_id', q.lesson_id, 'questions', q.questions, 'total_points', total.points,
               'passing_score', ceil(total.points * 0.7)::int, 'time_limit_minutes', 2 * jsonb_array_length(q.questions),
               'model', q.model, 'usage', {USAGE.format(row="q")}, 'created_at', app.rfc3339(q.created_at))
      FROM ai_quizzes q, LATERAL (
          SELECT coalesce(sum((question->>'points')::int), 0) AS points FROM jsonb_array_elements(q.questions) question) total
     WHERE q.id = :practice AND q.user_id = :user
""")
GRADED = text("""
    UPDATE ai_quizzes SET percentage = :percentage, passed = :passed, graded_at = app.now()
     WHERE id = :practice AND user_id = :user RETURNING app.rfc3339(graded_at)
""")

# What a learner could do next, the most urgent first: what went badly, where they got stuck, and what is open.
PLACE = "s.course_id, s.course_title, s.lesson_id, s.lesson_title"
MINE = """
    mine AS (SELECT l.*, e.title AS course_title FROM own_lessons l JOIN own_enrollments e ON e.id = l.enrollment_id
              WHERE e.status IN ('active', 'completed') AND l.lesson_id IS NOT NULL
                AND (e.course_id = :course OR CAST(:course AS uuid) IS NULL))"""
STEPS = text(f"""
    WITH {MINE},
         failed AS (SELECT DISTINCT ON (q.lesson_id) q.lesson_id, q.percentage, q.passed FROM ai_quizzes q
                     WHERE q.user_id = :user AND q.graded_at IS NOT NULL ORDER BY q.lesson_id, q.graded_at DESC),
         stuck AS (SELECT r.lesson_id, r.timestamp_seconds, r.type, r.created_at FROM reflections r
                    WHERE r.user_id = :user AND r.type IN ('puzzle', 'question') ORDER BY r.created_at DESC LIMIT 20)
    SELECT kind, course_id::text, course_title, lesson_id::text, title AS lesson_title, moment, about FROM (
        SELECT 1 AS urgency, 'practise' AS kind, mine.*, NULL::float8 AS moment, failed.percentage::text AS about,
               NULL::timestamptz AS since
          FROM mine JOIN failed USING (lesson_id) WHERE NOT failed.passed
        UNION ALL
        SELECT 2, 'revisit', mine.*, stuck.timestamp_seconds, stuck.type, stuck.created_at FROM mine JOIN stuck USING (lesson_id)
        UNION ALL
        SELECT 3, 'continue', mine.*, nullif(mine.position_seconds, 0), NULL, mine.accessed_at FROM mine
         WHERE mine.completed_at IS NULL) steps
     ORDER BY urgency, since DESC NULLS LAST, course_id, section_position, position LIMIT :most
""")
# The lessons that speak of a goal, by their titles and by what is said in them.
TOWARDS = text(f"""
    WITH {MINE}, goal AS (SELECT app.any_word(:goal) AS query),
         said AS (SELECT s.lesson_id, max(s.rank) AS rank, (array_agg(s.start_ms ORDER BY s.rank DESC))[1] AS start_ms
                    FROM goal, app.search_segments(goal.query, :course, NULL) s GROUP BY s.lesson_id)
    SELECT 'towards_goal' AS kind, course_id::text, course_title, lesson_id::text, title AS lesson_title,
           said.start_ms / 1000.0::float8 AS moment, NULL AS about
      FROM mine LEFT JOIN said USING (lesson_id), goal, to_tsvector('english', mine.title) named
     WHERE said.lesson_id IS NOT NULL OR named @@ goal.query
     ORDER BY coalesce(said.rank, 0) + 2 * ts_rank(named, goal.query) DESC, course_id, section_position, position LIMIT :most
""")

SEARCH = text("""
    WITH asked AS (SELECT websearch_to_tsquery('english', written) || websearch_to_tsquery('simple', written) AS query
                     FROM app.words(:q) written),
         found AS MATERIALIZED (SELECT s.* FROM asked, app.search_segments(asked.query, :course, :lesson) s)
    SELECT (SELECT count(*) FROM found) AS total,
           to_json(ARRAY(
               SELECT json_build_object('course_id', course_id, 'course_title', course_title, 'lesson_id', lesson_id,
                                        'lesson_title', lesson_title, 'timestamp', trim_scale(start_ms / 1000.0), 'content', text)
                 FROM found ORDER BY rank DESC, lesson_id, position LIMIT :limit OFFSET :offset)) AS results
""")

SUMS = """count(*) AS requests, coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
    coalesce(sum(completion_tokens), 0) AS completion_tokens, coalesce(sum(prompt_tokens + completion_tokens), 0) AS total_tokens,
    coalesce(sum(cost_usd), 0) AS cost_usd"""
SPENT = text(f"""
    WITH mine AS (SELECT r.*, (r.created_at AT TIME ZONE 'UTC')::date AS date FROM ai_requests r
                   WHERE r.user_id = :user AND r.settled_at IS NOT NULL
                     AND r.created_at >= CAST(:start_date AS date) AT TIME ZONE 'UTC'
                     AND r.created_at < (CAST(:end_date AS date) + 1) AT TIME ZONE 'UTC')
    SELECT json_build_object(
        'start_date', CAST(:start_date AS date), 'end_date', CAST(:end_date AS date),
        'total', (SELECT row_to_json(t) FROM (SELECT {SUMS} FROM mine) t),
        'by_day', (SELECT coalesce(json_agg(d ORDER BY d.date), '[]') FROM (SELECT date, {SUMS} FROM mine GROUP BY date) d),
        'by_agent', (SELECT coalesce(json_agg(a ORDER BY a.requests DESC, a.agent), '[]')
                       FROM (SELECT agent, {SUMS} FROM mine GROUP BY agent) a))
""")
