"""HTTP itself: what can't be read as HTTP is refused in the envelope too."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from unpuzzle_server.kernel.answers import new_request_id, refusal
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.errors import Problem


class EnvelopedHTTP(HttpToolsProtocol):
    """uvicorn's protocol, but for the words with which it refuses what never becomes a request."""

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
