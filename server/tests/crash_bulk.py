"""Kill -9 of the worker amid a bulk enrolment: every row is done once, who has an account hears of it once, the rest is invited.

The worker is killed a moment after some rows were done, again and again, and another takes the job over.
"""

import argparse
import random
import sys
import time
from uuid import uuid4

from server_fixtures import open_folder

from harness import Api, running_server, wait_for
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
from workplace import Workplace

ROWS = 10_000
NEW = 100
"""How many of them have no account."""
RUNS = 9
LONGEST_WAIT = 1.0
PATIENCE_SECONDS = 120
SIGN_UP = "INSERT INTO users (id, email, full_name) SELECT gen_random_uuid(), 'p' || n || %s, 'P' FROM generate_series(1, %s) n"
DONE = "SELECT count(outcome) FROM bulk_rows WHERE job_id = %s"
OUTCOMES = "SELECT outcome, count(*) FROM bulk_rows WHERE job_id = %s GROUP BY outcome ORDER BY outcome"
TOLD = """SELECT count(*), count(DISTINCT user_id) FROM notifications
           WHERE user_id IN (SELECT user_id FROM enrollments WHERE course_id = %s)"""


def play(runs: int) -> list[str]:
    """What went wrong."""
    with open_folder() as home, EmbeddedPostgres(home) as postgres, running_server(postgres.url) as server, Api(server) as api:
        place, instructor, domain = Workplace(server), api.sign_up_instructor(), f"@{uuid4().hex[:8]}.example.com"
        course = instructor.published_course()["id"]
        server.sql(SIGN_UP, domain, ROWS - NEW)
        rows = [{"email": f"p{number}{domain}"} for number in range(1, ROWS + 1)]
        job = instructor.post("/api/v1/enrollments/bulk/", json={"course_id": course, "rows": rows}).json()["job_id"]
        kills = 0
        while kills < runs and (before := server.sql(DONE, job)[0][0]) < ROWS:
            with place.worker() as worker:
                wait_for(lambda seen=before: server.sql(DONE, job)[0][0] > seen, PATIENCE_SECONDS)
                time.sleep(random.uniform(0, LONGEST_WAIT))
                worker.kill()
            kills += 1
            print(f"{kills:>3}/{runs} kills, {server.sql(DONE, job)[0][0]} of {ROWS} rows done", flush=True)
        with place.worker():
            wait_for(lambda: instructor.get(f"/api/v1/enrollments/bulk/{job}/").json()["status"] == "completed", PATIENCE_SECONDS)
            mailed = "SELECT count(*) FROM outbox_mails WHERE position('invites you to' in subject) > 0"
            wait_for(lambda: server.sql(mailed)[0][0] >= NEW, PATIENCE_SECONDS)
        found = {
            "outcomes": (server.sql(OUTCOMES, job), [("enrolled", ROWS - NEW), ("invited", NEW)]),
            "told": (server.sql(TOLD, course), [(ROWS - NEW, ROWS - NEW)]),
            "enrolled": (server.sql("SELECT count(*) FROM enrollments WHERE course_id = %s", course), [(ROWS - NEW,)]),
            "invited": (server.sql("SELECT count(hash) FROM invitations WHERE course_id = %s", course), [(NEW,)]),
        }
        return [f"{what}: {seen}, not {expected}" for what, (seen, expected) in found.items() if seen != expected]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help="kills")
    wrong = play(parser.parse_args().runs)
    print("\n".join(wrong) or f"{ROWS} rows: each done once")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
