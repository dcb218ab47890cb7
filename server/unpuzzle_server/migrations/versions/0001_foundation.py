"""Accounts, the catalogue, content, enrolments and reviews, with their grants and row level security.

Two roles: the owner, which runs this and the functions marked SECURITY DEFINER, and the application's, which owns
nothing, sees only the rows that the policies show it, and writes only the columns granted to it. Who is asking stands
in `app.user_id` and `app.roles` of each transaction.
"""

from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FUNCTIONS = """
CREATE SCHEMA app;

CREATE FUNCTION app.user_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('app.user_id', true), '')::uuid $$;

CREATE FUNCTION app.has_role(role text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT role = ANY (string_to_array(current_setting('app.roles', true), ',')) $$;

CREATE FUNCTION app.is_admin() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT app.has_role('admin') $$;

-- The server's one clock, where it has set it for this transaction.
CREATE FUNCTION app.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('app.now', true), '')::timestamptz, now()) $$;

-- A time as answers carry it (RFC 3339, UTC). As stable as to_char, so that it can be inlined.
CREATE FUNCTION app.rfc3339(moment timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

-- How many decimals a currency has (ISO 4217).
CREATE FUNCTION app.decimals(currency text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN currency IN ('CLP', 'JPY', 'KRW', 'VND') THEN 0 WHEN currency = 'KWD' THEN 3 ELSE 2 END $$;

-- A text as words between blanks, so that node.js, TCP/IP and 3.12 are found by each of their parts and by all of them.
-- Left to itself PostgreSQL reads a host, a path and a version in them, and indexes those whole.
CREATE FUNCTION app.words(written text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT regexp_replace(normalize(written),
                         '[\\u0001-/:-@\\[-`{-\\u00A9\\u00AB-\\u00B1\\u00B4\\u00B6-\\u00B8\\u00BB\\u00BF' ||
                         '\\u2000-\\u206F\\u3000-\\u3004\\u3008-\\u3020\\uFF01-\\uFF0F]+', ' ', 'g') $$;

CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := greatest(app.now(), OLD.updated_at);
    RETURN NEW;
END $$;
"""

ACCOUNTS = """
CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL CONSTRAINT users_email_key UNIQUE CHECK (email = lower(email)),
    full_name text NOT NULL,
    avatar_url text,
    bio text,
    roles text[] NOT NULL DEFAULT '{student}' CHECK (roles <@ '{student,instructor,admin}'),
    email_verified boolean NOT NULL DEFAULT false,
    email_notifications boolean NOT NULL DEFAULT true,
    learning_reminders boolean NOT NULL DEFAULT true,
    timezone text NOT NULL DEFAULT 'UTC',
    metadata jsonb NOT NULL DEFAULT '{}',
    suspended_at timestamptz,
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now()
);

-- Apart from users, so that no query of the application can list hashes: app.find_login alone gives one, to be verified.
CREATE TABLE passwords (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    hash text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT app.now()
);

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    user_agent text,
    address text,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    last_seen_at timestamptz NOT NULL DEFAULT app.now(),
    ended_at timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    spent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE TABLE instructor_applications (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    motivation text,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
    created_at timestamptz NOT NULL DEFAULT app.now(),
    decided_at timestamptz
);
CREATE UNIQUE INDEX instructor_applications_open ON instructor_applications (user_id) WHERE status = 'pending';

-- Who a token belongs to, and whether it still counts; asked before it is known who asks.
CREATE FUNCTION app.find_identity(session uuid, account uuid)
    RETURNS TABLE (roles text[], suspended boolean, session_open boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT u.roles, u.suspended_at IS NOT NULL, s.id IS NOT NULL AND s.ended_at IS NULL
      FROM users u LEFT JOIN sessions s ON s.id = session AND s.user_id = u.id
     WHERE u.id = account
$$;

CREATE FUNCTION app.find_login(address text)
    RETURNS TABLE (user_id uuid, hash text, roles text[], suspended boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT u.id, p.hash, u.roles, u.suspended_at IS NOT NULL
      FROM users u JOIN passwords p ON p.user_id = u.id
     WHERE u.email = lower(address)
$$;

-- Locks the session, so that two refreshes with one token follow each other.
CREATE FUNCTION app.find_refresh_token(token_hash bytea)
    RETURNS TABLE (session_id uuid, user_id uuid, roles text[], suspended boolean, expires_at timestamptz,
                   spent_at timestamptz, ended_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    PERFORM FROM sessions s JOIN refresh_tokens t ON t.session_id = s.id WHERE t.hash = token_hash FOR UPDATE OF s;
    RETURN QUERY
        SELECT s.id, u.id, u.roles, u.suspended_at IS NOT NULL, t.expires_at, t.spent_at, s.ended_at
          FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id JOIN users u ON u.id = t.user_id
         WHERE t.hash = token_hash;
END $$;

-- The one way in which the application gives a role: to whoever asks, for an application of theirs.
CREATE FUNCTION app.approve_own_application(application uuid) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE granted text[];
BEGIN
    UPDATE instructor_applications SET status = 'approved', decided_at = app.now()
     WHERE id = application AND user_id = app.user_id() AND status = 'pending';
    IF NOT FOUND THEN RETURN NULL; END IF;
    UPDATE users SET roles = array_append(array_remove(roles, 'instructor'), 'instructor')
     WHERE id = app.user_id() RETURNING roles INTO granted;
    RETURN granted;
END $$;
"""

