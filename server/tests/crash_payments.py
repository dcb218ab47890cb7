"""Kill -9 of the server in the middle of a checkout: every charge has one enrolment, and every enrolment its charge.

Stripe is the embedded one of another server, which lives on. In each run a learner buys a course, and the server is killed a
moment later; Stripe's webhook comes before that, after the next start, or never. At the end the books are reconciled and held
against Stripe's to the cent.
"""

import argparse
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

import httpx
from server_fixtures import open_folder
from stripes import WEBHOOK, as_json, embedded_key, event, sign

from crash import Deployment
from harness import PASSWORD, Server, running_server
from unpuzzle_server.embedded_stripe import keys
from unpuzzle_server.embedded_stripe.app import PREFIX
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.reconciling import reconcile

RUNS = 200
LONGEST_WAIT = 1.2
WEBHOOKS = ("before", "after", "never")
MANY = "1000000"
AT_STRIPE = """
    SELECT i.id, i.data->'metadata'->>'payment_id', i.data->>'status', coalesce(sum((c.data->>'amount')::bigint), 0), count(c.id)
      FROM embedded_stripe.objects i
      LEFT JOIN embedded_stripe.objects c
             ON c.kind = 'charge' AND c.data->>'payment_intent' = i.id AND c.data->>'status' = 'succeeded'
     WHERE i.kind = 'payment_intent' GROUP BY i.id, i.data
"""
HERE = """
    SELECT p.id::text, p.status, p.amount_minor, count(e.id)
      FROM payments p LEFT JOIN enrollments e ON e.user_id = p.user_id AND e.course_id = p.course_id AND e.status = 'active'
     GROUP BY p.id
"""


@dataclass
class Books:
    """What went wrong, by sentence."""

    faults: list[str]
    charges: int
    cents: int


class Shop:
    """The server that is killed, with a course to sell."""

    def __init__(self, deployment: Deployment, stripe: Server) -> None:
        self.deployment = deployment
        self.stripe = stripe

    def post(self, path: str, token: str = "", **kwargs: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.post(self.deployment.base_url + path, headers={**headers, **kwargs.pop("headers", {})}, timeout=30, **kwargs)

    def sign_up(self) -> str:
        body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "full_name": "Ada"}
        token: str = self.post("/api/v1/auth/signup/", json=body).json()["access_token"]
        return token

    def open(self) -> str:
        """Makes the course."""
        token = self.sign_up()
        self.deployment.sql("UPDATE users SET roles = '{student,instructor}'")
        category = self.deployment.sql("INSERT INTO categories (name, slug) VALUES ('A', 'a') RETURNING id::text")[0][0]
        draft = {"title": "Sold", "description": "x", "price": 20, "category_id": category}
        course = self.post("/api/v1/instructor/courses/create/", token, json=draft).json()["id"]
        section = self.post(f"/api/v1/content/courses/{course}/sections/", token, json={"title": "One", "is_published": True})
        self.post(f"/api/v1/content/sections/{section.json()['id']}/lessons/", token, json={"title": "One", "body": "<p>x</p>"})
        self.post(f"/api/v1/instructor/courses/{course}/publish/", token).raise_for_status()
        return str(course)

    def tell(self) -> None:
        """The events of everything that was paid; whoever is away does not hear them."""
        for intent, _, status, *_ in self.stripe.sql(AT_STRIPE):
            if status == "succeeded":
                body = as_json(event("payment_intent.succeeded", {"id": intent}, f"evt_{intent}_{uuid4().hex}"))
                headers = {"Stripe-Signature": sign(self.stripe.settings.secret_key, body), "Content-Type": "application/json"}
                with suppress(httpx.HTTPError):
                    self.post(WEBHOOK, content=body, headers=headers)


@contextmanager
def shop() -> Iterator[Shop]:
    with (
        open_folder() as there,
        EmbeddedPostgres(there) as postgres,
        running_server(postgres.url) as stripe,
        open_folder() as here,
    ):
        key = embedded_key(stripe.settings.secret_key)
        os.environ |= {
            "STRIPE_API_KEY": keys.secret_key(key),
            "STRIPE_API_BASE": stripe.base_url + PREFIX,
            "STRIPE_WEBHOOK_SECRETS": keys.webhook_secret(key),
            "PASSWORD_MEMORY_KIB": "8",
            "PASSWORD_PASSES": "1",
            **{f"RATE_LIMIT_{name}": MANY for name in ("ANONYMOUS", "AUTHENTICATED", "SIGN_UP", "SIGN_IN")},
        }
        found = Shop(Deployment(here / "data", None), stripe)
        found.deployment.start()
        try:
            yield found
        finally:
            found.deployment.stop()


def buy_and_die(place: Shop, course: str, webhook: str) -> None:
    token = place.sign_up()

    def buying() -> None:
        with suppress(httpx.HTTPError):
            place.post(f"/api/v1/courses/{course}/enroll/", token, json={"payment_method_id": "pm_card_visa"})

    buyer = threading.Thread(target=buying)
    buyer.start()
    time.sleep(random.uniform(0, LONGEST_WAIT))
    if webhook == "before":
        place.tell()
    place.deployment.kill("server")  # and starts it anew
    buyer.join()
    if webhook == "after":
        place.tell()


def books(place: Shop) -> Books:
    here = {payment: row for payment, *row in place.deployment.sql(HERE)}
    faults, charges, cents = [], 0, 0
    for intent, payment, status, amount, charged in place.stripe.sql(AT_STRIPE):
        stands, wanted, enrolled = here.pop(payment, ("none", 0, 0))
        charges, cents = charges + charged, cents + int(amount)
        if charged > 1 or enrolled != charged or (stands == "succeeded") != (status == "succeeded"):
            faults.append(f"{intent}: {charged} charges, {enrolled} enrolments, {status} there and {stands} here")
        if charged and amount != wanted:
            faults.append(f"{intent}: {amount} cents there, {wanted} here")
    faults += [f"{payment}: {row[2]} enrolments without a charge" for payment, row in here.items() if row[2]]
    return Books(faults, charges, cents)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help="kills")
    runs = parser.parse_args().runs
    with shop() as place:
        course = place.open()
        for number, webhook in enumerate(islice(cycle(WEBHOOKS), runs), 1):
            buy_and_die(place, course, webhook)
            before = books(place)
            half = f"{before.charges} charges so far, {len(before.faults)} not yet followed"
            print(f"{number:>3}/{runs} kills, webhook {webhook:<6} {half}", flush=True)
        print(reconcile(place.deployment.data_dir, Settings.from_environment(), 1))
        found = books(place)
    for fault in found.faults:
        print(fault)
    print(f"{runs} kills: {found.charges} charges, {found.cents / 100:.2f} USD, {len(found.faults)} faults")
    return 1 if found.faults or not found.charges else 0


if __name__ == "__main__":
    sys.exit(main())
