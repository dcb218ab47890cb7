"""Any life of a subscription: whatever its owner, Stripe and time do, in whatever order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from stripes import client
from subscribers import FAILING, Subscriber

from harness import Api, Server

LEGAL = {
    "none": {"incomplete", "active", "trialing"},
    "incomplete": {"active", "trialing", "incomplete_expired", "canceled", "past_due"},
    "trialing": {"active", "past_due", "canceled"},
    "active": {"past_due", "canceled"},
    "past_due": {"active", "canceled"},
    "canceled": set(),
    "incomplete_expired": set(),
}
PLANS = st.sampled_from(["premium", "enterprise"])
INTERVALS = st.sampled_from(["month", "year"])
METHODS = st.sampled_from(["pm_card_visa", FAILING, "pm_card_chargeDeclined"])


class Life(RuleBasedStateMachine):
    server: ClassVar[Server]

    def __init__(self) -> None:
        super().__init__()
        self.api = Api(self.server)
        self.subscriber = Subscriber(self.api.sign_up())
        self.seen: dict[str, str] = {}

    def teardown(self) -> None:
        self.api.client.close()

    @rule(plan=PLANS, interval=INTERVALS, method=METHODS, trial=st.booleans())
    def subscribe(self, plan: str, interval: str, method: str, trial: bool) -> None:
        answer = self.subscriber.subscribe(plan, method, interval=interval, trial=trial)
        assert answer.status_code in (201, 402, 409)

    @rule(plan=PLANS, interval=INTERVALS)
    def change(self, plan: str, interval: str) -> None:
        assert self.subscriber.change(plan, interval=interval).status_code in (200, 402, 409)

    @rule()
    def cancel(self) -> None:
        assert self.subscriber.cancel().status_code in (200, 409)

    @rule()
    def resume(self) -> None:
        assert self.subscriber.resume().status_code in (200, 409)

    @rule(method=METHODS)
    def pay_with(self, method: str) -> None:
        assert self.subscriber.pay_with(method).status_code in (200, 402, 409)

    @rule(days=st.sampled_from([1, 4, 15, 31, 366]))
    def pass_time(self, days: int) -> None:
        self.subscriber.pass_time(days=days)
        self.subscriber.advance()

    @rule(backwards=st.booleans(), most=st.integers(1, 4))
    def hear(self, backwards: bool, most: int) -> None:
        events = self.subscriber.waiting()
        self.subscriber.hear((events[::-1] if backwards else events)[:most])

    @invariant()
    def states_follow_each_other_as_they_may(self) -> None:
        statement = "SELECT id::text, status FROM subscriptions WHERE user_id = %s"
        for row, status in self.server.sql(statement, self.subscriber.person.id):
            was = self.seen.get(row, "none")
            assert status == was or self._leads(was, status, set()), f"{was} → {status}"
            self.seen[row] = status

    def _leads(self, was: str, status: str, passed: set[str]) -> bool:
        """Whether there is a way: what happened between two words of Stripe's was not seen."""
        following = LEGAL[was] - passed
        return status in following or any(self._leads(step, status, passed | following) for step in following)

    @invariant()
    def nobody_has_two(self) -> None:
        found = self.server.sql("SELECT customer FROM stripe_customers WHERE user_id = %s", self.subscriber.person.id)
        for (customer,) in found:
            live = client(self.server).subscriptions.list({"customer": customer}).data
            assert len([item for item in live if item.status in ("active", "trialing", "past_due")]) <= 1

    def money_is_conserved(self) -> None:
        """When everything was heard: what was charged is what invoices say, and the plan is what was paid for."""
        self.subscriber.advance()
        self.subscriber.hear()
        paid = sum(round(invoice["amount_paid"] * 100) for invoice in self.subscriber.invoices())
        assert paid == self.subscriber.charged()
        current = self.subscriber.current()
        has_one = current["subscription_id"] is not None and current["status"] in ("active", "trialing", "past_due")
        assert current["plan"] == (current["subscribed_plan"] if has_one else "free")
        assert self.subscriber.plan()[0] == current["plan"]


@contextmanager
def lives_on(server: Server) -> Iterator[Any]:
    class Here(Life):
        def teardown(self) -> None:
            self.money_is_conserved()
            super().teardown()

    Here.server = server
    yield Here


@pytest.mark.timeout(300)
def test_no_life_is_illegal_and_no_money_is_lost(travelling: Server) -> None:
    few = settings(
        max_examples=6,
        stateful_step_count=12,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with lives_on(travelling) as life:
        run_state_machine_as_test(life, settings=few)