CATALOGUE = """
CREATE TABLE categories (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL CONSTRAINT categories_name_key UNIQUE,
    slug text NOT NULL CONSTRAINT categories_slug_key UNIQUE,
    description text,
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now()
);

CREATE TABLE courses (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    instructor_id uuid NOT NULL REFERENCES users,
    category_id uuid CONSTRAINT courses_category_id_fkey REFERENCES categories,
    title text NOT NULL,
    slug text NOT NULL CONSTRAINT courses_slug_key UNIQUE,
    description text,
    detailed_description text,
    difficulty text NOT NULL DEFAULT 'beginner' CHECK (difficulty IN ('beginner', 'intermediate', 'advanced')),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'archived')),
    price_minor bigint CHECK (price_minor >= 0),
    currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    price numeric GENERATED ALWAYS AS (
        round(price_minor * power(10::numeric, -app.decimals(currency)), app.decimals(currency))) STORED,
    thumbnail_url text,
    preview_video_url text,
    requirements text[] NOT NULL DEFAULT '{}',
    objectives text[] NOT NULL DEFAULT '{}',
    target_audience text[] NOT NULL DEFAULT '{}',
    tags text[] NOT NULL DEFAULT '{}',
    -- Stems and the words themselves, so that a word is found by its stem and by its beginning.
    search tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', app.words(title)), 'A') || setweight(to_tsvector('simple', app.words(title)), 'A') ||
        setweight(to_tsvector('english', app.words(coalesce(description, ''))), 'B') ||
        setweight(to_tsvector('simple', app.words(coalesce(description, ''))), 'B')) STORED,
    published_at timestamptz,
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now(),
    CONSTRAINT published_is_complete CHECK (status <> 'published' OR
        (published_at IS NOT NULL AND description IS NOT NULL AND category_id IS NOT NULL AND price_minor IS NOT NULL))
);
CREATE INDEX courses_newest ON courses (published_at DESC, id) WHERE status = 'published';
CREATE INDEX courses_created ON courses (created_at DESC, id) WHERE status = 'published';
CREATE INDEX courses_title ON courses (title, id) WHERE status = 'published';
CREATE INDEX courses_price ON courses (price, id) WHERE status = 'published';
CREATE INDEX courses_category ON courses (category_id, published_at DESC);
CREATE INDEX courses_instructor ON courses (instructor_id, updated_at DESC);
CREATE INDEX courses_search ON courses USING gin (search);
CREATE INDEX courses_tags ON courses USING gin (tags);

-- What anybody may know of those who teach, or did: their courses stay when the role goes.
CREATE VIEW instructors AS
    SELECT id, full_name AS name, avatar_url, bio FROM users
     WHERE 'instructor' = ANY (roles) OR EXISTS (SELECT FROM courses WHERE instructor_id = users.id);

-- What anybody may see of courses. The policies of courses would hide the indexes on words and tags from the planner.
CREATE VIEW catalogue AS SELECT * FROM courses WHERE status = 'published';

-- What lists sort by and show; kept true by the triggers below.
CREATE TABLE course_stats (
    course_id uuid PRIMARY KEY REFERENCES courses ON DELETE CASCADE,
    sections_count int NOT NULL DEFAULT 0,
    lessons_count int NOT NULL DEFAULT 0,
    duration_seconds int NOT NULL DEFAULT 0,
    students_count int NOT NULL DEFAULT 0,
    reviews_count int NOT NULL DEFAULT 0,
    rating_sum int NOT NULL DEFAULT 0,
    rating numeric GENERATED ALWAYS AS (round(rating_sum::numeric / nullif(reviews_count, 0), 1)) STORED
);
CREATE INDEX course_stats_rating ON course_stats (rating DESC NULLS LAST, course_id);

-- How many courses the catalogue has, so that its pages need not count ten thousand rows; kept true by a trigger below.
CREATE TABLE catalogue_counts (
    category_id uuid NOT NULL REFERENCES categories ON DELETE CASCADE,
    difficulty text NOT NULL,
    courses_count int NOT NULL,
    PRIMARY KEY (category_id, difficulty)
);

CREATE TABLE sections (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    title text NOT NULL,
    description text,
    position int NOT NULL CHECK (position > 0),
    is_published boolean NOT NULL DEFAULT false,
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now(),
    UNIQUE (id, course_id),
    UNIQUE (course_id, position) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE lessons (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    section_id uuid NOT NULL,
    course_id uuid NOT NULL,
    title text NOT NULL,
    type text NOT NULL DEFAULT 'article' CHECK (type IN ('video', 'document', 'article', 'quiz')),
    position int NOT NULL CHECK (position > 0),
    duration_seconds int NOT NULL DEFAULT 0 CHECK (duration_seconds >= 0),
    is_preview boolean NOT NULL DEFAULT false,
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now(),
    FOREIGN KEY (section_id, course_id) REFERENCES sections (id, course_id) ON DELETE CASCADE,
    UNIQUE (section_id, position) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX lessons_course ON lessons (course_id);

-- What is paid for, apart from the outline that anybody may see.
CREATE TABLE lesson_texts (
    lesson_id uuid PRIMARY KEY REFERENCES lessons ON DELETE CASCADE,
    body text NOT NULL
);

CREATE TABLE enrollments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'completed', 'cancelled', 'expired', 'suspended')),
    enrolled_at timestamptz NOT NULL DEFAULT app.now(),
    completed_at timestamptz,
    version int NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT app.now(),
    CONSTRAINT enrollments_once UNIQUE (user_id, course_id)
);
CREATE INDEX enrollments_course ON enrollments (course_id);

CREATE TABLE reviews (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    enrollment_id uuid NOT NULL UNIQUE REFERENCES enrollments ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    rating int NOT NULL CHECK (rating BETWEEN 1 AND 5),
    comment text,
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX reviews_course ON reviews (course_id, created_at DESC);

-- Whether the asking user takes a course; a definer's right, since enrolments hide behind policies of their own.
CREATE FUNCTION app.takes_course(course uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT EXISTS (SELECT FROM enrollments WHERE user_id = app.user_id() AND course_id = course
                                             AND status IN ('active', 'completed'))
$$;

CREATE FUNCTION app.teaches_course(course uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT EXISTS (SELECT FROM courses WHERE id = course AND instructor_id = app.user_id())
$$;

-- What enrolling needs to know of any course, so that it can say that one is not published.
CREATE FUNCTION app.find_offer(course uuid, course_slug text)
    RETURNS TABLE (id uuid, instructor_id uuid, status text, price numeric, currency text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT id, instructor_id, status, price, currency FROM courses WHERE courses.id = course OR courses.slug = course_slug
$$;

-- What an instructor's published courses come to, over all their learners.
CREATE FUNCTION app.instructor_stats(instructor uuid)
    RETURNS TABLE (courses_count bigint, students_count bigint, rating numeric)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT count(*),
           (SELECT count(DISTINCT e.user_id) FROM enrollments e JOIN courses taught ON taught.id = e.course_id
             WHERE taught.instructor_id = instructor AND taught.status = 'published' AND e.status IN ('active', 'completed')),
           round(sum(s.rating_sum)::numeric / nullif(sum(s.reviews_count), 0), 1)
      FROM courses c JOIN course_stats s ON s.course_id = c.id
     WHERE c.instructor_id = instructor AND c.status = 'published'
$$;
"""

