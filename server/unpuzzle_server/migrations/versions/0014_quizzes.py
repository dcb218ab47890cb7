"""Quizzes, attempts and certificates, with their grants and row level security.

Whoever takes a quiz reads neither its questions nor its answers: an attempt carries the questions as it asks them, and the
answers to them stand in a table that the application's role can't read. They leave it when the attempt is submitted, graded,
and by nothing else; what is written then is the functions' doing.
(`%%` is one `%`: the driver reads single ones as parameters.)
"""

from alembic import context, op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

QUIZZES = """
ALTER TABLE lessons ADD CONSTRAINT lessons_whole UNIQUE (id, course_id);

CREATE TABLE quizzes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    lesson_id uuid NOT NULL,
    course_id uuid NOT NULL,
    title text NOT NULL,
    description text,
    is_required boolean NOT NULL DEFAULT true,
    passing_percentage int NOT NULL DEFAULT 70 CHECK (passing_percentage BETWEEN 0 AND 100),
    time_limit_minutes int CHECK (time_limit_minutes > 0),
    max_attempts int CHECK (max_attempts > 0),
    shuffle_questions boolean NOT NULL DEFAULT false,
    shuffle_options boolean NOT NULL DEFAULT false,
    -- Of the questions, which whoever takes the quiz does not see; set by a trigger.
    questions_count int NOT NULL DEFAULT 0,
    total_points int NOT NULL DEFAULT 0,
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now(),
    FOREIGN KEY (lesson_id, course_id) REFERENCES lessons (id, course_id) ON DELETE CASCADE
);
CREATE INDEX quizzes_lesson ON quizzes (lesson_id, created_at);
CREATE INDEX quizzes_course ON quizzes (course_id);
CREATE TRIGGER touch BEFORE UPDATE ON quizzes FOR EACH ROW EXECUTE FUNCTION app.touch();

-- Questions and answers, as the instructor sees them, and `folded`: short answers without case and blanks.
CREATE TABLE quiz_questions (
    quiz_id uuid PRIMARY KEY REFERENCES quizzes ON DELETE CASCADE,
    questions jsonb NOT NULL CHECK (jsonb_array_length(questions) > 0)
);

CREATE FUNCTION app.count_questions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    UPDATE quizzes
       SET questions_count = jsonb_array_length(NEW.questions),
           total_points = (SELECT sum((question ->> 'points')::int) FROM jsonb_array_elements(NEW.questions) AS question)
     WHERE id = NEW.quiz_id;
    RETURN NULL;
END $$;
CREATE TRIGGER count_questions AFTER INSERT OR UPDATE ON quiz_questions FOR EACH ROW EXECUTE FUNCTION app.count_questions();
"""

