"""Bodies that are read as they come: of operations whose body is `application/octet-stream`.

The handler's `body` is an `Incoming` then. Nothing has been read when it is called, nothing is kept, and the client is held back
as long as nothing more is asked for: so much memory is needed for a body of any size.
"""

from collections.abc import AsyncIterator

from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import ClientGone, Exchange

OCTETS = "application/octet-stream"


class Incoming:
    """The body of a request, to be iterated over once."""

    def __init__(self, exchange: Exchange, limit: int) -> None:
        """Raises PAYLOAD_TOO_LARGE at once for a body that says that it has more than `limit` bytes."""
        self.exchange = exchange
        self.limit = limit
        self.announced = exchange.announced
        """How many bytes the client says that there are, None if it does not."""
        if self.announced is not None and self.announced > limit:
            raise self._too_large()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """What comes, as it comes; raises PAYLOAD_TOO_LARGE for what is not announced, ClientGone when no more will come."""
        size = 0
        while True:
            message = await self.exchange.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self.limit:
                raise self._too_large()
            if chunk:
                yield chunk
            if not message.get("more_body"):
                return

    def _too_large(self) -> Problem:
        return Problem("PAYLOAD_TOO_LARGE", f"A body may have {self.limit} bytes here.")
