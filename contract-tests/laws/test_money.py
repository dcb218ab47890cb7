"""Money is the same on both sides, to the cent: the law of sums looks at each answer here."""

from uuid import uuid4

from harness import CONTRACT, Api
from world import World

MONEY = ("amount", "currency", "list_price", "refunded_amount", "discount", "receipt_url", "payment_intent_id")


def test_a_refund_is_of_what_was_asked(api: Api) -> None:
    own = World(api)
    assert own.send(CONTRACT.operations["payments.refund"], json={"amount": 10.5}).json()["amount"] == 10.5


def test_money_adds_up_for_buyer_and_seller(api: Api) -> None:
    """A course is bought with a coupon, and a part is given back: the law of sums looks at each of these answers."""
    own, buyer = World(api), api.sign_up()
    bought = {"course_id": own._sold, "coupon_code": own._coupon["code"]}
    payment = buyer.post("/api/v1/payments/intents/", json=bought).json()["payment_id"]
    paid = buyer.post(f"/api/v1/payments/intents/{payment}/confirm/", json={"payment_method_id": "pm_card_visa"}).json()
    assert paid["status"] == "succeeded"
    assert own.owner.post(f"/api/v1/payments/history/{payment}/refund/", json={"amount": 5}).json()["amount"] == 5
    history = buyer.get("/api/v1/payments/history/").json()
    receipt = buyer.get(f"/api/v1/payments/history/{payment}/receipt/").json()
    assert (receipt["discount"]["discount_percentage"], receipt["refunded_amount"]) == (20, 5)
    assert history["total_spent"] == round(receipt["amount"] - 5, 2)
    earned = own.owner.get("/api/v1/instructor/earnings/").json()["totals"]
    assert [(total["gross"], total["refunded"]) for total in earned] == [(receipt["amount"], 5)]
    assert own.owner.get(f"/api/v1/instructor/courses/{own._sold}/analytics/").json()["revenue"]
    five_off = {"code": f"C{uuid4().hex[:10]}", "amount": 5, "currency": "USD"}
    assert own.owner.post("/api/v1/payments/coupons/", json=five_off).json()["percentage"] is None
    quoted = buyer.post(
        "/api/v1/payments/coupons/validate/", json={"course_id": own._sold, "coupon_code": five_off["code"]}
    ).json()
    assert quoted["amount"] == round(quoted["list_price"] - 5, 2)


def test_the_history_says_of_a_payment_what_the_payment_says(api: Api) -> None:
    own = World(api)
    payment = own._paid_payment
    (row,) = [item for item in own.owner.get("/api/v1/payments/history/").json()["results"] if item["payment_id"] == payment]
    for path in (f"/api/v1/payments/history/{payment}/receipt/", f"/api/v1/payments/intents/{payment}/"):
        other = own.owner.get(path).json()
        shared = [name for name in MONEY if name in other and name in row]
        assert [row[name] for name in shared] == [other[name] for name in shared]


def test_a_subscription_costs_what_its_plan_does(api: Api) -> None:
    """Of the offer, the subscription and its invoice each says so."""
    own = World(api)
    assert own._subscribed
    current = own.send(CONTRACT.operations["subscriptions.get_current"]).json()
    plans = own.send(CONTRACT.operations["subscriptions.list_plans"]).json()["results"]
    (offer,) = [plan for plan in plans if plan["plan"] == current["plan"]]
    (price,) = [each for each in offer["prices"] if each["interval"] == current["interval"]]
    assert current["price"] == {name: price[name] for name in ("amount", "currency")}
    (invoice,) = own.send(CONTRACT.operations["subscriptions.list_invoices"]).json()["results"]
    assert (invoice["total"], invoice["amount_paid"], invoice["currency"]) == (price["amount"],) * 2 + (price["currency"],)