ATTEMPTS = """
CREATE TABLE quiz_attempts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- What was achieved outlives the quiz.
    quiz_id uuid REFERENCES quizzes ON DELETE SET NULL,
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    number int NOT NULL CHECK (number > 0),
    -- The quiz as it was when the attempt was begun.
    title text NOT NULL,
    passing_percentage int NOT NULL,
    total_points int NOT NULL CHECK (total_points > 0),
    questions jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT app.now(),
    expires_at timestamptz,
    answers jsonb,
    results jsonb,
    points numeric CHECK (points BETWEEN 0 AND total_points),
    submitted_at timestamptz,
    score numeric GENERATED ALWAYS AS (round(100 * points / total_points, 1)) STORED,
    is_passed boolean GENERATED ALWAYS AS (100 * points >= passing_percentage * total_points) STORED,
    CONSTRAINT quiz_attempts_number UNIQUE (user_id, quiz_id, number),
    CHECK (num_nulls(answers, results, points, submitted_at) IN (0, 4))
);
CREATE INDEX quiz_attempts_quiz ON quiz_attempts (quiz_id);
CREATE INDEX quiz_attempts_course ON quiz_attempts (course_id);

CREATE TABLE quiz_attempt_keys (
    attempt_id uuid PRIMARY KEY REFERENCES quiz_attempts ON DELETE CASCADE,
    keys jsonb NOT NULL
);

-- Every quiz of one's courses in a published section, and how one did in it.
CREATE VIEW own_quizzes WITH (security_barrier) AS
    SELECT e.id AS enrollment_id, e.status AS enrollment_status, q.*,
           count(a.id) AS attempts_count, max(a.score) AS best_score, coalesce(bool_or(a.is_passed), false) AS is_passed
      FROM enrollments e
      JOIN sections x ON x.course_id = e.course_id AND x.is_published
      JOIN lessons l ON l.section_id = x.id
      JOIN quizzes q ON q.lesson_id = l.id
      LEFT JOIN quiz_attempts a ON a.quiz_id = q.id AND a.user_id = e.user_id
     WHERE e.user_id = (SELECT app.user_id())
     GROUP BY e.id, q.id;

-- A place in an order of an attempt's own: the same whenever it is asked for, and another one in the next attempt.
CREATE FUNCTION app.shuffled(attempt uuid, item text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT md5(attempt || item) $$;

-- A question without its answer.
CREATE FUNCTION app.question_as_asked(question jsonb, attempt uuid, is_shuffled boolean) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = public, app, pg_temp AS $$
    SELECT jsonb_build_object(
        'id', question -> 'id', 'type', question -> 'type', 'question', question -> 'question', 'points', question -> 'points',
        'options', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', option -> 'id', 'text', option -> 'text')
                                    ORDER BY CASE WHEN is_shuffled THEN app.shuffled(attempt, option ->> 'id') END, place), '[]')
                      FROM jsonb_array_elements(question -> 'options') WITH ORDINALITY AS listed (option, place)))
$$;

-- Begins an attempt of whoever asks, unless one is open, and tells whether it did; null where they may not begin another. They
-- take the course, and hold their enrolment until the end of the transaction.
CREATE FUNCTION app.start_attempt(quiz uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE q quizzes; tried int; begun uuid := gen_random_uuid();
BEGIN
    SELECT * INTO q FROM quizzes WHERE id = quiz;
    IF q.id IS NULL OR NOT app.takes_course(q.course_id) THEN RETURN NULL; END IF;
    PERFORM FROM quiz_attempts a WHERE a.user_id = app.user_id() AND a.quiz_id = q.id AND a.submitted_at IS NULL
                                   AND (a.expires_at > app.now()) IS NOT FALSE;
    IF FOUND THEN RETURN false; END IF;
    SELECT coalesce(max(a.number), 0) INTO tried FROM quiz_attempts a WHERE a.user_id = app.user_id() AND a.quiz_id = q.id;
    IF tried >= q.max_attempts THEN RETURN NULL; END IF;
    INSERT INTO quiz_attempts (id, user_id, quiz_id, course_id, number, title, passing_percentage, total_points, questions,
                               started_at, expires_at)
    SELECT begun, app.user_id(), q.id, q.course_id, tried + 1, q.title, q.passing_percentage, q.total_points,
           (SELECT jsonb_agg(app.question_as_asked(question, begun, q.shuffle_options)
                             ORDER BY CASE WHEN q.shuffle_questions THEN app.shuffled(begun, question ->> 'id') END, place)
              FROM jsonb_array_elements(asked.questions) WITH ORDINALITY AS listed (question, place)),
           app.now(), app.now() + q.time_limit_minutes * interval '1 minute'
      FROM quiz_questions asked WHERE asked.quiz_id = q.id;
    INSERT INTO quiz_attempt_keys SELECT begun, asked.questions FROM quiz_questions asked WHERE asked.quiz_id = q.id;
    RETURN true;
END $$;

-- The share of a question's points that an answer earns, from 0 to 1; `given` as it was checked, with `folded` for its text.
CREATE FUNCTION app.grade(question jsonb, given jsonb) RETURNS numeric
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE chosen int; hits int; rights int;
BEGIN
    CASE question ->> 'type'
        WHEN 'true_false' THEN
            RETURN coalesce((question -> 'is_true' = given -> 'is_true')::int, 0);
        WHEN 'short_text' THEN
            RETURN coalesce((question -> 'folded' ? (given ->> 'folded'))::int, 0);
        WHEN 'numeric' THEN
            RETURN coalesce((abs((given ->> 'number')::numeric - (question ->> 'number')::numeric)
                             <= coalesce((question ->> 'tolerance')::numeric, 0))::int, 0);
        ELSE
            SELECT count(*) FILTER (WHERE is_chosen), count(*) FILTER (WHERE is_chosen AND is_right),
                   count(*) FILTER (WHERE is_right)
              INTO chosen, hits, rights
              FROM (SELECT (option ->> 'is_correct')::boolean AS is_right,
                           coalesce(given -> 'option_ids' ? (option ->> 'id'), false) AS is_chosen
                      FROM jsonb_array_elements(question -> 'options') AS option) AS options;
            IF (question ->> 'partial_credit')::boolean THEN
                RETURN greatest(0, hits - (chosen - hits))::numeric / rights;
            END IF;
            RETURN (hits = rights AND chosen = rights)::int;
    END CASE;
END $$;

-- What a question comes to: what was earned, and what is right.
CREATE FUNCTION app.graded(question jsonb, given jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = public, app, pg_temp AS $$
    SELECT jsonb_build_object(
        'is_correct', share = 1, 'points', trim_scale(round(share * (question ->> 'points')::int, 2)),
        'option_ids', (SELECT coalesce(jsonb_agg(option -> 'id'), '[]') FROM jsonb_array_elements(question -> 'options') AS option
                        WHERE (option ->> 'is_correct')::boolean),
        'is_true', question -> 'is_true', 'accepted_answers', question -> 'accepted_answers', 'number', question -> 'number',
        'tolerance', question -> 'tolerance', 'explanation', question -> 'explanation')
      FROM (SELECT app.grade(question, given) AS share) AS grading
$$;

-- Closes an attempt of whoever asks with their answers, by question, and grades it: 'submitted', now or before, or 'late'.
CREATE FUNCTION app.submit_attempt(attempt uuid, given jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE a quiz_attempts; graded jsonb;
BEGIN
    SELECT * INTO a FROM quiz_attempts WHERE id = attempt AND user_id = app.user_id() FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF a.submitted_at IS NOT NULL THEN RETURN 'submitted'; END IF;
    IF a.expires_at <= app.now() THEN RETURN 'late'; END IF;
    SELECT jsonb_object_agg(question ->> 'id', app.graded(question, given -> (question ->> 'id'))) INTO graded
      FROM quiz_attempt_keys, jsonb_array_elements(keys) AS question WHERE attempt_id = a.id;
    UPDATE quiz_attempts
       SET answers = given, results = graded, submitted_at = app.now(),
           points = (SELECT sum((value ->> 'points')::numeric) FROM jsonb_each(graded))
     WHERE id = a.id;
    RETURN 'submitted';
END $$;

CREATE FUNCTION app.forget_quizzes(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM quiz_attempts WHERE user_id = account
$$;
"""

