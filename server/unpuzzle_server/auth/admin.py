"""What admins do to accounts: roles, suspensions, and decisions about who may teach."""

from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.auth import queries
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.pagination import Page, window

ROLES = ("student", "instructor", "admin")

Body = dict[str, Any]


async def list_users(
    tx: Transaction, page: int, page_size: int, search: str | None, role: str | None, is_suspended: bool | None
) -> Page:
    filters = {"search": _pattern(search), "role": role, "is_suspended": is_suspended}
    asked = {name: value for name, value in filters.items() if value is not None}
    found = cast("Row[Any]", await tx.row(queries.accounts(tuple(asked)), **asked, **window(page, page_size)))
    return Page(found.results, found.total)


def _pattern(search: str | None) -> str | None:
    """For LIKE: what was typed, anywhere."""
    if search is None:
        return None
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def update_user(tx: Transaction, user_id: str, body: Body, if_match: str | None) -> Row[Any]:
    version = await tx.value(queries.LOCK_USER, user=user_id)
    if version is None:
        raise not_found("account")
    check_version(if_match, version)
    roles = _roles(body.get("roles"))
    if user_id.lower() == str(tx.user.user_id) and ((roles and "admin" not in roles) or body.get("is_suspended")):
        raise Problem("CONFLICT", "You can't lock yourself out: ask another admin.")
    if body:
        await tx.execute(queries.UPDATE_ACCOUNT, user=user_id, roles=roles, is_suspended=body.get("is_suspended"))
    return cast("Row[Any]", await tx.row(queries.ACCOUNT, user=user_id))


def _roles(roles: list[str] | None) -> list[str] | None:
    """In one order, and everybody is a student."""
    return None if roles is None else [role for role in ROLES if role in {"student", *roles}]


async def list_applications(tx: Transaction, page: int, page_size: int, status: str | None) -> Page:
    asked = {} if status is None else {"status": status}
    found = cast("Row[Any]", await tx.row(queries.applications(filtered=bool(asked)), **asked, **window(page, page_size)))
    return Page(found.results, found.total)


async def decide(tx: Transaction, application_id: str, body: Body) -> Body:
    decided = await tx.value(queries.DECIDE, application=application_id, decision=body["decision"], reason=body.get("reason"))
    found: Body | None = await tx.value(queries.APPLICATION, application=application_id)
    if found is None:
        raise not_found("application")
    if not decided:
        raise Problem("CONFLICT", "This application has been decided already.")
    return found
