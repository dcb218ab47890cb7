"""A language model's API, as far as its client uses it: it answers what a test has told it to, and keeps what it was asked."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TEXT = "A parser arranges the tokens in a syntax tree, so it needs the grammar."
MADE: dict[str, Any] = {
    "hint": {"hint": "What does the parser follow?", "related_examples": [{"code": "f(x)", "explanation": "A call."}]},
    "quiz": {
        "questions": [
            {"type": "multiple_choice", "question": "What makes tokens?", "options": ["A lexer", "A parser", "A linker", "Ada"],
             "correct_answer": 0, "explanation": "A lexer splits the source."},
            {"type": "true_false", "question": "A parser follows a grammar.", "options": ["True", "False"], "correct_answer": 0,
             "explanation": "It does."},
        ]
    },
    "prompts": {"prompts": [{"prompt": "What would you do without a grammar?", "type": "question"}]},
    "path": {"summary": "Go on.", "steps": [{"candidate": 0, "reason": "It is next."}]},
}  # fmt: skip
"""What it makes by a schema, by the schema's name."""


@dataclass
class Reply:
    text: str | None = None
    """None for something that fits what was asked."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent as it is."""
    refusal: str | None = None
    finish: str = "stop"
    counts: bool = True
    """Whether it reports tokens."""
    pause: float = 0
    """Before it answers, in seconds; a stream pauses before its first piece."""
    cut: bool = False
    """Whether a stream breaks off in the middle."""
    hangs: bool = False
    """Whether it waits after the first piece until whoever asked is gone."""


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.body["messages"]
        return found

    @property
    def whole(self) -> str:
        """All that it was told."""
        return json.dumps(self.body, ensure_ascii=False)


class Vendor:
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.reply: Callable[[Asked], Reply] = lambda _: Reply()
        self.flagged = False
        self.left = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                owner._answer(self, Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body))

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        self.settings = {
            "openai_api_key": "sk-of-the-tests",
            "openai_base_url": self.url,
            "ai_model": "gpt-of-the-tests",
            "ai_retries": 0,
            "ai_timeout_seconds": 1,
            "ai_moderation": True,
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    def reset(self) -> None:
        self.asked.clear()
        self.reply, self.flagged = (lambda _: Reply()), False
        self.left.clear()

    def says(self, **reply: Any) -> None:
        self.reply = lambda _: Reply(**reply)

    @property
    def chats(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.path.endswith("/chat/completions")]

    def _answer(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        self.asked.append(asked)
        if asked.path.endswith("/moderations"):
            self._send(handler, Reply(raw=json.dumps(_moderated(flagged=self.flagged)).encode()))
            return
        reply = self.reply(asked)
        time.sleep(reply.pause)
        if reply.text is None:
            schema = asked.body.get("response_format", {}).get("json_schema", {})
            reply.text = json.dumps(MADE[schema["name"]]) if schema else TEXT
        try:
            if asked.body.get("stream") and reply.status == 200 and reply.raw is None:
                self._stream(handler, reply)
            else:
                self._send(handler, reply)
        except OSError:
            self.left.set()

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        told = {"error": {"message": "no: sk-of-the-tests", "type": "error"}} if reply.status != 200 else _completion(reply)
        content = reply.raw if reply.raw is not None else json.dumps(told).encode()
        handler.send_response(reply.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **reply.headers}
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = len(content) != int(headers["Content-Length"])

    def _stream(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.close_connection = True
        words = (reply.text or "").split(" ")
        pieces = [word if place == 0 else f" {word}" for place, word in enumerate(words)]
        for place, piece in enumerate(pieces):
            if reply.cut and place == len(pieces) // 2:
                return
            self._chunk(handler, {"content": piece})
            if reply.hangs:
                if handler.connection.recv(1) == b"":
                    self.left.set()
                return
        if reply.refusal:
            self._chunk(handler, {"refusal": reply.refusal})
        self._chunk(handler, {}, reply.finish)
        if reply.counts:
            self._chunk(handler, None)
        handler.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, handler: BaseHTTPRequestHandler, delta: dict[str, Any] | None, finish: str | None = None) -> None:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
        usage = {"prompt_tokens": 150, "completion_tokens": 200, "total_tokens": 350}
        handler.wfile.write(f"data: {json.dumps({**chunk, 'usage': usage if delta is None else None})}\n\n".encode())
        handler.wfile.flush()


def _completion(reply: Reply) -> dict[str, Any]:
    message = {"role": "assistant", "content": None if reply.refusal else reply.text, "refusal": reply.refusal}
    usage = {"prompt_tokens": 150, "completion_tokens": 200, "total_tokens": 350} if reply.counts else None
    choices = [{"index": 0, "message": message, "finish_reason": reply.finish}]
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}


def _moderated(*, flagged: bool) -> dict[str, Any]:
    result = {"flagged": flagged, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}
    return {"id": "m", "model": "m", "results": [result]}
