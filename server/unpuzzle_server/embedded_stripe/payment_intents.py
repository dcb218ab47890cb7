"""Payment intents: from what is to be paid to that it is, with the bank's questions and refusals in between."""

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from unpuzzle_server.embedded_stripe import charges, currencies, payment_methods
from unpuzzle_server.embedded_stripe.cards import NEEDED, ON_SESSION, UNLESS_SET_UP
from unpuzzle_server.embedded_stripe.customers import not_attached
from unpuzzle_server.embedded_stripe.errors import Declined, StripeError, no_such
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import Object, Store, new_id, secret, shown

URL = "/v1/payment_intents"
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
UPDATABLE = CONFIRMABLE
CONFIRMING = ("return_url", "off_session", "error_on_requires_action", "use_stripe_sdk", "mandate_data")
FIELDS = (
    "amount", "currency", "customer", "payment_method", "metadata", "description", "receipt_email", "setup_future_usage",
    "payment_method_types", "statement_descriptor", "statement_descriptor_suffix",
)  # fmt: skip
REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
UNEXPECTED = "payment_intent_unexpected_state"
SETTLED: list[Callable[[Store, Object], Awaitable[None]]] = []
"""Who else has to know how an attempt went that the payer made."""


async def create(store: Store, form: Form) -> Object:
    form.only(*FIELDS, *CONFIRMING, "confirm", "automatic_payment_methods", "capture_method", "confirmation_method")
    form.choice("capture_method", ("automatic", "automatic_async"))
    form.choice("confirmation_method", ("automatic",))
    form.need("amount")
    currency = currencies.currency(form)
    confirm = form.boolean("confirm")
    if not confirm and (early := next((name for name in CONFIRMING if name in form), None)):
        message = f"You can only provide `{early}` when creating and confirming in the same request (with `confirm=true`)."
        raise StripeError(message, param=early)
    intent = new(store, currencies.amount(form, currency), currency)
    intent["automatic_payment_methods"] = _automatic(form)
    await _apply(store, form, intent)
    await store.emit("payment_intent.created", await store.add(intent))
    return await _confirm(store, form, intent) if confirm else intent


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only("client_secret")
    return _proven(form, await store.get("payment_intent", object_id, "intent"))


async def update(store: Store, form: Form, object_id: str) -> Object:
    form.only(*FIELDS)
    intent = await _locked(store, object_id)
    if intent["status"] not in UPDATABLE:
        message = f"This PaymentIntent's {next(iter(form.fields), 'fields')} could not be updated because it has a status of"
        raise _unexpected(
            intent, f"{message} {intent['status']}. You may only update the fields of a PaymentIntent that is open."
        )
    if "_invoice" in intent and (fixed := [name for name in ("amount", "currency", "customer") if name in form]):
        raise StripeError(f"The {fixed[0]} of a PaymentIntent that an invoice has made can't be changed.", param=fixed[0])
    await _apply(store, form, intent)
    return await store.save(intent)


async def confirm(store: Store, form: Form, object_id: str) -> Object:
    form.only(*CONFIRMING, "payment_method", "receipt_email", "setup_future_usage", "payment_method_types", "client_secret")
    intent = _proven(form, await _locked(store, object_id))
    if intent["status"] not in CONFIRMABLE:
        already = "it has already succeeded after being previously confirmed" if intent["status"] == "succeeded" else (
            f"it has a status of {intent['status']}. Only a PaymentIntent with one of the following statuses may be confirmed:"
            " requires_confirmation, requires_action"
        )  # fmt: skip
        raise _unexpected(intent, f"You cannot confirm this PaymentIntent because {already}.")
    await _apply(store, form, intent)
    return await _confirm(store, form, intent)


async def cancel(store: Store, form: Form, object_id: str) -> Object:
    form.only("cancellation_reason")
    reason = form.choice("cancellation_reason", REASONS)
    intent = await _locked(store, object_id)
    if intent["status"] not in CONFIRMABLE:
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent with one"
        )
        statuses = ", ".join(CONFIRMABLE)
        raise _unexpected(intent, f"{message} of the following statuses may be canceled: {statuses}.")
    if "_invoice" in intent:
        raise _unexpected(intent, "A PaymentIntent that an invoice has made is not canceled: void the invoice.")
    return await void(store, intent, reason)


async def page(store: Store, form: Form) -> Object:
    form.only("customer", "created", "limit", "starting_after", "ending_before")
    return await store.page("payment_intent", URL, form, customer=form.text("customer"))


