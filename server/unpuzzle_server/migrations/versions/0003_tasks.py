"""Tasks: what is to be done, what could not be done, what is done every so often, and the queue to the workers.

A row of `tasks` stays until its task is done: whatever the broker loses is sent again from here. Three states: `waiting` for its
time, `sent` to the workers, `running` in one of them. `due_at` is when it is sent, for the first time or again; the worker that
runs it moves that on, and one that has died no longer does.

By default the broker is PostgreSQL itself (pgmq, plain SQL): `app.enqueue` then sends the message in the caller's transaction.
(`%%` is one `%`: the driver reads single ones as parameters.)
"""

from alembic import context, op
from pgmq import get_embedded_install_sql, install_pgmq_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TASKS = """
CREATE TABLE tasks (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    args jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'sent', 'running')),
    due_at timestamptz NOT NULL,
    sends int NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    error text,
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX tasks_due ON tasks (due_at);

CREATE TABLE failed_tasks (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    args jsonb NOT NULL,
    attempts int NOT NULL,
    error text NOT NULL,
    created_at timestamptz NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX failed_tasks_failed ON failed_tasks (failed_at);

CREATE TABLE periodic_tasks (
    name text PRIMARY KEY,
    next_at timestamptz NOT NULL
);

-- How Celery writes a message, with {id} and {task} in it: its workers keep it here. None where they listen to another broker.
CREATE TABLE task_message (
    template jsonb NOT NULL,
    single boolean PRIMARY KEY DEFAULT true CHECK (single)
);

-- The application may ask for a task, and neither read nor change one.
-- Behind Redis or AMQP it waits for the dispatcher; times are the database's, which all workers share.
CREATE FUNCTION app.enqueue(task text, args jsonb, delay interval, lease interval) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE
    task_id uuid := gen_random_uuid();
    message jsonb;
BEGIN
    IF delay = interval '0' THEN
        SELECT replace(replace(template::text, '{id}', task_id::text), '{task}', task)::jsonb INTO message FROM task_message;
    END IF;
    IF message IS NULL THEN
        INSERT INTO tasks (id, name, args, state, due_at, sends)
        VALUES (task_id, task, args, 'waiting', clock_timestamp() + delay, 0);
        NOTIFY unpuzzle_tasks;
    ELSE
        INSERT INTO tasks (id, name, args, state, due_at, sends)
        VALUES (task_id, task, args, 'sent', clock_timestamp() + lease, 1);
        PERFORM pgmq.send('unpuzzle', message, message->'headers');
        NOTIFY "pgmq.q_unpuzzle.INSERT";
    END IF;
    RETURN task_id;
END $$;
"""

TABLES = ["tasks", "failed_tasks", "periodic_tasks", "task_message"]

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY worker ON {table} TO {worker} USING (true) WITH CHECK (true);
"""

# Workers may what the application may, and see to tasks; of what is somebody's they may remove what is of no use any more.
GRANTS = """
DO $$ BEGIN
    IF NOT pg_has_role('{worker_name}', '{app_name}', 'MEMBER') THEN GRANT {app} TO {worker}; END IF;
END $$;
REVOKE ALL ON FUNCTION app.enqueue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.enqueue TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON tasks, failed_tasks, periodic_tasks, task_message TO {worker};
GRANT USAGE ON SCHEMA pgmq TO {worker};
GRANT SELECT ON pgmq.meta TO {worker};
GRANT SELECT, INSERT, UPDATE, DELETE ON pgmq.q_unpuzzle TO {worker};

GRANT DELETE ON refresh_tokens TO {worker};
CREATE POLICY useless ON refresh_tokens TO {worker} USING (
    expires_at <= app.now() OR EXISTS (SELECT FROM sessions s WHERE s.id = session_id AND s.ended_at IS NOT NULL));
CREATE POLICY ended ON sessions FOR SELECT TO {worker} USING (ended_at IS NOT NULL);
CREATE POLICY expired ON idempotency_keys TO {worker} USING (created_at <= app.now() - interval '24 hours');
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_at);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
"""


def upgrade() -> None:
    app, worker = context.config.attributes["app_role"], context.config.attributes["worker_role"]
    connection = op.get_bind()
    if connection.exec_driver_sql("SELECT to_regclass('pgmq.meta')").scalar() is None:
        install_pgmq_sql(get_embedded_install_sql(), conn=connection.connection.driver_connection)
    connection.exec_driver_sql("SELECT pgmq.create('unpuzzle')")
    roles = {"app": app, "worker": worker, "app_name": app.strip('"'), "worker_name": worker.strip('"')}
    for statement in [TASKS, *[SECURE.format(table=table, worker=worker) for table in TABLES], GRANTS.format(**roles)]:
        connection.exec_driver_sql(statement)
