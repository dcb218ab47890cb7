"""Shapes of files and uploads as answers show them."""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import Row

from unpuzzle_server.kernel.clock import an_hour_at_least, rfc3339
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.media.gateway import Addresses, thumbnail_name
from unpuzzle_server.media.storage import Part, Target, Upload

Body = dict[str, Any]
PLAIN = {"image"}
"""Kinds whose address is plain and stays: pictures of courses and people, which anybody may see."""


def media(tx: Transaction, found: Body) -> Body:
    """A file as PostgreSQL shows it, with the addresses that its owner may use."""
    addresses, until = Addresses.of(tx.settings), an_hour_at_least(tx.clock.now())
    has_thumbnail = found.pop("has_thumbnail")
    thumbnail = _url(addresses, found, thumbnail_name(found["id"]), tx.user.user_id, until) if has_thumbnail else None
    cdn_url = _url(addresses, found, found["filename"], tx.user.user_id, until)
    return {**found, "thumbnail_url": thumbnail, "cdn_url": cdn_url}


def _url(addresses: Addresses, found: Body, filename: str, user_id: UUID, until: datetime) -> str:
    if found["kind"] in PLAIN:
        return addresses.plain_url(found["id"], filename)
    return addresses.signed_url(found["id"], user_id, filename, until)


def completed(found: Body) -> Body:
    """The same, in the words of the completion of an upload."""
    same = ("filename", "file_size", "content_type", "kind", "sha1", "cdn_url", "thumbnail_url", "processing_status")
    metadata = {name: found[name] for name in ("title", "description", "duration_seconds", "course_id")}
    shown = {name: found[name] for name in same}
    return {"media_id": found["id"], **shown, "metadata": metadata, "created_at": found["upload_date"]}


def target(addresses: Addresses, row: Row[Any], targets: list[Target]) -> Body:
    """Where to send an upload."""
    upload = of_row(row)
    url, signature = addresses.upload_url(row.id, row.expires_at)
    return {
        "upload_id": upload.id,
        "upload_url": url,
        "upload_method": "PUT",
        "headers": {
            "Authorization": f"Bearer {signature}",
            "Content-Type": "application/octet-stream",
            "X-Bz-File-Name": quote(row.filename, safe=""),
        },
        "chunk_size": upload.chunk_size,
        "total_chunks": upload.total_chunks,
        "file_id": upload.storage_id,
        "cdn_url": addresses.plain_url(row.id, row.filename),
        "parts": [_target(each) for each in targets],
        "expires_at": rfc3339(row.expires_at),
    }


def _target(target: Target) -> Body:
    return {
        "url": target.url,
        "method": "POST",
        "headers": target.headers,
        "part_number_header": "X-Bz-Part-Number",
        "sha1_header": "X-Bz-Content-Sha1",
    }


def upload(row: Row[Any], parts: list[Part] | None) -> Body:
    """How an upload stands; without parts it is complete."""
    return {
        "upload_id": str(row.id),
        "filename": row.filename,
        "file_size": row.file_size,
        "content_type": row.content_type,
        "status": "completed" if parts is None else "uploading",
        "chunk_size": row.chunk_size,
        "total_chunks": of_row(row).total_chunks,
        "received_parts": [part(each) for each in parts or []],
        "received_bytes": row.file_size if parts is None else sum(each.size for each in parts),
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
    }


def part(found: Part) -> Body:
    return {"part_number": found.number, "size": found.size, "sha1": found.sha1}


def of_row(row: Row[Any]) -> Upload:
    """An upload as engines know it."""
    return Upload(str(row.id), row.storage_key, row.storage_id, row.file_size, row.chunk_size, row.content_type)
