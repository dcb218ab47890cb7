"""The embedded Stripe of all these tests, and somebody who takes its events."""

from collections.abc import Iterator

import pytest
import stripe

from harness import Server
from stripe_world import Embedded, receiving, running_stripe


@pytest.fixture(scope="session")
def running(server: Server) -> Iterator[Embedded]:
    with receiving() as receiver, running_stripe(server, receiver) as found:
        yield found


@pytest.fixture
def embedded(running: Embedded) -> Embedded:
    running.receiver.taken.clear()
    running.receiver.refuses = 0
    running.server.sql("DELETE FROM tasks WHERE name LIKE 'embedded_stripe.%%'")
    return running


@pytest.fixture
def client(embedded: Embedded) -> stripe.StripeClient:
    return embedded.client
