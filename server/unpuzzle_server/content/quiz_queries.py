"""SQL of quizzes, as their instructor sees them."""

from sqlalchemy import text

from unpuzzle_server.content.queries import TAUGHT

QUIZ = """json_build_object(
    'id', q.id, 'course_id', q.course_id, 'lesson_id', q.lesson_id, 'title', q.title, 'description', q.description,
    'is_required', q.is_required, 'passing_percentage', q.passing_percentage, 'time_limit_minutes', q.time_limit_minutes,
    'max_attempts', q.max_attempts, 'shuffle_questions', q.shuffle_questions, 'shuffle_options', q.shuffle_options,
    'questions_count', q.questions_count, 'total_points', q.total_points,
    'passing_score', trim_scale(q.passing_percentage * q.total_points / 100.0),
    'questions', (SELECT json_agg(question - 'folded' ORDER BY place)
                    FROM quiz_questions asked, jsonb_array_elements(asked.questions) WITH ORDINALITY AS listed (question, place)
                   WHERE asked.quiz_id = q.id),
    'created_at', app.rfc3339(q.created_at), 'updated_at', app.rfc3339(q.updated_at))"""

GET = text(f"SELECT {QUIZ} AS quiz, q.version FROM quizzes q WHERE q.id = :quiz")
PLACE = text(f"SELECT q.course_id, q.version FROM quizzes q JOIN courses c ON c.id = q.course_id WHERE q.id = :quiz AND {TAUGHT}")
QUESTIONS = text("SELECT questions FROM quiz_questions WHERE quiz_id = :quiz")
IN_LESSON = text("SELECT count(*) FROM quizzes WHERE lesson_id = :lesson")
PRACTICE = text("SELECT questions FROM ai_quizzes WHERE id = :quiz AND user_id = :user")
ADD_QUESTIONS = text("INSERT INTO quiz_questions (quiz_id, questions) VALUES (:quiz, CAST(:questions AS jsonb))")
PUT_QUESTIONS = text("UPDATE quiz_questions SET questions = CAST(:questions AS jsonb) WHERE quiz_id = :quiz")
DELETE = text("DELETE FROM quizzes WHERE id = :quiz")

COLUMNS = (
    "title", "description", "is_required", "passing_percentage", "time_limit_minutes", "max_attempts", "shuffle_questions",
    "shuffle_options",
)  # fmt: skip


# The questions keep their ids: an id means something within its quiz only.
COPY = text(f"""
    WITH lessons_pairs AS (SELECT * FROM unnest(CAST(:old AS uuid[]), CAST(:new AS uuid[])) AS pair (old, new)),
         pairs AS MATERIALIZED (SELECT id AS old, gen_random_uuid() AS new FROM quizzes WHERE lesson_id = ANY (:old)),
         copied AS (INSERT INTO quizzes (id, lesson_id, course_id, {", ".join(COLUMNS)})
                    SELECT pairs.new, l.new, :target, {", ".join(f"q.{name}" for name in COLUMNS)}
                      FROM quizzes q JOIN pairs ON q.id = pairs.old JOIN lessons_pairs l ON l.old = q.lesson_id)
    SELECT old, new FROM pairs
""")
COPY_QUESTIONS = text("""
    INSERT INTO quiz_questions (quiz_id, questions)
    SELECT pair.new, questions FROM unnest(CAST(:old AS uuid[]), CAST(:new AS uuid[])) AS pair (old, new)
      JOIN quiz_questions ON quiz_id = pair.old
""")
