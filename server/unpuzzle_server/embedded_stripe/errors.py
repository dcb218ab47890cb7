"""Stripe's errors, in its words."""

from typing import Any

INVALID = "invalid_request_error"
DOCS = "https://stripe.com/docs/error-codes/"


class StripeError(Exception):
    """A refusal: nothing of what was asked for has happened."""

    def __init__(
        self,
        message: str,
        code: str | None = None,
        param: str | None = None,
        *,
        status: int = 400,
        kind: str = INVALID,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        about = {"code": code, "doc_url": code and DOCS + code.replace("_", "-"), "message": message, "param": param}
        self.error = {"type": kind, **{name: value for name, value in {**about, **more}.items() if value is not None}}

    @property
    def body(self) -> dict[str, Any]:
        return {"error": self.error}


class Declined(StripeError):
    """A card error."""

    kept = False
    """Whether what led to it is: the failed charge, the payment intent that asks for another card, the events."""

    def __init__(self, message: str, code: str | None, param: str | None = None, **more: Any) -> None:
        super().__init__(message, code, param, status=402, kind="card_error", **more)


def missing(name: str) -> StripeError:
    return StripeError(f"Missing required param: {name}.", "parameter_missing", name)


def no_such(kind: str, object_id: str, param: str, status: int) -> StripeError:
    named = "PaymentMethod" if kind == "payment_method" else kind
    return StripeError(f"No such {named}: '{object_id}'", "resource_missing", param, status=status)


def unauthorized(message: str) -> StripeError:
    return StripeError(message, status=401)
