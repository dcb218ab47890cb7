"""What somebody wants to be told, and how. The row is the account's: the profile shows the same switches."""

from typing import Any

from sqlalchemy import Row

from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.answers import Result, check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.notifications import queries

SWITCHES = ("email_notifications", "learning_reminders")


def types() -> list[str]:
    """Every type of the contract."""
    found: list[str] = spec.resolve({"$ref": "#/components/schemas/NotificationType"})["enum"]
    return found


async def get(tx: Transaction) -> Result:
    row = await tx.row(queries.PREFERENCES, user=tx.user.user_id)
    assert row is not None, "whoever asks has just been found"
    channels = {kind: {"in_app": kind not in row.muted, "mail": kind in row.mailed} for kind in types()}
    return Result({**{name: getattr(row, name) for name in SWITCHES}, "types": channels}, row.version)


async def update(tx: Transaction, body: dict[str, Any], if_match: str | None) -> Result:
    """What is sent changes, the rest stays."""
    row = await tx.row(queries.LOCK_PREFERENCES, user=tx.user.user_id)
    assert row is not None, "whoever asks has just been found"
    check_version(if_match, row.version)
    changes = {name: body[name] for name in SWITCHES if name in body} | _channels(row, body.get("types", {}))
    if changes:
        await tx.execute(queries.prefer(list(changes)), user=tx.user.user_id, **changes)
    return await get(tx)


def _channels(row: Row[Any], wanted: dict[str, dict[str, bool]]) -> dict[str, list[str]]:
    """The two lists, with every type where it is wanted now."""
    if not wanted:
        return {}
    mailed = {kind: wanted.get(kind, {}).get("mail", kind in row.mailed) for kind in types()}
    shown = {kind: wanted.get(kind, {}).get("in_app", kind not in row.muted) for kind in types()}
    return {"mailed": [kind for kind in mailed if mailed[kind]], "muted": [kind for kind in shown if not shown[kind]]}
