"""Stripe: its accounts' own, or the embedded one, by the same calls. The only file that imports `stripe`."""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from unpuzzle_server.kernel.errors import Problem

log = logging.getLogger(__name__)
API_VERSION = "2026-10-28.endive"
TIMEOUT_SECONDS = 20
RETRIES = 2
"""Of what failed on its way; each call that changes something has a key, so that it is done once."""
TOLERANCE = timedelta(minutes=5)
AGAIN_SECONDS = 5
TOO_LITTLE_OR_MUCH = {"amount_too_small", "amount_too_large"}


@dataclass(frozen=True)
class Intent:
    """A payment intent, as far as it matters here."""

    id: str
    status: str
    """As in `PaymentStatus`."""
    payment: str | None
    """Which payment of ours it is of."""
    client_secret: str = field(repr=False)
    next_action_url: str | None
    decline_code: str | None
    receipt_url: str | None
    refunded_minor: int


@dataclass(frozen=True)
class Refunded:
    id: str
    status: str


class Declined(Exception):
    """A card was refused, for now or for good."""

    def __init__(self, message: str, decline_code: str | None) -> None:
        super().__init__(message)
        self.message = message
        self.decline_code = decline_code


class AlreadyDone(Exception):
    """What was asked about is not in a state for this any more: somebody else was faster."""


@dataclass(frozen=True)
class Stripe:
    """The client of one deployment. Every call raises SERVICE_UNAVAILABLE when Stripe can't be reached."""

    api_key: str = field(repr=False)
    api_base: str
    """Empty for Stripe's own."""
    publishable_key: str | None
    public_base: str
    """Where clients reach the same API."""
    webhook_secrets: tuple[str, ...] = field(repr=False)
    is_embedded: bool

    @cached_property
    def _http(self) -> Any:
        import stripe

        return stripe.HTTPXClient(timeout=TIMEOUT_SECONDS)

    @cached_property
    def v1(self) -> Any:
        """The library's services, to be called `with told():`. Made late: to import it takes a third of a second."""
        import stripe

        client = stripe.StripeClient(
            self.api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": self.api_base} if self.api_base else None,
            max_network_retries=RETRIES,
            http_client=self._http,
        )
        return client.v1

    async def close(self) -> None:
        if "_http" in vars(self):
            await self._http.close_async()

    async def create_intent(self, payment: str, amount_minor: int, currency: str, description: str) -> Intent:
        """Once for each payment, however often it is asked for within a day."""
        params = {
            "amount": amount_minor,
            "currency": currency.lower(),
            "description": description,
            "metadata": {"payment_id": payment},
            "payment_method_types": ["card"],
        }
        with told():
            made = await self.v1.payment_intents.create_async(params, {"idempotency_key": f"intent-{payment}"})
        return intent_of(made)

    async def get_intent(self, intent_id: str) -> Intent:
        with told():
            return intent_of(await self.v1.payment_intents.retrieve_async(intent_id, {"expand": ["latest_charge"]}))

    async def confirm(self, intent_id: str, method: str, return_url: str | None, attempt: str) -> Intent:
        """Raises Declined, or AlreadyDone."""
        params = {"payment_method": method, "expand": ["latest_charge"], **({"return_url": return_url} if return_url else {})}
        with told():
            confirmed = await self.v1.payment_intents.confirm_async(intent_id, params, {"idempotency_key": attempt})
        return intent_of(confirmed)

    async def cancel(self, intent_id: str) -> Intent:
        """Raises AlreadyDone."""
        with told():
            canceled = await self.v1.payment_intents.cancel_async(
                intent_id, {"expand": ["latest_charge"]}, {"idempotency_key": f"cancel-{intent_id}"}
            )
        return intent_of(canceled)

    async def refund(self, refund: str, intent_id: str, amount_minor: int, reason: str | None) -> Refunded:
        """Once for each refund of ours."""
        params = {
            "payment_intent": intent_id,
            "amount": amount_minor,
            "metadata": {"refund_id": refund},
            **({"reason": reason} if reason else {}),
        }
        with told():
            made = await self.v1.refunds.create_async(params, {"idempotency_key": f"refund-{refund}"})
        return Refunded(made.id, made.status or "pending")

    async def intents_since(self, since: datetime) -> AsyncIterator[Intent]:
        """The payment intents that were made since then, the newest first."""
        params = {"created": {"gte": int(since.timestamp())}, "limit": 100, "expand": ["data.latest_charge"]}
        with told():
            page = await self.v1.payment_intents.list_async(params)
            async for found in page.auto_paging_iter():
                yield intent_of(found)

    def check_signature(self, payload: bytes, header: str, now: datetime) -> None:
        """Raises INVALID_SIGNATURE unless one of the secrets has signed the payload within five minutes."""
        from stripe import SignatureVerificationError, WebhookSignature

        sent = re.search(r"(?:^|,)t=([0-9]{1,12})(?:,|$)", header)
        if sent and abs(now.timestamp() - int(sent[1])) <= TOLERANCE.total_seconds():
            for secret in self.webhook_secrets:
                try:
                    if WebhookSignature.verify_header(payload.decode(), header, secret, None):
                        return
                except (SignatureVerificationError, UnicodeDecodeError):
                    continue
        raise Problem("INVALID_SIGNATURE", "The signature is missing, wrong, or too old.")