def new(store: Store, amount: int, currency: str) -> Object:
    nothing = (
        "amount_details", "application", "application_fee_amount", "automatic_payment_methods", "canceled_at",
        "cancellation_reason", "customer", "customer_account", "description", "excluded_payment_method_types",
        "last_payment_error", "latest_charge", "next_action", "on_behalf_of", "payment_method",
        "payment_method_configuration_details", "processing", "receipt_email", "review", "setup_future_usage", "shipping",
        "source", "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group",
    )  # fmt: skip
    intent_id = new_id("pi")
    return {
        "id": intent_id,
        "object": "payment_intent",
        **dict.fromkeys(nothing),
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{secret(25)}",
        "confirmation_method": "automatic",
        "created": store.now,
        "currency": currency,
        "livemode": False,
        "metadata": {},
        "payment_details": {"customer_reference": None, "order_reference": None},
        "payment_method_options": {"card": {"installments": None, "mandate_options": None, "network": None,
                                            "request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
    }  # fmt: skip


async def void(store: Store, intent: Object, reason: str | None) -> Object:
    intent.update(status="canceled", canceled_at=store.now, cancellation_reason=reason, next_action=None, _attempt=None)
    await store.emit("payment_intent.canceled", await store.save(intent))
    return intent


async def attempt(store: Store, intent: Object, *, off_session: bool, return_url: str | None, strict: bool = False) -> None:
    """Charges what is set, or asks the card's holder; a refusal is kept and raised."""
    method = await store.get("payment_method", intent["payment_method"], "payment_method", 400, lock=True)
    intent.update(last_payment_error=None, next_action=None, _attempt=None)
    if not _asks(method, off_session):
        await _charge(store, intent, method, authenticated=False)
    elif off_session or strict:
        message = "Your card was declined. This transaction requires authentication."
        refusal = Declined(message, "authentication_required", decline_code="authentication_required")
        await _refused(store, intent, method, refusal, charged=True)
    else:
        await _ask(store, intent, return_url)


async def authenticated(store: Store, intent: Object, success: bool) -> Object:
    """The card's holder has answered the bank."""
    method = await store.get("payment_method", intent["payment_method"], "payment_method", lock=True)
    intent.update(next_action=None, _attempt=None)
    try:
        if success:
            await _charge(store, intent, method, authenticated=True)
        else:
            message = "We are unable to authenticate your payment method. Please choose a different payment method and try again."
            await _refused(store, intent, method, Declined(message, "payment_intent_authentication_failure"), charged=False)
    except Declined:
        pass  # it stands in the payment intent, where whoever sent the payer here looks
    await _settled(store, intent)
    return intent


async def _confirm(store: Store, form: Form, intent: Object) -> Object:
    if intent["payment_method"] is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent"
            " with a payment method and then confirm it again, or confirm it again directly with a payment method or"
            " ConfirmationToken."
        )
        raise _unexpected(intent, message)
    return_url = _return_url(form)
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] == "always" and not return_url and not form.boolean("use_stripe_sdk"):
        raise StripeError(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment"
            " methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept"
            " redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and"
            " `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
        )
    off_session, strict = form.boolean("off_session"), form.boolean("error_on_requires_action")
    try:
        await attempt(store, intent, off_session=off_session, return_url=return_url, strict=strict)
    finally:
        await _settled(store, intent)
    return intent


async def _settled(store: Store, intent: Object) -> None:
    for tell in SETTLED:
        await tell(store, intent)


async def _charge(store: Store, intent: Object, method: Object, *, authenticated: bool) -> None:
    if (card := payment_methods.card_of(method)).decline:
        await _refused(store, intent, method, card.refusal(), charged=True, authenticated=authenticated)
    charge = await charges.record(store, intent, method, None, authenticated=authenticated)
    intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"])
    await _remember(store, intent, method, authenticated)
    await store.emit("payment_intent.succeeded", await store.save(intent))


async def _remember(store: Store, intent: Object, method: Object, authenticated: bool) -> None:
    """A card that is to be used later is kept; one that belongs to nobody is spent."""
    if intent["setup_future_usage"] and intent["customer"] and method["customer"] is None:
        method = await payment_methods.keep(store, method, intent["customer"])
    set_up = method.get("_set_up") or (authenticated and intent["setup_future_usage"] == "off_session")
    await store.save({**method, "_set_up": set_up, "_spent": method["customer"] is None})


async def _refused(
    store: Store, intent: Object, method: Object, refusal: Declined, *, charged: bool, authenticated: bool = False
) -> None:
    """Back to where another payment method is asked for."""
    if charged:
        charge = await charges.record(store, intent, method, refusal, authenticated=authenticated)
        intent["latest_charge"] = refusal.error["charge"] = charge["id"]
    refusal.error["payment_method"] = shown(method)
    intent.update(status="requires_payment_method", payment_method=None, last_payment_error=dict(refusal.error))
    await store.emit("payment_intent.payment_failed", await store.save(intent))
    refusal.error["payment_intent"] = shown(intent)
    refusal.kept = True
    raise refusal


