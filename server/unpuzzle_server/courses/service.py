"""The rules of courses: who writes them, what they cost, and when they may be published."""

from decimal import ROUND_DOWN, Decimal
from secrets import token_hex
from string import whitespace
from typing import Any, cast

from sqlalchemy import Row, TextClause
from sqlalchemy.exc import IntegrityError

from unpuzzle_server.content.copying import copy_content
from unpuzzle_server.courses import queries
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Transaction, violates
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.kernel.texts import safe_html, slug

NUMBERED_SLUGS = 5
"""How many courses of one title get a number in their slug before chance names them."""


def course_not_found() -> Problem:
    return Problem("COURSE_NOT_FOUND", "There is no such course.")


async def list_published(
    tx: Transaction, *, page: int, page_size: int, sort: str | None, order: str | None, **filters: Any
) -> Page:
    filters["search"] = queries.search_words(filters["search"])
    ordering = queries.order_by(sort, order, searching=filters["search"] is not None, otherwise="c.published_at DESC, c.id")
    return await _page(tx, queries.catalogue(filters, ordering), {**filters, **window(page, page_size)})


async def list_own(tx: Transaction, *, page: int, page_size: int, sort: str | None, order: str | None, **filters: Any) -> Page:
    filters["search"] = queries.search_words(filters["search"])
    ordering = queries.order_by(sort, order, searching=filters["search"] is not None, otherwise="c.updated_at DESC, c.id")
    return await _page(tx, queries.own_courses(filters, ordering), {**filters, **window(page, page_size)})


async def list_categories(tx: Transaction, page: int, page_size: int) -> Page:
    return await _page(tx, queries.CATEGORIES, window(page, page_size))


async def _page(tx: Transaction, statement: TextClause, values: dict[str, Any]) -> Page:
    found = cast("Row[Any]", await tx.row(statement, **{name: value for name, value in values.items() if value is not None}))
    return Page(found.results, found.total)


async def get(tx: Transaction, id_or_slug: str) -> Row[Any]:
    course_id = queries.as_uuid(id_or_slug)
    statement = queries.DETAIL_BY_ID if course_id else queries.DETAIL_BY_SLUG
    found = await tx.row(statement, course=course_id or id_or_slug)
    if found is None:
        raise course_not_found()
    return found


async def get_curriculum(tx: Transaction, id_or_slug: str) -> dict[str, Any]:
    course_id = queries.as_uuid(id_or_slug)
    statement = queries.CURRICULUM_BY_ID if course_id else queries.CURRICULUM_BY_SLUG
    found: dict[str, Any] | None = await tx.value(statement, course=course_id or id_or_slug)
    if found is None:
        raise course_not_found()
    return found


async def list_reviews(
    tx: Transaction, id_or_slug: str, page: int, page_size: int, rating: int | None, sort: str | None, order: str | None
) -> Page:
    reviewed = await tx.value(queries.REVIEWED, **queries.named(id_or_slug))
    if reviewed is None:
        raise course_not_found()
    statement = queries.reviews(rated=rating is not None, sort=sort or "created_at", order=order or "desc")
    rated = {} if rating is None else {"rating": rating}
    found = cast("Row[Any]", await tx.row(statement, course=reviewed, **rated, **window(page, page_size)))
    return Page(found.results, found.total, {"rating": found.rating, "distribution": found.distribution})


async def get_review(tx: Transaction, review_id: Any) -> Row[Any]:
    return cast("Row[Any]", await tx.row(queries.REVIEW, review=review_id))


async def get_own(tx: Transaction, course_id: Any) -> Row[Any]:
    found = await tx.row(queries.OWN, course=course_id)
    if found is None:
        raise course_not_found()
    return found


async def create(tx: Transaction, body: dict[str, Any]) -> Row[Any]:
    columns = await _columns(tx, body, body.get("currency", "USD"))
    statement = queries.insert_course(list(columns))
    try:
        course_id = await _with_free_slug(tx, statement, body["title"], {**columns, "instructor_id": tx.user.user_id})
    except IntegrityError as error:
        raise _refusal(error) from None
    return await get_own(tx, course_id)


