"""Where files are kept, and the addresses under which they come and go."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from unpuzzle_server.auth.tokens import derived_key
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.media.storage import Storage


@dataclass(frozen=True)
class Addresses:
    """Signs addresses: whoever has one may use it until it ends. Nobody can change for whom it is."""

    key: bytes = field(repr=False)
    public_url: str
    files_url: str
    """Where files are read: this server, or a CDN in front of it."""

    @classmethod
    def of(cls, settings: Settings) -> "Addresses":
        cdn_url = "" if settings.b2_key_id else settings.media_cdn_url  # with B2 it is in front of that
        return cls(derived_key(settings.secret_key, "media"), settings.public_url, cdn_url or settings.public_url)

    def signed_url(self, media_id: UUID | str, user_id: UUID | str, filename: str, expires_at: datetime) -> str:
        """A file of the library for one person, until then."""
        expires = int(expires_at.timestamp())
        signature = self._signature("file", media_id, filename, user_id, expires)
        return f"{self.plain_url(media_id, filename)}?{urlencode({'user': user_id, 'expires': expires, 'signature': signature})}"

    def may_read(self, media_id: str, filename: str, user_id: str | None, expires: int | None, signature: str | None) -> bool:
        return _equal(signature, self._signature("file", media_id, filename, user_id, expires))

    def plain_url(self, media_id: UUID | str, filename: str) -> str:
        """The address of a file, which is all that an image needs."""
        return f"{self.files_url}/api/v1/media/files/{media_id}/{quote(filename, safe='')}"

    def upload_url(self, upload_id: UUID, expires_at: datetime) -> tuple[str, str]:
        """Where chunks go, and what signs it."""
        expires = int(expires_at.timestamp())
        signature = self._signature("upload", upload_id, expires)
        query = urlencode({"expires": expires, "signature": signature})
        return f"{self.public_url}/api/v1/media/uploads/{upload_id}/content/?{query}", signature

    def may_upload(self, upload_id: str, expires: int, signature: str) -> bool:
        return _equal(signature, self._signature("upload", upload_id, expires))

    def _signature(self, *parts: Any) -> str:
        """No part holds the end of a line, so that none passes for two."""
        return hmac.digest(self.key, "\n".join(map(str, parts)).encode(), "sha256").hex()


@dataclass(frozen=True)
class Media:
    """What other domains need of files."""

    storage: Storage
    addresses: Addresses

    def signed_url(self, media_id: UUID | str, user_id: UUID | str, filename: str, expires_at: datetime) -> str:
        return self.addresses.signed_url(media_id, user_id, filename, expires_at)


def thumbnail_name(media_id: UUID | str) -> str:
    """No file has this name of its own: it has one before it has an id."""
    return f"thumbnail-{media_id}.jpg"


def _equal(signature: str | None, expected: str) -> bool:
    return signature is not None and hmac.compare_digest(signature.encode(), expected.encode())
