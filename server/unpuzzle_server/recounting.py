"""What the command `analytics rebuild` does: every number of analytics is put into its place from the raw rows."""

import time

from sqlalchemy import create_engine, text

from unpuzzle_server.kernel.database import sqlalchemy_url

REBUILD = text("SELECT app.rebuild_analytics()")
LEARNERS = text("SELECT count(*) FROM learner_totals")


def rebuild(owner_url: str) -> str:
    """Answers a sentence on what was done."""
    engine = create_engine(sqlalchemy_url(owner_url), hide_parameters=True)
    begun = time.monotonic()
    try:
        with engine.begin() as connection:
            connection.execute(REBUILD)
            learners = connection.execute(LEARNERS).scalar_one()
        return f"Counted anew: {learners} learners, in {time.monotonic() - begun:.1f} s."
    finally:
        engine.dispose()