COUNTS = """
CREATE FUNCTION app.add_course_stats() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    INSERT INTO course_stats (course_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER course_stats AFTER INSERT ON courses FOR EACH ROW EXECUTE FUNCTION app.add_course_stats();

CREATE FUNCTION app.count_catalogue() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.status = 'published' THEN
        UPDATE catalogue_counts SET courses_count = courses_count - 1
         WHERE category_id = OLD.category_id AND difficulty = OLD.difficulty;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status = 'published' THEN
        INSERT INTO catalogue_counts AS n VALUES (NEW.category_id, NEW.difficulty, 1)
        ON CONFLICT (category_id, difficulty) DO UPDATE SET courses_count = n.courses_count + 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_catalogue AFTER INSERT OR DELETE OR UPDATE OF status, category_id, difficulty ON courses
    FOR EACH ROW EXECUTE FUNCTION app.count_catalogue();

-- Counted anew from the rows, behind a lock: two changes at once each see the other's.
CREATE FUNCTION app.count_content() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE changed uuid[];
BEGIN
    CASE TG_OP
        WHEN 'INSERT' THEN SELECT array_agg(DISTINCT course_id) INTO changed FROM new_rows;
        WHEN 'DELETE' THEN SELECT array_agg(DISTINCT course_id) INTO changed FROM old_rows;
        ELSE SELECT array_agg(DISTINCT course_id) INTO changed
               FROM (SELECT course_id FROM old_rows UNION SELECT course_id FROM new_rows) AS moved;
    END CASE;
    IF changed IS NULL THEN RETURN NULL; END IF;
    PERFORM FROM course_stats WHERE course_id = ANY (changed) ORDER BY course_id FOR UPDATE;
    UPDATE course_stats s
       SET sections_count = content.sections, lessons_count = content.lessons, duration_seconds = content.seconds
      FROM (SELECT c.id, count(DISTINCT x.id) AS sections, count(l.id) AS lessons, coalesce(sum(l.duration_seconds), 0) AS seconds
              FROM unnest(changed) AS c (id)
              LEFT JOIN sections x ON x.course_id = c.id AND x.is_published
              LEFT JOIN lessons l ON l.section_id = x.id
             GROUP BY c.id) AS content
     WHERE s.course_id = content.id
       AND (s.sections_count, s.lessons_count, s.duration_seconds)
           IS DISTINCT FROM (content.sections, content.lessons, content.seconds);
    RETURN NULL;
END $$;
"""