CERTIFICATES = """
-- Three groups of four signs that nobody takes for one another (Crockford's), 60 random bits: the seventh byte of a random UUID
-- says that it is one.
CREATE FUNCTION app.new_code() RETURNS text LANGUAGE sql VOLATILE SET search_path = public, app, pg_temp AS $$
    SELECT regexp_replace(string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + (get_byte(random, place) & 31), 1), ''),
                          '(.{4})(.{4})(.{4})', '\\1-\\2-\\3')
      FROM (SELECT uuid_send(gen_random_uuid()) AS random) AS made, unnest('{0,1,2,3,4,5,7,8,9,10,11,12}'::int[]) AS place
$$;

-- What it says is what was so when it was issued.
CREATE TABLE certificates (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    code text NOT NULL UNIQUE DEFAULT app.new_code(),
    enrollment_id uuid NOT NULL UNIQUE REFERENCES enrollments ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses,
    learner_name text NOT NULL,
    course_title text NOT NULL,
    instructor_name text NOT NULL,
    issued_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_because text
);
CREATE INDEX certificates_user ON certificates (user_id, issued_at DESC);
CREATE INDEX certificates_course ON certificates (course_id);

-- In the transaction that completes the course, whichever way it came, and once.
CREATE FUNCTION app.issue_certificate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO certificates (enrollment_id, user_id, course_id, learner_name, course_title, instructor_name, issued_at)
    SELECT NEW.id, NEW.user_id, NEW.course_id, u.full_name, c.title, i.full_name, NEW.completed_at
      FROM users u, courses c JOIN users i ON i.id = c.instructor_id
     WHERE u.id = NEW.user_id AND c.id = NEW.course_id
    ON CONFLICT (enrollment_id) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER issue_certificate AFTER INSERT OR UPDATE OF completed_at ON enrollments FOR EACH ROW
    WHEN (NEW.completed_at IS NOT NULL) EXECUTE FUNCTION app.issue_certificate();

INSERT INTO certificates (enrollment_id, user_id, course_id, learner_name, course_title, instructor_name, issued_at)
SELECT e.id, e.user_id, e.course_id, u.full_name, c.title, i.full_name, e.completed_at
  FROM enrollments e JOIN users u ON u.id = e.user_id JOIN courses c ON c.id = e.course_id JOIN users i ON i.id = c.instructor_id
 WHERE e.completed_at IS NOT NULL;

-- For anybody who knows its code.
CREATE FUNCTION app.find_certificate(named text) RETURNS SETOF certificates
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT * FROM certificates WHERE code = named
$$;

CREATE FUNCTION app.notify_of_revocation() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    VALUES (NEW.user_id, 'course', 'Certificate revoked',
            format('Your certificate for ''%%s'' was revoked%%s', NEW.course_title, ': ' || NEW.revoked_because),
            NULL, 'certificate');
    RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER UPDATE OF revoked_at ON certificates FOR EACH ROW
    WHEN (NEW.revoked_at IS NOT NULL AND OLD.revoked_at IS NULL) EXECUTE FUNCTION app.notify_of_revocation();

CREATE FUNCTION app.forget_certificates(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM certificates WHERE user_id = account
$$;
"""

