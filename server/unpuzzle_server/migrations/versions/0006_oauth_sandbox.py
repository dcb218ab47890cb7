"""What the OAuth sandbox keeps: codes and access tokens, as digests."""

from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

GRANTS = """
CREATE TABLE oauth_sandbox_grants (
    hash bytea PRIMARY KEY,
    of_code bytea,
    data jsonb NOT NULL,
    spent boolean NOT NULL DEFAULT false,
    expires_at timestamptz NOT NULL
);
CREATE INDEX oauth_sandbox_grants_ending ON oauth_sandbox_grants (expires_at);
CREATE INDEX oauth_sandbox_grants_code ON oauth_sandbox_grants (of_code);
ALTER TABLE oauth_sandbox_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE oauth_sandbox_grants FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON oauth_sandbox_grants TO CURRENT_USER USING (true) WITH CHECK (true);
-- Nobody is signed in at an issuer that is somebody else's: whoever has the secret has the row.
CREATE POLICY issuer ON oauth_sandbox_grants TO {app} USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE (spent), DELETE ON oauth_sandbox_grants TO {app};
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(GRANTS.format(app=context.config.attributes["app_role"]))