COUNT_CONTENT = """
CREATE TRIGGER count_inserted AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.count_content();
CREATE TRIGGER count_updated AFTER UPDATE ON {table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.count_content();
CREATE TRIGGER count_deleted AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.count_content();
"""

COUNT_PEOPLE = """
-- A difference, not a count: a course may have a hundred thousand learners.
CREATE FUNCTION app.count_students() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.status IN ('active', 'completed') THEN
        UPDATE course_stats SET students_count = students_count - 1 WHERE course_id = OLD.course_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status IN ('active', 'completed') THEN
        UPDATE course_stats SET students_count = students_count + 1 WHERE course_id = NEW.course_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_students AFTER INSERT OR DELETE OR UPDATE OF status, course_id ON enrollments
    FOR EACH ROW EXECUTE FUNCTION app.count_students();

CREATE FUNCTION app.count_reviews() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE course_stats SET reviews_count = reviews_count - 1, rating_sum = rating_sum - OLD.rating
         WHERE course_id = OLD.course_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE course_stats SET reviews_count = reviews_count + 1, rating_sum = rating_sum + NEW.rating
         WHERE course_id = NEW.course_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_reviews AFTER INSERT OR DELETE OR UPDATE OF rating, course_id ON reviews
    FOR EACH ROW EXECUTE FUNCTION app.count_reviews();
"""

KERNEL = """
CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    operation text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status int NOT NULL,
    headers jsonb NOT NULL,
    cookies text[] NOT NULL,
    content bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, operation, key)
);

-- Unlogged: after a crash of the database everybody starts a new period, which costs nobody anything.
CREATE UNLOGGED TABLE rate_limits (
    key text PRIMARY KEY,
    used int NOT NULL,
    resets_at timestamptz NOT NULL
);
CREATE INDEX rate_limits_resets ON rate_limits (resets_at);
"""

TOUCHED = ["users", "categories", "courses", "sections", "lessons", "enrollments", "reviews"]

