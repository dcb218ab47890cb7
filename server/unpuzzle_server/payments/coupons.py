"""Coupons: an instructor's for their courses, an admin's for all."""

from typing import Any, cast

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from unpuzzle_server.courses.service import course_not_found
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.clock import parse_moment
from unpuzzle_server.kernel.database import Transaction, violates
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.payments import queries
from unpuzzle_server.payments.money import minor_units

Body = dict[str, Any]
CURRENCY = {"$ref": "#/components/schemas/Currency"}


async def create(tx: Transaction, body: Body) -> Row[Any]:
    course = body.get("course_id")
    if course and not await tx.value(queries.TEACHES, course=course):
        raise course_not_found()
    values = {name: body.get(name) for name in ("course_id", "code", "percentage", "currency", *queries.COUPON_COLUMNS)}
    values["is_active"] = body.get("is_active", True)
    values["amount_minor"] = await _amount(tx, body)
    try:
        coupon = await tx.value(queries.INSERT_COUPON, user=tx.user.user_id, **_with_moments(values))
    except IntegrityError as error:
        raise _refusal(error) from None
    if coupon is None:
        raise Problem("CONFLICT", "There is a coupon with this code.")
    return await get(tx, coupon)


async def _amount(tx: Transaction, body: Body) -> int | None:
    """One of the two; the contract can't say so without a union, which clients would have to unpack."""
    percentage, amount, currency = body.get("percentage"), body.get("amount"), body.get("currency")
    if (percentage is None) == (amount is None) or (amount is None) != (currency is None):
        details = [{"field": "percentage", "message": "give either a percentage, or an amount with its currency"}]
        raise Problem("COUPON_INVALID", "A coupon is of a percentage, or of an amount in a currency.", details=details)
    if amount is None:
        return None
    if not spec.compiled(CURRENCY).is_valid(currency):
        raise Problem("COUPON_INVALID", "No course has a price in this currency.")
    return await minor_units(tx, amount, cast("str", currency))


async def get(tx: Transaction, coupon_id: Any) -> Row[Any]:
    found = await tx.row(queries.GET_COUPON, coupon=coupon_id, user=tx.user.user_id)
    if found is None:
        raise not_found("coupon")
    return found


async def list_own(tx: Transaction, page: int, page_size: int) -> Page:
    found = cast("Row[Any]", await tx.row(queries.COUPONS, user=tx.user.user_id, **window(page, page_size)))
    return Page(found.results, found.total)


async def update(tx: Transaction, coupon_id: str, body: Body, if_match: str | None) -> Row[Any]:
    await _lock(tx, coupon_id, if_match)
    changes = _with_moments({name: body[name] for name in queries.COUPON_COLUMNS if name in body})
    if changes:
        try:
            await tx.execute(queries.update_coupon(tuple(changes)), coupon=coupon_id, user=tx.user.user_id, **changes)
        except IntegrityError as error:
            raise _refusal(error) from None
    return await get(tx, coupon_id)


async def delete(tx: Transaction, coupon_id: str, if_match: str | None) -> None:
    await _lock(tx, coupon_id, if_match)
    await tx.execute(queries.DELETE_COUPON, coupon=coupon_id, user=tx.user.user_id)


async def quote(tx: Transaction, course: Any, code: str) -> Body:
    """What a course costs with a coupon; raises COUPON_INVALID where it does not hold."""
    found = await tx.row(queries.DISCOUNT, course=course, code=code)
    if found is None or found.problem:
        raise Problem("COUPON_INVALID", found.problem if found else "There is no such coupon for this course.")
    return cast("Body", found.quote)


async def _lock(tx: Transaction, coupon_id: str, if_match: str | None) -> None:
    version = await tx.value(queries.LOCK_COUPON, coupon=coupon_id, user=tx.user.user_id)
    if version is None:
        raise not_found("coupon")
    check_version(if_match, version)


def _with_moments(values: Body) -> Body:
    return {**values, **{name: parse_moment(values[name]) for name in ("starts_at", "ends_at") if values.get(name)}}


def _refusal(error: IntegrityError) -> Exception:
    if violates(error, "coupons_window"):
        return Problem("RANGE_INVALID", "A coupon ends after it starts.")
    return error