def intent_of(found: Any) -> Intent:
    """A payment intent of the library's, as it matters here."""
    charge = found.latest_charge if not isinstance(found.latest_charge, str) else None
    error, action = found.last_payment_error, found.next_action
    redirect = getattr(action, "redirect_to_url", None) if action else None
    declined = error and found.status == "requires_payment_method"
    return Intent(
        id=found.id,
        status="failed" if declined else _status(found.status),
        payment=found.metadata.to_dict().get("payment_id"),
        client_secret=found.client_secret,
        next_action_url=redirect.url if redirect else None,
        decline_code=(getattr(error, "decline_code", None) or error.code) if declined else None,
        receipt_url=getattr(charge, "receipt_url", None) if found.status == "succeeded" else None,
        refunded_minor=charge.amount_refunded if charge else 0,
    )


def named_by(metadata: str | None) -> UUID | None:
    """An id of ours in the metadata of an object; others than ours may say anything there."""
    try:
        return UUID(metadata) if metadata else None
    except ValueError:
        return None


def subscription_of(kind: str, about: dict[str, Any]) -> str | None:
    """The subscription that an event is about: as itself, or as that of an invoice, wherever its version of the API has it."""
    if kind.startswith("customer.subscription."):
        named = about.get("id")
    elif kind.startswith("invoice."):
        details = (about.get("parent") or {}).get("subscription_details") or {}
        named = details.get("subscription") or about.get("subscription")
    else:
        named = None
    return named if isinstance(named, str) else None


def _status(told: str) -> str:
    return "requires_payment_method" if told == "requires_confirmation" else told


@contextmanager
def told(*, of_method: bool = False, raced: bool = False) -> Any:
    """What Stripe refuses, in words of ours; a fault of ours stays one.

    `of_method`: all that it refuses is the method. `raced`: all that it refuses is what somebody else was faster with.
    """
    import stripe

    try:
        yield
    except stripe.CardError as error:
        raise Declined(
            error.user_message or "Your card was declined.", getattr(error.error, "decline_code", None) or error.code
        ) from None
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.AuthenticationError, stripe.PermissionError) as error:
        raise _unavailable(error) from None
    except stripe.InvalidRequestError as error:
        raise (AlreadyDone(error.code) if raced else _bad_method(error) if of_method else _refusal(error)) from None
    except stripe.APIError as error:
        raise _unavailable(error) from None


def _unavailable(error: Any) -> Problem:
    """Its message stays here, which may quote a key."""
    log.warning("Stripe is not available", extra={"error": type(error).__name__, "status": error.http_status, "code": error.code})
    return Problem("SERVICE_UNAVAILABLE", "Payments are not available now.", retry_after=AGAIN_SECONDS)


def _refusal(error: Any) -> Exception:
    if error.code in ("payment_intent_unexpected_state", "charge_already_refunded"):
        return AlreadyDone(error.code)
    if error.code in TOO_LITTLE_OR_MUCH:
        return Problem("CONFLICT", "Stripe charges no amount that is so small or so large.")
    if error.param in ("payment_method", "return_url") or (error.code or "").startswith("payment_method"):
        return _bad_method(error)
    return error  # type: ignore[no-any-return]


def _bad_method(error: Any) -> Declined:
    """No card was asked, so Stripe's words are for those who call it, not for who pays."""
    refused = "return_url" if error.param == "return_url" else "payment method"
    return Declined(f"This {refused} can't be used.", error.code)
