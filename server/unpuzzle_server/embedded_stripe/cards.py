"""Stripe's test cards: what each is called, its number, and what happens when it is charged."""

from dataclasses import dataclass

from unpuzzle_server.embedded_stripe.errors import Declined

DECLINED = "Your card was declined."
DECLINES: dict[str, tuple[str, str | None, str]] = {
    "Declined": ("card_declined", "generic_decline", DECLINED),
    "DeclinedInsufficientFunds": ("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "DeclinedLostCard": ("card_declined", "lost_card", DECLINED),
    "DeclinedStolenCard": ("card_declined", "stolen_card", DECLINED),
    "DeclinedExpiredCard": ("expired_card", None, "Your card has expired."),
    "DeclinedIncorrectCvc": ("incorrect_cvc", None, "Your card's security code is incorrect."),
    "DeclinedProcessingError": (
        "processing_error",
        None,
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "DeclinedFraudulent": ("card_declined", "fraudulent", DECLINED),
    "DeclinedFraudulentDecline": ("card_declined", "fraudulent", DECLINED),
    "DeclinedVelocityLimitExceeded": (
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
}
"""Code, decline code and message by the end of a test card's name."""
NEEDED, UNLESS_SET_UP, ON_SESSION = "needed", "unless set up", "on session"
"""When a card asks its holder: each time, until it was set up for later, or only while the holder is there."""


@dataclass(frozen=True)
class Card:
    number: str
    brand: str = "visa"
    decline: str = ""
    """Of DECLINES."""
    attaches: bool = True
    """Whether a customer may keep it; it is looked at when it is attached."""
    asks: str = ""
    funding: str = "credit"

    @property
    def last4(self) -> str:
        return self.number[-4:]

    def refusal(self, param: str | None = None) -> Declined:
        code, decline_code, message = DECLINES[self.decline]
        return Declined(message, code, param, decline_code=decline_code)


def _declining(name: str, number: str) -> dict[str, Card]:
    card = Card(number, decline=name, attaches=False)
    return {f"charge{name}": card, f"visa_charge{name}": card}


CARDS: dict[str, Card] = {
    "visa": Card("4242424242424242"),
    "visa_debit": Card("4000056655665556", funding="debit"),
    "mastercard": Card("5555555555554444", "mastercard"),
    "mastercard_debit": Card("5200828282828210", "mastercard", funding="debit"),
    "mastercard_prepaid": Card("5105105105105100", "mastercard", funding="prepaid"),
    "amex": Card("378282246310005", "amex"),
    "discover": Card("6011111111111117", "discover"),
    "diners": Card("3056930009020004", "diners"),
    "jcb": Card("3566002020360505", "jcb"),
    "unionpay": Card("6200000000000005", "unionpay"),
    **_declining("Declined", "4000000000000002"),
    **_declining("DeclinedInsufficientFunds", "4000000000009995"),
    **_declining("DeclinedLostCard", "4000000000009987"),
    **_declining("DeclinedStolenCard", "4000000000009979"),
    **_declining("DeclinedExpiredCard", "4000000000000069"),
    **_declining("DeclinedIncorrectCvc", "4000000000000127"),
    **_declining("DeclinedProcessingError", "4000000000000119"),
    **_declining("DeclinedFraudulent", "4100000000000019"),
    **_declining("DeclinedFraudulentDecline", "4100000000000019"),
    **_declining("DeclinedVelocityLimitExceeded", "4000000000006975"),
    "radarBlock": Card("4100000000000019", decline="DeclinedFraudulent", attaches=False),
    "chargeCustomerFail": Card("4000000000000341", decline="Declined"),
    "createDispute": Card("4000000000000259"),
    "authenticationRequired": Card("4000002760003184", asks=NEEDED),
    "authenticationRequiredOnSetup": Card("4000002500003155", asks=UNLESS_SET_UP),
    "authenticationRequiredSetupForOffSession": Card("4000003800000446", asks=ON_SESSION),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "4000008260003178", decline="DeclinedInsufficientFunds", asks=NEEDED
    ),
    "threeDSecure2Required": Card("4000000000003220", asks=NEEDED),
    "threeDSecureRequired": Card("4000000000003063", asks=NEEDED),
    "threeDSecureRequiredChargeDeclined": Card("4000008400001629", decline="Declined", asks=NEEDED),
    "threeDSecureOptional": Card("4000000000003055"),
}
BY_NUMBER = {card.number: name for name, card in reversed(CARDS.items())}


def name_of_number(number: str) -> str:
    """What a number's card is called; numbers of cards that could be real are refused, as in test mode."""
    digits = number.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19 and _luhn(digits)):
        raise Declined("Your card number is incorrect.", "incorrect_number", "number")
    if digits not in BY_NUMBER:
        message = (
            "Your card was declined. Your request was in test mode, but used a non test (live) card. For a list of valid test"
        )
        more = " cards, visit: https://stripe.com/docs/testing."
        raise Declined(message + more, "card_declined", "number", decline_code="test_mode_live_card")
    return BY_NUMBER[digits]


def _luhn(digits: str) -> bool:
    doubled = (int(digit) * (2 if at % 2 else 1) for at, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