async def update(tx: Transaction, course_id: str, body: dict[str, Any], if_match: str | None) -> Row[Any]:
    course = await lock(tx, course_id, if_match)
    if "currency" in body and "price" not in body:
        body = {**body, "price": (await get_own(tx, course_id)).course["price"]}
    columns = await _columns(tx, body, body.get("currency", course.currency))
    if columns:
        if course.status == "published":
            _check_still_ready(columns)
        try:
            await tx.execute(queries.update_course(list(columns)), course=course_id, **columns)
        except IntegrityError as error:
            raise _refusal(error) from None
    return await get_own(tx, course_id)


async def delete(tx: Transaction, course_id: str, if_match: str | None) -> None:
    await lock(tx, course_id, if_match)
    if await tx.value(queries.DROP_CANCELLED, course=course_id):
        raise Problem("CONFLICT", "Somebody is about to pay for this course: archive it, or delete it when they have given up.")
    try:
        await tx.execute(queries.DELETE, course=course_id)
    except IntegrityError:
        raise Problem("CONFLICT", "Learners have taken this course or paid for it: archive it instead.") from None


async def publish(tx: Transaction, course_id: str, if_match: str | None) -> Row[Any]:
    """The lock keeps the content as it was checked: every change to it takes the same one."""
    await lock(tx, course_id, if_match)
    problems = await missing(tx, course_id)
    if problems:
        raise not_ready("The course is not ready to be published.", problems)
    return await _set_status(tx, course_id, "published")


async def unpublish(tx: Transaction, course_id: str, if_match: str | None) -> Row[Any]:
    await lock(tx, course_id, if_match)
    return await _set_status(tx, course_id, "draft")


async def archive(tx: Transaction, course_id: str, if_match: str | None) -> Row[Any]:
    await lock(tx, course_id, if_match)
    return await _set_status(tx, course_id, "archived")


async def _set_status(tx: Transaction, course_id: str, status: str) -> Row[Any]:
    await tx.execute(queries.SET_STATUS, course=course_id, status=status)
    return await get_own(tx, course_id)


async def missing(tx: Transaction, course_id: str) -> list[dict[str, str]]:
    """Everything that publishing still needs."""
    course = await tx.row(queries.READINESS, course=course_id)
    if course is None:
        raise course_not_found()
    needs = {
        "title": (course.title.strip(), "give it a title"),
        "description": ((course.description or "").strip(), "describe it in a sentence or two"),
        "category_id": (course.category_id, "choose a category"),
        "price": (course.price_minor is not None, "set a price, 0 for a free course"),
        "sections": (course.lessons_count, "publish a section with at least one lesson"),
    }
    return [{"field": field, "message": message} for field, (present, message) in needs.items() if not present]


def not_ready(message: str, problems: list[dict[str, str]]) -> Problem:
    return Problem("COURSE_NOT_READY", message, details=problems)


def _check_still_ready(columns: dict[str, Any]) -> None:
    needed = {"title": "title", "description": "description", "category_id": "category_id", "price_minor": "price"}
    lost = [field for column, field in needed.items() if column in columns and _is_empty(columns[column])]
    if lost:
        details = [{"field": field, "message": "a published course needs it"} for field in lost]
        raise not_ready("The course is published: take it out of the catalogue before you clear this.", details)


def _is_empty(value: Any) -> bool:
    return value is None or not str(value).strip()


async def duplicate(tx: Transaction, course_id: str) -> Row[Any]:
    source = await lock(tx, course_id, None)  # its content is read in several statements: they see the same one
    title = f"{source.title[:193]} (copy)"
    copy_id = await _with_free_slug(tx, queries.COPY_COURSE, title, {"course": course_id, "title": title})
    await copy_content(tx, course_id, copy_id)
    return await get_own(tx, copy_id)


async def lock(tx: Transaction, course_id: str, if_match: str | None) -> Row[Any]:
    """One's own course, kept from changing until the end of the transaction."""
    course = await tx.row(queries.LOCK, course=course_id)
    if course is None:
        raise course_not_found()
    check_version(if_match, course.version)
    return course


