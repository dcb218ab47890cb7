"""Kill -9 of the worker around the sending of mail: every mail arrives, and one that arrives twice says so by its Message-ID.

A real SMTP server takes each mail; the worker is killed a moment after some were asked for, again and again.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from typing import Any

from server_fixtures import open_folder

from harness import Api, Server, running_server, wait_for
from smtp_server import smtp_server
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
from workplace import Workplace

MAILS = 3
"""Asked for before each kill."""
RUNS = 200
LONGEST_WAIT = 0.1
SECONDS = 0.02
"""How long the server thinks about each mail."""
UNDER_WAY = "SELECT 1 FROM tasks WHERE state = 'running' AND args->>'email' = ANY (%s)"
PATIENCE_SECONDS = 90
RESET = "/api/v1/auth/password/reset/"


class Mailbox:
    """What an SMTP server has taken: the ids of the mails to each address."""

    def __init__(self) -> None:
        self.taken: dict[str, list[str]] = defaultdict(list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - as aiosmtpd calls it
        message = message_from_bytes(envelope.content)
        await asyncio.sleep(SECONDS)
        for address in envelope.rcpt_tos:
            self.taken[address].append(message["Message-ID"])
        return "250 taken"


@contextmanager
def deployment() -> Iterator[Server]:
    with open_folder() as home, EmbeddedPostgres(home) as postgres, running_server(postgres.url) as server:
        yield server


def play(runs: int) -> tuple[list[str], Mailbox]:
    """Whom mail was asked for, and what arrived."""
    mailbox = Mailbox()
    with deployment() as server, smtp_server(mailbox) as port, Api(server) as api:
        place, url = Workplace(server), f"smtp://127.0.0.1:{port}"
        people = [api.sign_up().email for _ in range(MAILS * runs)]
        server.sql("DELETE FROM tasks")  # of the sign-ups
        for number in range(runs):
            asked = people[number * MAILS : (number + 1) * MAILS]
            with place.worker(SMTP_URL=url) as worker:
                for email in asked:
                    api.post(RESET, json={"email": email})
                wait_for(lambda them=asked: server.sql(UNDER_WAY, them) or any(map(mailbox.taken.get, them)), PATIENCE_SECONDS)
                time.sleep(random.uniform(0, LONGEST_WAIT))
                worker.kill()
            print(f"{number + 1:>3}/{runs} kills, {len(mailbox.taken)} of {(number + 1) * MAILS} arrived so far", flush=True)
        with place.worker(SMTP_URL=url):
            deadline = time.monotonic() + PATIENCE_SECONDS
            while server.sql("SELECT 1 FROM tasks WHERE name = 'auth.mail_password_reset'") and time.monotonic() < deadline:
                time.sleep(0.1)
        return people, mailbox


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help="kills")
    people, mailbox = play(parser.parse_args().runs)
    lost = [email for email in people if not mailbox.taken[email]]
    twice = [email for email in people if len(mailbox.taken[email]) > 1]
    untold = [email for email in twice if len(set(mailbox.taken[email])) > 1]
    print(f"{len(people)} mails: {len(lost)} lost, {len(twice)} more than once, {len(untold)} of those not told by their id")
    return 1 if lost or untold else 0


if __name__ == "__main__":
    sys.exit(main())
