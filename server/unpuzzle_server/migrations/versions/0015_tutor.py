"""The tutor: what was asked of it, conversations, and practice quizzes; with their grants and row level security.

A request is a row before the tutor is asked. It counts from then on: for good once it is settled, and until its lease ends where
whoever reserved it was cut short. What failed is deleted.
"""

from alembic import context, op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

REQUESTS = """
CREATE TABLE ai_requests (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    agent text NOT NULL CHECK (agent IN ('chat', 'hint', 'quiz', 'reflection', 'path')),
    created_at timestamptz NOT NULL DEFAULT app.now(),
    expires_at timestamptz NOT NULL,
    settled_at timestamptz,
    model text,
    prompt_tokens int NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0),
    completion_tokens int NOT NULL DEFAULT 0 CHECK (completion_tokens >= 0),
    cost_usd numeric NOT NULL DEFAULT 0 CHECK (cost_usd >= 0)
);
CREATE INDEX ai_requests_user ON ai_requests (user_id, created_at);

-- What an account may ask of the tutor, and what it has asked today and this month, which begin at 00:00 UTC.
CREATE FUNCTION app.find_allowance(account uuid)
    RETURNS TABLE (plan text, daily_limit int, monthly_limit int, valid_until timestamptz, daily_used int, monthly_used int,
                   daily_reset timestamptz, monthly_reset timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT p.plan, p.daily_limit, p.monthly_limit, p.valid_until,
           (SELECT count(*)::int FROM ai_requests r WHERE r.user_id = account AND r.created_at >= t.today
                                                      AND (r.settled_at IS NOT NULL OR r.expires_at > app.now())),
           (SELECT count(*)::int FROM ai_requests r WHERE r.user_id = account AND r.created_at >= t.month
                                                      AND (r.settled_at IS NOT NULL OR r.expires_at > app.now())),
           t.today + interval '1 day', (t.month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'
      FROM app.allowance(account) p,
           (SELECT date_trunc('day', app.now(), 'UTC') AS today, date_trunc('month', app.now(), 'UTC') AS month) t
$$;

-- Takes one request out of the allowance of whoever asks. They follow each other: the last one that is left is taken once. Nobody
-- waits for the disk: a database that crashes just then has forgotten an answer that nobody was given, and what is settled waits.
CREATE FUNCTION app.reserve_ai_request(request uuid, asked text, lease interval) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE mine record; present ai_requests;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(format('ai:%%s', app.user_id()), 0));
    SELECT * INTO present FROM ai_requests WHERE id = request;
    IF present.settled_at IS NOT NULL OR present.expires_at > app.now() THEN RETURN 'in progress'; END IF;
    DELETE FROM ai_requests WHERE id = request;
    SELECT * INTO mine FROM app.find_allowance(app.user_id());
    IF mine.daily_used >= mine.daily_limit THEN RETURN 'day'; END IF;
    IF mine.monthly_used >= mine.monthly_limit THEN RETURN 'month'; END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO ai_requests (id, user_id, agent, expires_at) VALUES (request, app.user_id(), asked, app.now() + lease);
    RETURN 'reserved';
END $$;

-- Under another id it is counted, and its key can be used again.
CREATE FUNCTION app.settle_ai_request(request uuid, kept_as uuid, answered_by text, given int, written int, cost numeric)
    RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE ai_requests
       SET id = kept_as, settled_at = app.now(), model = answered_by,
           prompt_tokens = given, completion_tokens = written, cost_usd = cost
     WHERE id = request AND user_id = app.user_id() AND settled_at IS NULL
$$;

CREATE FUNCTION app.release_ai_request(request uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM ai_requests WHERE id = request AND user_id = app.user_id() AND settled_at IS NULL
$$;
"""

CONVERSATIONS = """
CREATE TABLE ai_sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- A conversation is its learner's: it outlives what it was about.
    course_id uuid REFERENCES courses ON DELETE SET NULL,
    lesson_id uuid REFERENCES lessons ON DELETE SET NULL,
    title text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now(),
    UNIQUE (id, user_id)
);
CREATE INDEX ai_sessions_user ON ai_sessions (user_id, updated_at DESC, id);
CREATE INDEX ai_sessions_course ON ai_sessions (course_id);
CREATE INDEX ai_sessions_lesson ON ai_sessions (lesson_id);

CREATE TABLE ai_messages (
    id uuid PRIMARY KEY,
    session_id uuid NOT NULL,
    user_id uuid NOT NULL,
    position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    role text NOT NULL CHECK (role IN ('user', 'assistant')),
    content text NOT NULL,
    "references" jsonb NOT NULL DEFAULT '[]',
    suggested_actions jsonb NOT NULL DEFAULT '[]',
    model text,
    prompt_tokens int CHECK (prompt_tokens >= 0),
    completion_tokens int CHECK (completion_tokens >= 0),
    cost_usd numeric CHECK (cost_usd >= 0),
    rating text CHECK (rating IN ('helpful', 'unhelpful')),
    comment text,
    rated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    FOREIGN KEY (session_id, user_id) REFERENCES ai_sessions (id, user_id) ON DELETE CASCADE,
    CHECK ((role = 'assistant') = (model IS NOT NULL)),
    CHECK (role = 'assistant' OR rating IS NULL)
);
CREATE INDEX ai_messages_session ON ai_messages (session_id, position);
CREATE INDEX ai_messages_user ON ai_messages (user_id);
"""

