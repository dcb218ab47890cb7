"""What the embedded Stripe keeps: objects as Stripe shows them, in PostgreSQL for all processes.

Keys of an object that begin with an underscore are its own business: no answer and no event has them.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from secrets import choice
from string import ascii_letters, digits
from typing import Any

import orjson
from sqlalchemy import TextClause, text

from unpuzzle_server.embedded_stripe.errors import StripeError, no_such
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.kernel.database import Transaction

API_VERSION = "2026-10-28.endive"
"""The one that the pinned library asks for."""
LARGEST_PAGE, USUAL_PAGE = 100, 10
DEEPEST_EXPANSION = 4
END_OF_TIME = 2**62

Object = dict[str, Any]
Included = Callable[["Store", Object], Awaitable[Any]]
INCLUDED: dict[tuple[str, str], Included] = {}
"""Fields that only those see who ask for them by `expand`."""

ADD = text("""
    INSERT INTO embedded_stripe.objects (id, kind, created, data, due_at)
    VALUES (:id, :kind, :created, CAST(:data AS jsonb), to_timestamp(:due))
""")
SAVE = text("UPDATE embedded_stripe.objects SET data = CAST(:data AS jsonb), due_at = to_timestamp(:due) WHERE id = :id")
FIND = text("SELECT data FROM embedded_stripe.objects WHERE id = :id")
LOCK = text("SELECT data FROM embedded_stripe.objects WHERE id = :id FOR UPDATE")
HOLDING = text("SELECT data FROM embedded_stripe.objects WHERE kind = :kind AND data @> CAST(:values AS jsonb) ORDER BY seq")
PLACE = text("SELECT seq FROM embedded_stripe.objects WHERE id = :id AND kind = :kind")
DUE = text("""
    SELECT data FROM embedded_stripe.objects WHERE due_at <= to_timestamp(:now) ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