SECURED = [
    "users", "passwords", "sessions", "refresh_tokens", "instructor_applications", "categories", "courses", "course_stats",
    "catalogue_counts",
    "sections", "lessons", "lesson_texts", "enrollments", "reviews", "idempotency_keys",
]  # fmt: skip

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY own ON users TO {app} USING (id = (SELECT app.user_id()) OR (SELECT app.is_admin()));
CREATE POLICY own ON passwords TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON sessions TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON refresh_tokens TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON instructor_applications TO {app} USING (user_id = (SELECT app.user_id()) OR (SELECT app.is_admin()));
CREATE POLICY own ON idempotency_keys TO {app} USING (user_id = (SELECT app.user_id()));

CREATE POLICY everybody ON categories FOR SELECT TO {app} USING (true);
CREATE POLICY admin ON categories TO {app} USING ((SELECT app.is_admin()));
CREATE POLICY everybody ON course_stats FOR SELECT TO {app} USING (true);
CREATE POLICY everybody ON catalogue_counts FOR SELECT TO {app} USING (true);

CREATE POLICY visible ON courses FOR SELECT TO {app} USING (
    status = 'published' OR instructor_id = (SELECT app.user_id()) OR (SELECT app.is_admin()) OR app.takes_course(id));
CREATE POLICY taught ON courses TO {app}
    USING (instructor_id = (SELECT app.user_id()) OR (SELECT app.is_admin()))
    WITH CHECK ((instructor_id = (SELECT app.user_id()) AND (SELECT app.has_role('instructor'))) OR (SELECT app.is_admin()));

-- A section shows with its course, and an unpublished one to whoever teaches it.
CREATE POLICY visible ON sections FOR SELECT TO {app} USING (
    EXISTS (SELECT FROM courses c WHERE c.id = course_id AND (is_published OR c.instructor_id = (SELECT app.user_id())))
    OR (SELECT app.is_admin()));
CREATE POLICY taught ON sections TO {app} USING (app.teaches_course(course_id) OR (SELECT app.is_admin()));

CREATE POLICY visible ON lessons FOR SELECT TO {app} USING (EXISTS (SELECT FROM sections s WHERE s.id = section_id));
CREATE POLICY taught ON lessons TO {app} USING (app.teaches_course(course_id) OR (SELECT app.is_admin()));

CREATE POLICY visible ON lesson_texts FOR SELECT TO {app} USING (
    EXISTS (SELECT FROM lessons l WHERE l.id = lesson_id AND (l.is_preview OR app.takes_course(l.course_id))));
CREATE POLICY taught ON lesson_texts TO {app} USING (
    EXISTS (SELECT FROM lessons l WHERE l.id = lesson_id AND app.teaches_course(l.course_id)) OR (SELECT app.is_admin()));

CREATE POLICY own ON enrollments TO {app} USING (user_id = (SELECT app.user_id()) OR (SELECT app.is_admin()));
CREATE POLICY taught ON enrollments FOR SELECT TO {app} USING (app.teaches_course(course_id));
CREATE POLICY everybody ON reviews FOR SELECT TO {app} USING (EXISTS (SELECT FROM courses c WHERE c.id = course_id));
CREATE POLICY own ON reviews TO {app} USING (user_id = (SELECT app.user_id()));
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT USAGE ON SCHEMA app TO {app};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA app TO {app};

GRANT SELECT ON users, instructors TO {app};
GRANT INSERT (id, email, full_name, metadata) ON users TO {app};
GRANT UPDATE (full_name, bio, avatar_url, email_notifications, learning_reminders, timezone) ON users TO {app};
GRANT INSERT ON passwords TO {app};
GRANT SELECT, INSERT, UPDATE (last_seen_at, ended_at) ON sessions TO {app};
GRANT SELECT, INSERT, UPDATE (spent_at) ON refresh_tokens TO {app};
GRANT SELECT, INSERT (user_id, motivation) ON instructor_applications TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON categories, courses, sections, lessons, lesson_texts TO {app};
GRANT SELECT ON catalogue, course_stats, catalogue_counts, reviews TO {app};
GRANT SELECT, INSERT, UPDATE ON enrollments TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys, rate_limits TO {app};
GRANT SELECT ON alembic_version TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    statements = [FUNCTIONS, ACCOUNTS, CATALOGUE, COUNTS, COUNT_PEOPLE, KERNEL]
    statements += [COUNT_CONTENT.format(table=table) for table in ("sections", "lessons")]
    statements += [
        f"CREATE TRIGGER touch BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION app.touch()" for table in TOUCHED
    ]
    statements += [SECURE.format(table=table) for table in SECURED]
    statements += [POLICIES.format(app=app), GRANTS.format(app=app)]
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