async def _with_free_slug(tx: Transaction, insert: TextClause, title: str, values: dict[str, Any]) -> Any:
    """Inserts a course under the first slug that is free; the unique key decides, so two at once get two."""
    base = slug(title, "course")
    if queries.as_uuid(base):
        base = f"course-{base}"  # by itself it would be read as an id
    for candidate in [base, *(f"{base}-{number}" for number in range(2, NUMBERED_SLUGS + 1))]:
        if course_id := await tx.value(insert, slug=candidate, **values):
            return course_id
    return await tx.value(insert, slug=f"{base}-{token_hex(4)}", **values)


async def _columns(tx: Transaction, body: dict[str, Any], currency: str) -> dict[str, Any]:
    """The columns that a body sets."""
    columns = {name: body[name] for name in queries.COURSE_COLUMNS if name in body}
    if "price" in body:
        columns["price_minor"] = await _minor_units(tx, body["price"], currency)
    if columns.get("detailed_description"):
        columns["detailed_description"] = safe_html(columns["detailed_description"])
    return columns


async def _minor_units(tx: Transaction, price: float | None, currency: str) -> int | None:
    if price is None:
        return None
    decimals = await tx.value(queries.DECIMALS, currency=currency)
    scaled = Decimal(str(price)).scaleb(decimals)
    if scaled != scaled.to_integral_value(ROUND_DOWN):
        raise Problem("PRICE_INVALID", f"A price in {currency} has at most {decimals} decimals.")
    return int(scaled)


async def find_offer(tx: Transaction, id_or_slug: str) -> Row[Any]:
    """A published course that the caller could take."""
    offer = await tx.row(queries.OFFER, **queries.named(id_or_slug))
    if offer is None:
        raise course_not_found()
    if offer.status != "published":
        raise Problem("COURSE_NOT_PUBLISHED", "This course is not published.")
    if offer.instructor_id == tx.user.user_id:
        raise own_course()
    return offer


def own_course() -> Problem:
    return Problem("CONFLICT", "This is your own course.")


def _refusal(error: IntegrityError) -> Exception:
    if violates(error, "courses_category_id_fkey"):
        return Problem("CATEGORY_UNKNOWN", "There is no such category.")
    return error


async def create_category(tx: Transaction, body: dict[str, Any]) -> Row[Any]:
    name = body["name"].strip(whitespace)
    values = {"name": name, "slug": body.get("slug") or slug(name, "category"), "description": body.get("description")}
    category_id = await tx.value(queries.ADD_CATEGORY, **values)
    if category_id is None:
        raise _category_taken()
    return await get_category(tx, category_id)


async def update_category(tx: Transaction, category_id: str, body: dict[str, Any], if_match: str | None) -> Row[Any]:
    await _lock_category(tx, category_id, if_match)
    columns = {name: body[name] for name in queries.CATEGORY_COLUMNS if name in body}
    if "name" in columns:
        columns["name"] = columns["name"].strip(whitespace)
    if columns:
        try:
            await tx.execute(queries.update_category(list(columns)), category=category_id, **columns)
        except IntegrityError:
            raise _category_taken() from None
    return await get_category(tx, category_id)


async def delete_category(tx: Transaction, category_id: str, if_match: str | None) -> None:
    await _lock_category(tx, category_id, if_match)
    try:
        await tx.execute(queries.DELETE_CATEGORY, category=category_id)
    except IntegrityError:
        raise Problem("CONFLICT", "There are courses in this category.") from None


async def _lock_category(tx: Transaction, category_id: str, if_match: str | None) -> None:
    version = await tx.value(queries.LOCK_CATEGORY, category=category_id)
    if version is None:
        raise not_found("category")
    check_version(if_match, version)


async def get_category(tx: Transaction, category_id: Any) -> Row[Any]:
    found = await tx.row(queries.CATEGORY, category=category_id)
    if found is None:
        raise not_found("category")
    return found


def _category_taken() -> Problem:
    return Problem("CONFLICT", "There is a category with this name or slug.")