""")


def _page(order: str) -> TextClause:
    return text(f"""
        SELECT data FROM embedded_stripe.objects
         WHERE kind = :kind AND data @> CAST(:values AS jsonb) AND seq > :above AND seq < :below
           AND created BETWEEN :earliest AND :latest
         ORDER BY seq {order} LIMIT :limit
    """)  # noqa: S608 - the order is one of two words below


NEWEST_FIRST, OLDEST_FIRST = _page("DESC"), _page("ASC")


class Store:
    """One request's view of the objects, within its transaction."""

    def __init__(self, tx: Transaction, base_url: str, request: dict[str, str | None] | None = None) -> None:
        self.tx = tx
        self.base_url = base_url
        self.request = request
        """What events say of who caused them; nobody did where time did."""
        self.at: int | None = None
        """The moment that is caught up with, while time passes."""

    @property
    def now(self) -> int:
        return self.at or int(self.tx.clock.now().timestamp())

    async def add(self, found: Object) -> Object:
        values = {"id": found["id"], "kind": found["object"], "created": found.get("created", self.now)}
        await self.tx.execute(ADD, **values, data=_json(found), due=found.get("_due"))
        return found

    async def save(self, found: Object) -> Object:
        await self.tx.execute(SAVE, id=found["id"], data=_json(found), due=found.get("_due"))
        return found

    async def find(self, object_id: str) -> Object | None:
        found: Object | None = await self.tx.value(FIND, id=object_id)
        return found

    async def get(self, kind: str, object_id: str, param: str = "id", status: int = 404, *, lock: bool = False) -> Object:
        """An object of this kind, or the refusal that there is none; named in a form, with status 400."""
        found: Object | None = await self.tx.value(LOCK if lock else FIND, id=object_id)
        if found is None or found["object"] != kind:
            raise no_such(kind, object_id, param, status)
        return found

    async def lock(self, kind: str, object_id: str) -> Object:
        return await self.get(kind, object_id, lock=True)

    async def named(self, form: Form, kind: str, param: str) -> Object | None:
        """What a field of a form names, if it is there."""
        object_id = form.text(param)
        found = await self.get(kind, object_id, form.name(param), 400) if object_id else None
        if found and found.get("deleted"):
            raise no_such(kind, found["id"], form.name(param), 400)
        return found

    async def holding(self, kind: str, **values: Any) -> list[Object]:
        """Those that have these values, oldest first."""
        return [row.data for row in await self.tx.rows(HOLDING, kind=kind, values=_json(values))]

    async def due(self) -> Object | None:
        """An object whose time has come and that nobody else is at, locked."""
        found: Object | None = await self.tx.value(DUE, now=self.now)
        return found

    async def page(self, kind: str, url: str, form: Form, **values: Any) -> Object:
        """A list as Stripe answers it."""
        limit = form.integer("limit", 1, LARGEST_PAGE) or USUAL_PAGE
        below = await self._place(kind, form, "starting_after", END_OF_TIME)
        above = await self._place(kind, form, "ending_before", -1)
        backwards = "ending_before" in form
        earliest, latest = created(form)
        wanted = {key: value for key, value in values.items() if value is not None}
        span = {"above": above, "below": below, "earliest": earliest, "latest": latest, "limit": limit + 1}
        statement = OLDEST_FIRST if backwards else NEWEST_FIRST
        found = [row.data for row in await self.tx.rows(statement, kind=kind, values=_json(wanted), **span)]
        data = found[:limit]
        return listed(data[::-1] if backwards else data, url, has_more=len(found) > limit)

    async def _place(self, kind: str, form: Form, name: str, default: int) -> int:
        if not (object_id := form.text(name)):
            return default
        place: int | None = await self.tx.value(PLACE, id=object_id, kind=kind)
        if place is None:
            raise no_such(kind, object_id, name, 400)
        return place

    async def emit(self, kind: str, found: Object, before: Object | None = None) -> None:
        """Writes the event, and has it delivered once this transaction has committed."""
        data: Object = {"object": shown(found)}
        if before is not None:
            was = shown(before)
            data["previous_attributes"] = {key: was.get(key) for key in data["object"] if was.get(key) != data["object"][key]}
        event = {"id": new_id("evt"), "object": "event", "api_version": API_VERSION, "created": self.now, "data": data}
        told = int(self.tx.clock.now().timestamp())
        about = {
            "_told": told,
            "livemode": False,
            "pending_webhooks": 1,
            "request": self.request or {"id": None, "idempotency_key": None},
        }
        await self.add({**event, **about, "type": kind})
        await self.tx.enqueue("embedded_stripe.deliver", event_id=event["id"])

    async def expand(self, found: Object, paths: list[str]) -> Object:
        for path in paths:
            steps = path.split(".")
            if len(steps) > DEEPEST_EXPANSION:
                raise StripeError("You cannot expand more than 4 levels of a property.", param="expand")
            await self._expand(found, steps, path)
        return found

    async def _expand(self, found: Object, steps: list[str], path: str) -> None:
        first, *rest = steps
        if (include := INCLUDED.get((found.get("object", ""), first))) and first not in found:
            found[first] = await include(self, found)
        if first not in found:
            raise StripeError(f"This property cannot be expanded ({path}).", param="expand")
        value = found[first]
        if isinstance(value, str) and (known := await self.find(value)):
            found[first] = value = known
        for inner in value if isinstance(value, list) else [value]:
            if rest and isinstance(inner, dict):
                await self._expand(inner, rest, path)


def new_id(prefix: str) -> str:
    return f"{prefix}_{secret(24)}"


def secret(length: int) -> str:
    return "".join(choice(ascii_letters + digits) for _ in range(length))


def shown(value: Any) -> Any:
    """What others may see of it."""
    if isinstance(value, dict):
        return {key: shown(inner) for key, inner in value.items() if not key.startswith("_")}
    return [shown(inner) for inner in value] if isinstance(value, list) else value


def listed(data: list[Object], url: str, *, has_more: bool = False) -> Object:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def created(form: Form) -> tuple[int, int]:
    """The first and the last second that `created` lets through."""
    if isinstance(form.fields.get("created"), str):
        moment = form.integer("created") or 0
        return moment, moment
    span = form.part("created")
    span.only("gt", "gte", "lt", "lte")
    bounds = {name: span.integer(name) for name in span.fields}
    after = [value for value in (bounds.get("gte"), _next(bounds.get("gt"), 1)) if value is not None]
    until = [value for value in (bounds.get("lte"), _next(bounds.get("lt"), -1)) if value is not None]
    return max(after, default=0), min(until, default=END_OF_TIME)


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _next(value: int | None, step: int) -> int | None:
    return None if value is None else value + step


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