async def _ask(store: Store, intent: Object, return_url: str | None) -> None:
    attempt = secret(40)
    url = f"{store.base_url}/authenticate/{attempt}"
    if return_url:
        action: Object = {"redirect_to_url": {"return_url": return_url, "url": url}, "type": "redirect_to_url"}
    else:
        details = {"source": new_id("src"), "stripe_js": url, "type": "three_d_secure_redirect"}
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": details}
    intent.update(status="requires_action", next_action=action, _attempt=attempt, _return_url=return_url)
    await store.emit("payment_intent.requires_action", await store.save(intent))


def _asks(method: Object, off_session: bool) -> bool:
    asks = payment_methods.card_of(method).asks
    return asks == NEEDED or (asks == UNLESS_SET_UP and not method.get("_set_up")) or (asks == ON_SESSION and not off_session)


async def _apply(store: Store, form: Form, intent: Object) -> None:
    """The fields that creating, updating and confirming have in common."""
    if "currency" in form:
        intent["currency"] = currencies.currency(form)
    if "amount" in form:
        intent["amount"] = currencies.amount(form, intent["currency"])
    for name in ("description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix"):
        intent[name] = form.text(name) if name in form else intent[name]
    if "setup_future_usage" in form:
        intent["setup_future_usage"] = form.choice("setup_future_usage", ("off_session", "on_session"))
    if "payment_method_types" in form:
        _check_types(form)
        intent["automatic_payment_methods"] = None
    intent["metadata"] = form.metadata(intent["metadata"])
    if customer := await store.named(form, "customer", "customer"):
        intent["customer"] = customer["id"]
    if method_id := form.text("payment_method"):
        await take(store, intent, await payment_methods.resolve(store, method_id, "payment_method"))


async def take(store: Store, intent: Object, method: Object) -> None:
    owner = method["customer"]
    if owner and not intent["customer"]:
        raise StripeError(
            f"The PaymentMethod {method['id']} belongs to a Customer {owner}. Please include the Customer in the `customer`"
            " parameter on the PaymentIntent.",
            param="payment_method",
        )
    if owner and owner != intent["customer"]:
        raise not_attached(method["id"], "payment_method")
    if method.get("_spent"):
        raise StripeError(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a"
            " connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use a"
            " PaymentMethod multiple times, you must attach it to a Customer first."
        )
    intent["payment_method"] = method["id"]
    if intent["status"] in ("requires_payment_method", "requires_action"):
        intent.update(status="requires_confirmation", next_action=None, _attempt=None)


def _automatic(form: Form) -> Object | None:
    given = form.part("automatic_payment_methods")
    given.only("enabled", "allow_redirects")
    if "payment_method_types" in form:
        if given.boolean("enabled"):
            message = "You may only specify one of these parameters: automatic_payment_methods, payment_method_types."
            raise StripeError(message)
        return None
    if given and not given.boolean("enabled"):
        return None
    return {"allow_redirects": given.choice("allow_redirects", ("always", "never"), "always"), "enabled": True}


def _check_types(form: Form) -> None:
    if unknown := [kind for kind in form.texts("payment_method_types") if kind != "card"]:
        raise StripeError(
            f'The payment method type "{unknown[0]}" is invalid. Please ensure the provided type is activated in your dashboard'
            " (https://dashboard.stripe.com/account/payments/settings) and your account is enabled for any preview features that"
            " you are trying to use.",
            "payment_intent_invalid_parameter",
            "payment_method_types",
        )


def _return_url(form: Form) -> str | None:
    url = form.text("return_url")
    if url and not (urlsplit(url).scheme and (urlsplit(url).netloc or urlsplit(url).path)):
        raise StripeError("Not a valid URL", "url_invalid", "return_url")
    return url


def _proven(form: Form, intent: Object) -> Object:
    """Who has no secret key shows the intent's own secret instead."""
    given = form.text("client_secret")
    if given is not None and not hmac.compare_digest(given.encode(), intent["client_secret"].encode()):
        raise no_such("payment_intent", intent["id"], "intent", 404)
    return intent


async def _locked(store: Store, intent_id: str) -> Object:
    return await store.get("payment_intent", intent_id, "intent", lock=True)


def _unexpected(intent: Object, message: str) -> StripeError:
    return StripeError(message, UNEXPECTED, payment_intent=shown(intent))


ROUTES = {
    f"POST {URL}": create,
    f"GET {URL}": page,
    f"GET {URL}/{{object_id}}": retrieve,
    f"POST {URL}/{{object_id}}": update,
    f"POST {URL}/{{object_id}}/confirm": confirm,
    f"POST {URL}/{{object_id}}/cancel": cancel,
}
