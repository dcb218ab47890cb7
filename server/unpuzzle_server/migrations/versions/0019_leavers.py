"""Who has left is counted no more."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TOTALS = """
-- Who has left has no totals, counted anew neither: what stays of them, such as a rating, is the course's.
ALTER VIEW app.recounted_learner_totals RENAME TO recounted_totals_of_all;
CREATE VIEW app.recounted_learner_totals AS
    SELECT t.* FROM app.recounted_totals_of_all t JOIN users u ON u.id = t.user_id WHERE u.erased_at IS NULL;
DELETE FROM learner_totals USING users WHERE users.id = user_id AND erased_at IS NOT NULL;
DELETE FROM achievements USING users WHERE users.id = user_id AND erased_at IS NOT NULL;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(TOTALS)
