"""What the embedded Stripe keeps: its objects, as Stripe shows them, and the answers that idempotency keys stand for."""

from alembic import context, op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OBJECTS = """
CREATE SCHEMA embedded_stripe;

-- Events are objects too. `due_at` is when time changes one by itself: the end of a period, the next try of a payment.
CREATE TABLE embedded_stripe.objects (
    id text PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    created bigint NOT NULL,
    data jsonb NOT NULL,
    due_at timestamptz
);
CREATE INDEX objects_listed ON embedded_stripe.objects (kind, seq);
CREATE INDEX objects_holding ON embedded_stripe.objects USING gin (data jsonb_path_ops);
CREATE INDEX objects_due ON embedded_stripe.objects (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE embedded_stripe.idempotency_keys (
    key text PRIMARY KEY,
    digest bytea NOT NULL,
    status int NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_created ON embedded_stripe.idempotency_keys (created_at);
"""

# Nobody is signed in at a payment provider that is somebody else's: whoever has the key has the rows.
SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY provider ON {table} TO {app} USING (true) WITH CHECK (true);
"""

GRANTS = """
GRANT USAGE ON SCHEMA embedded_stripe TO {app};
GRANT SELECT, INSERT, UPDATE (data, due_at), DELETE ON embedded_stripe.objects TO {app};
GRANT SELECT, INSERT, DELETE ON embedded_stripe.idempotency_keys TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    tables = ("embedded_stripe.objects", "embedded_stripe.idempotency_keys")
    for statement in [OBJECTS, *[SECURE.format(table=table, app=app) for table in tables], GRANTS.format(app=app)]:
        op.get_bind().exec_driver_sql(statement)
