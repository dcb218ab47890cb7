"""Stands in for OpenAI's audio API, on a socket of its own: it looks at what it is sent, and says what the real one would."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import av

KEY = "sk-the-tests-own-key-0123456789"
SENTENCES = ["Two components need the same state.", " Then their parent keeps it. ", ""]


class Listener:
    """Hears sounds, or refuses them with a status as long as there is one."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.heard: list[dict[str, Any]] = []
        """The forms that came, with how long each sound was."""
        self.refusals: list[int] = []
        """The statuses of the next answers."""
        self.language = "german"

    def answer(self, form: dict[str, Any], authorization: str | None) -> tuple[int, dict[str, Any]]:
        if authorization != f"Bearer {KEY}":
            return 401, _error(f"Incorrect API key provided: {authorization}.")
        if self.refusals:
            return self.refusals.pop(0), _error(f"Something about {KEY}")
        with av.open(io.BytesIO(form.pop("file")), format="mp3") as sound:
            seconds = float(sound.duration or 0) / 1_000_000
        self.heard.append({**form, "seconds": seconds})
        guesses = {"seek": 0, "tokens": [1], "temperature": 0, "avg_logprob": -0.2, "compression_ratio": 1, "no_speech_prob": 0}
        segments = [
            {"id": number, "start": number * 1.5, "end": number * 1.5 + 1.25, "text": text, **guesses}
            for number, text in enumerate(SENTENCES)
        ]
        return 200, {"task": "transcribe", "language": self.language, "duration": seconds, "text": "", "segments": segments}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


@contextmanager
def listening() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = (404, _error("no such path"))
            if self.path == "/v1/audio/transcriptions":
                status, answer = listener.answer(_form(self.headers["Content-Type"], body), self.headers["Authorization"])
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener = Listener(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()


def _form(content_type: str, body: bytes) -> dict[str, Any]:
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    found: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="Content-Disposition")
        content = part.get_payload(decode=True)
        found[str(name)] = content if name == "file" else content.decode()
    return found
