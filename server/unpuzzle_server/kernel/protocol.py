"""HTTP itself: what can't be read as HTTP is refused in the envelope too."""

from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from unpuzzle_server.kernel.answers import new_request_id, refusal
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.streams import CONNECTION


class EnvelopedHTTP(HttpToolsProtocol):
    """uvicorn's protocol, but for the words with which it refuses what never becomes a request, and for the end of streams."""

    on_shutdown: Callable[[], None] | None = None
    """What a stream asks to be called when the server stops: nobody else would tell it."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.scope[CONNECTION] = self  # type: ignore[literal-required]

    def shutdown(self) -> None:
        super().shutdown()
        if self.on_shutdown is not None:
            self.on_shutdown()

    def abort(self) -> None:
        """Ends the connection without waiting for what was not read."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        request_id = new_request_id()
        answer = refusal(Problem("MALFORMED_REQUEST", "This is not a valid HTTP request."), request_id, Clock())
        headers = {
            **answer.headers,
            "X-Request-ID": request_id,
            "Content-Length": str(len(answer.content)),
            "Connection": "close",
        }
        lines = ["HTTP/1.1 400 Bad Request", *(f"{name.lower()}: {value}" for name, value in headers.items())]
        self.transport.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.content)
        self.transport.close()