QUIZZES = """
CREATE TABLE ai_quizzes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    lesson_id uuid REFERENCES lessons ON DELETE SET NULL,
    questions jsonb NOT NULL,
    model text NOT NULL,
    prompt_tokens int NOT NULL CHECK (prompt_tokens >= 0),
    completion_tokens int NOT NULL CHECK (completion_tokens >= 0),
    cost_usd numeric NOT NULL CHECK (cost_usd >= 0),
    -- How it went the last time.
    percentage int CHECK (percentage BETWEEN 0 AND 100),
    passed boolean,
    graded_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX ai_quizzes_user ON ai_quizzes (user_id, created_at);
CREATE INDEX ai_quizzes_lesson ON ai_quizzes (lesson_id);

CREATE FUNCTION app.forget_tutor(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM ai_requests WHERE user_id = account;
    DELETE FROM ai_sessions WHERE user_id = account;
    DELETE FROM ai_quizzes WHERE user_id = account;
$$;
"""

SEARCH = """
-- What a text is found by; its tags are no words to PostgreSQL.
ALTER TABLE lesson_texts ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED;

-- A text's words as a query that any of them answers.
CREATE FUNCTION app.any_word(written text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT string_agg(quote_literal(lexeme), '|')::tsquery FROM unnest(to_tsvector('english', app.words(written))) $$;

-- The segments that answer a query in what the asking user may read: in a course, in a lesson, or in all of it. A course or a
-- lesson bounds the work; without one the index does, and what may be read is asked once for each lesson that was found.
CREATE FUNCTION app.search_segments(query tsquery, of_course uuid, of_lesson uuid)
    RETURNS TABLE (course_id uuid, course_title text, lesson_id uuid, lesson_title text, "position" int, start_ms int, end_ms int,
                   "text" text, rank real)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF of_course IS NOT NULL OR of_lesson IS NOT NULL THEN
        RETURN QUERY
            SELECT c.id, c.title, l.id, l.title, s.position, s.start_ms, s.end_ms, s.text, ts_rank(s.search, query)
              FROM lessons l JOIN courses c ON c.id = l.course_id JOIN transcript_segments s ON s.lesson_id = l.id
             WHERE l.course_id = coalesce(of_course, l.course_id) AND l.id = coalesce(of_lesson, l.id)
               AND app.may_read(l.id) AND s.search @@ query;
        RETURN;
    END IF;
    RETURN QUERY
        WITH hits AS MATERIALIZED (SELECT * FROM transcript_segments h WHERE h.search @@ query),
             readable AS MATERIALIZED (
                 SELECT h.lesson_id AS id FROM hits h GROUP BY h.lesson_id HAVING app.may_read(h.lesson_id))
        SELECT c.id, c.title, l.id, l.title, s.position, s.start_ms, s.end_ms, s.text, ts_rank(s.search, query)
          FROM readable JOIN lessons l ON l.id = readable.id JOIN courses c ON c.id = l.course_id
          JOIN hits s ON s.lesson_id = l.id;
END $$;
"""

SECURED = ["ai_requests", "ai_sessions", "ai_messages", "ai_quizzes"]

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY own ON ai_requests FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON ai_sessions TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON ai_messages TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON ai_quizzes TO {app} USING (user_id = (SELECT app.user_id()));
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    app.find_allowance, app.reserve_ai_request, app.settle_ai_request, app.release_ai_request, app.any_word,
    app.search_segments TO {app};
GRANT SELECT ON ai_requests TO {app};
GRANT SELECT, INSERT, UPDATE (course_id, lesson_id, updated_at), DELETE ON ai_sessions TO {app};
GRANT SELECT, INSERT, UPDATE (rating, comment, rated_at) ON ai_messages TO {app};
GRANT SELECT, INSERT, UPDATE (percentage, passed, graded_at) ON ai_quizzes TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    statements = [REQUESTS, CONVERSATIONS, QUIZZES, SEARCH, *(SECURE.format(table=table) for table in SECURED)]
    for statement in [*statements, POLICIES.format(app=app), GRANTS.format(app=app)]:
        op.get_bind().exec_driver_sql(statement)
