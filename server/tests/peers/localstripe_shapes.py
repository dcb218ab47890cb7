"""Holds the embedded Stripe's answers against another one's that nobody here wrote: python localstripe_shapes.py PYTHON

PYTHON is the interpreter of an environment with `localstripe`, which runs as a process of its own: its licence is the GPL's.
"""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
from server_fixtures import open_folder

from harness import running_server, wait_for
from stripe_world import receiving, running_stripe
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres

SERVE = """
import sys
from aiohttp import web
from localstripe.server import app
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
CARD = {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2040", "card[cvc]": "123"}
Send = Callable[..., Any]


def answers(send: Send) -> dict[str, Any]:
    """The same calls at either, by what they answer."""
    found = {"customer": send("/v1/customers", email="ada@example.com"), "payment_method": send("/v1/payment_methods", **CARD)}
    customer, method = found["customer"]["id"], found["payment_method"]["id"]
    send(f"/v1/payment_methods/{method}/attach", customer=customer)
    payment = {
        "amount": 1000,
        "currency": "usd",
        "customer": customer,
        "payment_method": method,
        "payment_method_types[]": "card",
    }
    found["payment_intent"] = send("/v1/payment_intents", **payment, confirm="true")
    found["refund"] = send("/v1/refunds", payment_intent=found["payment_intent"]["id"], amount=100)
    found["product"] = send("/v1/products", name="Premium", type="service")
    return found


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def localstripe(python: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([python, "-c", SERVE, str(port)])
    try:
        wait_for(lambda: listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def sender(base_url: str, key: str) -> Send:
    def send(path: str, **form: Any) -> Any:
        answer = httpx.post(base_url + path, data=form, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    return send


def main(python: str) -> None:
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres(stack.enter_context(open_folder())))
        server = stack.enter_context(running_server(postgres.url))
        embedded = stack.enter_context(running_stripe(server, stack.enter_context(receiving())))
        ours = answers(sender(embedded.base_url, embedded.app.secret_key))
        theirs = answers(sender(stack.enter_context(localstripe(python)), "sk_test_any"))
        for name, found in ours.items():
            print(f"{name}: only here {sorted(found.keys() - theirs[name].keys())}")
            print(f"{name}: only there {sorted(theirs[name].keys() - found.keys())}")


if __name__ == "__main__":
    main(sys.argv[1])
