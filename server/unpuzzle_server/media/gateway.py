"""Where files are kept, and the addresses under which they come and go."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from unpuzzle_server.media.storage import Storage


@dataclass(frozen=True)
class Media:
    """The engine, and what signs its addresses: whoever has one may use it until it ends."""

    storage: Storage
    key: bytes = field(repr=False)
    public_url: str
    files_url: str
    """Where files are read: this server, or a CDN in front of it."""

    def signed_url(self, media_id: Any, user_id: Any, filename: str, expires_at: datetime) -> str:
        """A file of the library for one person, until then. It says for whom it was made, and nobody can change that."""
        expires = int(expires_at.timestamp())
        signature = self._signature("file", media_id, filename, user_id, expires)
        query = urlencode({"user": user_id, "expires": expires, "signature": signature})
        return f"{self.public_file_url(media_id, filename)}?{query}"

    def may_read(
        self, media_id: Any, filename: str, user_id: Any, expires: int | None, signature: str | None, now: datetime
    ) -> bool:
        expected = self._signature("file", media_id, filename, user_id, expires)
        return _holds(signature, expected, expires, now)

    def public_file_url(self, media_id: Any, filename: str) -> str:
        """The plain address of a file, which is all that an image needs."""
        return f"{self.files_url}/api/v1/media/files/{media_id}/{quote(filename)}"

    def upload_url(self, upload_id: Any, expires_at: datetime) -> str:
        expires = int(expires_at.timestamp())
        query = urlencode({"expires": expires, "signature": self._signature("upload", upload_id, expires)})
        return f"{self.public_url}/api/v1/media/uploads/{upload_id}/content/?{query}"

    def may_upload(self, upload_id: Any, expires: int, signature: str, now: datetime) -> bool:
        return _holds(signature, self._signature("upload", upload_id, expires), expires, now)

    def _signature(self, *parts: Any) -> str:
        """Parts hold no line ends, so that none can pass for two."""
        return hmac.digest(self.key, "\n".join(map(str, parts)).encode(), "sha256").hex()


def _holds(signature: str | None, expected: str, expires: int | None, now: datetime) -> bool:
    if signature is None or expires is None:
        return False
    return hmac.compare_digest(signature.encode(), expected.encode()) and expires > now.timestamp()
