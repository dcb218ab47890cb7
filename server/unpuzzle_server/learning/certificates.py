"""The rules of certificates: issued by a trigger when a course is completed, verified by anybody, revoked by admins."""

from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import not_found
from unpuzzle_server.kernel.pages import rendered
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.learning import certificate_queries as queries

MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None})
GROUP = 4

Body = dict[str, Any]


async def list_own(tx: Transaction, page: int, page_size: int) -> Page:
    values = {"user": tx.user.user_id, "public_url": tx.settings.public_url, **window(page, page_size)}
    found = cast("Row[Any]", await tx.row(queries.PAGE, **values))
    return Page(found.results, found.total)


async def find(tx: Transaction, code: str) -> Body:
    found = await tx.value(queries.FIND, code=as_written(code), public_url=tx.settings.public_url)
    if found is None:
        raise not_found("certificate")
    return cast("Body", found)


async def find_valid(tx: Transaction, code: str) -> Body:
    found = await find(tx, code)
    if found["revoked_at"] is not None:
        raise not_found("certificate that holds")
    return found


async def revoke(tx: Transaction, code: str, reason: str | None) -> Body:
    await tx.execute(queries.REVOKE, code=as_written(code), reason=reason or None)
    return await find(tx, code)


def as_written(code: str) -> str:
    """The code as it stands on the certificate, however it was typed."""
    signs = code.upper().translate(MISREAD)
    return "-".join(signs[place : place + GROUP] for place in range(0, len(signs), GROUP))


def as_page(certificate: Body) -> bytes:
    return rendered("unpuzzle_server.learning", "certificate.html", certificate=certificate)