SECURED = ["certificates", "quizzes", "quiz_questions", "quiz_attempts", "quiz_attempt_keys"]

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY taken ON quizzes FOR SELECT TO {app} USING (app.takes_course(course_id));
CREATE POLICY taught ON quizzes TO {app} USING (app.teaches_course(course_id) OR (SELECT app.is_admin()));
CREATE POLICY taught ON quiz_questions TO {app} USING (
    EXISTS (SELECT FROM quizzes q WHERE q.id = quiz_id AND app.teaches_course(q.course_id)) OR (SELECT app.is_admin()));
CREATE POLICY own ON quiz_attempts FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON certificates FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY admin ON certificates TO {app} USING ((SELECT app.is_admin()));
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.start_attempt, app.submit_attempt, app.find_certificate TO {app};
GRANT SELECT, DELETE,
      INSERT (id, lesson_id, course_id, title, description, is_required, passing_percentage, time_limit_minutes, max_attempts,
              shuffle_questions, shuffle_options),
      UPDATE (title, description, is_required, passing_percentage, time_limit_minutes, max_attempts, shuffle_questions,
              shuffle_options) ON quizzes TO {app};
GRANT SELECT, INSERT, UPDATE (questions) ON quiz_questions TO {app};
GRANT SELECT ON quiz_attempts, own_quizzes, certificates TO {app};
GRANT UPDATE (revoked_at, revoked_because) ON certificates TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    statements = [QUIZZES, ATTEMPTS, CERTIFICATES]
    statements += [SECURE.format(table=table) for table in SECURED]
    statements += [POLICIES.format(app=app), GRANTS.format(app=app)]
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
