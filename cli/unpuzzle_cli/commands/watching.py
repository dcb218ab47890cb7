"""What is followed: a payment to its end, and notifications as they happen."""

import time
from typing import Annotated

import typer

from unpuzzle_cli import console, runner
from unpuzzle_cli.errors import STOPS, CommandError, stopped
from unpuzzle_cli.session import Choice

FOLLOWED_SECONDS = 2
AT_ITS_END = {"succeeded", "partially_refunded", "refunded", "failed", "canceled"}
"""How a payment ends."""


def watch(
    context: typer.Context,
    payment_id: Annotated[str, typer.Argument(help="The payment, pay_… or pi_….", show_default=False)],
    timeout: Annotated[int, typer.Option(help="Seconds to wait at most.", min=1)] = 600,
) -> None:
    """Follow a payment to its end, a line for each change.

    It ends with 0 when the payment has succeeded, with 1 when it has failed, was cancelled, or takes too long.
    """
    try:
        _watched(context, payment_id, time.monotonic() + timeout)
    except STOPS as stop:
        hint = f"Go on: unpuzzle payments watch {payment_id}"
        raise stopped(stop, "Stopped looking on. The payment goes on by itself.", hint) from None


def _watched(context: typer.Context, payment_id: str, until: float) -> None:
    told = ""
    with Choice.of(context).client() as client:
        while True:
            payment = client.payments.get_intent(payment_id)
            if payment.status != told:
                told = payment.status
                console.say(f"{payment.payment_id}\t{told}\t{console.in_json(payment.amount)} {payment.currency}")
                if payment.next_action_url:
                    console.talk(f"The holder of the card authenticates here: {payment.next_action_url}")
            if told in AT_ITS_END:
                break
            if time.monotonic() > until:
                raise CommandError(f"The payment is still {told}.", f"Go on: unpuzzle payments watch {payment_id}")
            time.sleep(FOLLOWED_SECONDS)
    if told == "failed":
        hint = f"Try another card: unpuzzle payments confirm-intent {payment_id} --payment-method-id pm_…"
        raise CommandError(f"The payment has failed: {payment.decline_code or 'no reason was given'}.", hint)
    if told == "canceled":
        raise CommandError("The payment was cancelled.", "Begin anew: unpuzzle payments create-intent")


def watch_notifications(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="Begin after the event with this id.", show_default=False, metavar="ID")] = "",
) -> None:
    """Show notifications as they happen, until Ctrl-C.

    A connection that is lost comes back, and nothing is missed or shown twice.
    """
    runner.follow(context, "notifications.stream", {"last_event_id": since or None}, columns="created_at,title,message")
