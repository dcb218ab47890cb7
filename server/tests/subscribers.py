"""Subscribers, Stripe's events about them, and time that passes for all."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from stripes import client

from harness import PASSWORD, Api, Person
from postman import Postman

SUBSCRIPTIONS = "/api/v1/subscriptions/"
CURRENT = f"{SUBSCRIPTIONS}current/"
INVOICES = f"{SUBSCRIPTIONS}invoices/"
FAILING = "pm_card_chargeCustomerFail"
"""Can be kept, and is declined whenever it is charged."""
OF_THEIRS = "IN (SELECT customer FROM stripe_customers WHERE user_id = %s)"


@dataclass
class Subscriber:
    """A person, as the shop and as Stripe see them."""

    person: Person

    @property
    def api(self) -> Api:
        return self.person.api

    def current(self) -> dict[str, Any]:
        found: dict[str, Any] = self.person.get(CURRENT).json()
        return found

    def plan(self) -> tuple[str, int | None]:
        """As the profile shows it."""
        shown = self.person.get("/api/v1/auth/profile/").json()["subscription"]
        return shown["plan"], shown["ai_limit"]

    def subscribe(self, plan: str = "premium", method: str = "pm_card_visa", **more: Any) -> httpx.Response:
        answer: httpx.Response = self.person.post(SUBSCRIPTIONS, json={"plan": plan, "payment_method_id": method, **more})
        return answer

    def change(self, plan: str, **more: Any) -> httpx.Response:
        answer: httpx.Response = self.person.post(f"{CURRENT}change/", json={"plan": plan, **more})
        return answer

    def cancel(self, **why: Any) -> httpx.Response:
        answer: httpx.Response = self.person.post(f"{CURRENT}cancel/", json=why)
        return answer

    def resume(self) -> httpx.Response:
        answer: httpx.Response = self.person.post(f"{CURRENT}resume/")
        return answer

    def pay_with(self, method: str, **more: Any) -> httpx.Response:
        answer: httpx.Response = self.person.put(f"{CURRENT}payment-method/", json={"payment_method_id": method, **more})
        return answer

    def invoices(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.person.get(INVOICES, params={"page_size": 100, **filters}).json()["results"]
        return found

    def charged(self) -> int:
        """The cents of all charges at Stripe that have succeeded."""
        statement = f"""SELECT coalesce(sum((data->>'amount')::int), 0) FROM embedded_stripe.objects
                         WHERE kind = 'charge' AND data->>'status' = 'succeeded' AND data->>'customer' {OF_THEIRS}"""
        return int(self.api.server.sql(statement, self.person.id)[0][0])

    def customer(self) -> str:
        return str(self.api.server.sql("SELECT customer FROM stripe_customers WHERE user_id = %s", self.person.id)[0][0])

    def charges_fail(self) -> None:
        """Their card is declined from now on, whatever it said before."""
        stripe, customer = client(self.api.server), self.customer()
        kept = stripe.payment_methods.attach(FAILING, {"customer": customer})
        stripe.customers.update(customer, {"invoice_settings": {"default_payment_method": kept.id}})

    def waiting(self) -> list[str]:
        """The events about them that Stripe has not delivered yet, the oldest first."""
        statement = f"""SELECT e.id FROM embedded_stripe.objects e JOIN tasks t ON t.args->>'event_id' = e.id
                         WHERE e.kind = 'event' AND t.name = 'embedded_stripe.deliver'
                           AND e.data->'data'->'object'->>'customer' {OF_THEIRS} ORDER BY e.seq"""
        return [row[0] for row in self.api.server.sql(statement, self.person.id)]

    def hear(self, events: list[str] | None = None) -> None:
        """Stripe delivers its events, all or these, and workers follow them."""
        postman = Postman(self.api.server)
        for event in self.waiting() if events is None else events:
            postman.deliver(event)  # the delivery
            postman.deliver(event)  # what follows from it

    def pass_time(self, **span: float) -> None:
        """For everybody; whoever asks next has to have signed in again."""
        self.api.server.clock.offset += timedelta(**span)
        self.person.tokens = self.api.post("/api/v1/auth/signin/", json={"email": self.person.email, "password": PASSWORD}).json()

    def advance(self) -> None:
        """Stripe looks at how the subscription stands by now."""
        statement = f"SELECT id FROM embedded_stripe.objects WHERE kind = 'subscription' AND data->>'customer' {OF_THEIRS}"
        for (subscription,) in self.api.server.sql(statement, self.person.id):
            client(self.api.server).subscriptions.retrieve(subscription)
