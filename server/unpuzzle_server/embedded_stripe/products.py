"""Products: what is sold."""

from unpuzzle_server.embedded_stripe.errors import StripeError
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import Object, Store, new_id

URL = "/v1/products"
WORDS = ("description", "statement_descriptor", "unit_label", "url")
FIELDS = (*WORDS, "name", "active", "metadata", "images")


async def create(store: Store, form: Form) -> Object:
    form.only(*FIELDS, "id", "type")
    form.choice("type", ("service",))
    product = new(store, form.need("name"), form.text("id"))
    if await store.find(product["id"]):
        raise StripeError(f"Product already exists: {product['id']}.", "resource_already_exists", "id")
    _apply(store, form, product)
    await store.emit("product.created", await store.add(product))
    return product


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await store.get("product", object_id)


async def update(store: Store, form: Form, object_id: str) -> Object:
    form.only(*FIELDS, "default_price")
    product = await store.lock("product", object_id)
    before = dict(product)
    _apply(store, form, product)
    if price := await store.named(form, "price", "default_price"):
        product["default_price"] = price["id"]
    await store.emit("product.updated", await store.save(product), before)
    return product


async def page(store: Store, form: Form) -> Object:
    form.only("active", "created", "limit", "starting_after", "ending_before")
    active = form.boolean("active") if "active" in form else None
    return await store.page("product", URL, form, active=active)


def new(store: Store, name: str, product_id: str | None = None) -> Object:
    return {
        "id": product_id or new_id("prod"),
        "object": "product",
        "active": True,
        "created": store.now,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": store.now,
        "url": None,
    }


def _apply(store: Store, form: Form, product: Object) -> None:
    product.update({name: form.text(name) for name in WORDS if name in form})
    product["name"] = form.need("name") if "name" in form else product["name"]
    product["active"] = form.boolean("active", product["active"])
    product["images"] = form.texts("images") if "images" in form else product["images"]
    product["metadata"] = form.metadata(product["metadata"])
    product["updated"] = store.now


ROUTES = {
    f"POST {URL}": create,
    f"GET {URL}": page,
    f"GET {URL}/{{object_id}}": retrieve,
    f"POST {URL}/{{object_id}}": update,
}
