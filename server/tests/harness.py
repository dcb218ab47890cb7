"""What tests stand on: the server in a thread of this process, and callers whose every answer is checked."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unpuzzle_sdk._core.sse import Parser
from unpuzzle_server import serving
from unpuzzle_server.app import create_app
from unpuzzle_server.kernel import schema, spec
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.routing import Tree
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.testing import served

PASSWORD = "correct horse battery"
TEST_SETTINGS = Settings(
    secret_key="a key that only the tests know, 32+",
    database_prepared_statements=True,
    environment="development",
    rate_limit_anonymous=1_000_000,
    rate_limit_authenticated=1_000_000,
    rate_limit_sign_up=1_000_000,
    rate_limit_sign_in=1_000_000,
    rate_limit_reset=1_000_000,
    oauth_sandbox=True,
    auth_webhook_secrets=("a secret that signs auth webhooks", "v1,whsec_YSBzZWNyZXQgdGhhdCBzaWducyBob29rcw=="),
    transcription_api_key="sk-a-key-that-the-tests-never-use",
    password_memory_kib=8,
    password_passes=1,
    log_level="error",
    log_format="text",
)

TRANSPORT_HEADERS = {"content-length", "content-type", "date", "connection", "transfer-encoding"}
"""What HTTP itself puts on an answer; a contract declares what it adds."""
CORS_HEADERS = {"access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"}


@dataclass
class Server:
    base_url: str
    owner_url: str
    clock: Clock
    settings: Settings
    owner: psycopg.Connection
    """Kept open, for to connect costs more than most statements."""
    stop: Callable[[], None]
    """Tells it to stop, as a signal does."""

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Runs a statement as the owner, around the application."""
        cursor = self.owner.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def running_server(owner_url: str, **changes: Any) -> Iterator[Server]:
    """A server of its own settings on a free port."""
    with TemporaryDirectory(prefix="unpuzzle-media-") as media_dir:
        yield from _running_server(owner_url, {"media_dir": media_dir, **changes})


def _running_server(owner_url: str, changes: dict[str, Any]) -> Iterator[Server]:
    settings = replace(TEST_SETTINGS, **changes)
    roles = schema.prepare(owner_url, settings.secret_key)
    listener = serving.listen("127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = replace(
        settings,
        database_app_url=roles.app_url,
        database_worker_url=roles.worker_url,
        public_url=settings.public_url if "public_url" in changes else base_url,
    )
    clock = Clock()
    with (
        served(Observer(create_app(settings, clock)), listener) as uvicorn_server,
        psycopg.connect(owner_url, autocommit=True, prepare_threshold=None) as owner,
    ):
        yield Server(base_url, owner_url, clock, settings, owner, partial(setattr, uvicorn_server, "should_exit", True))


def wait_for(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


OBSERVED: Counter[tuple[str, int]] = Counter()
"""How often each operation gave each status, to whomever."""


class Observer:
    """Counts the answers of a server."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start" and (name := CONTRACT.operation_at(scope["method"], scope["path"])):
                OBSERVED[name, int(message["status"])] += 1
            await send(message)

        await self.app(scope, receive, seen)


class Contract:
    """Holds answers against the spec."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.operations = {operation.id: operation for operation in spec.operations()}
        for operation in self.operations.values():
            self.tree.add(operation.method, operation.path, operation.id)
        self.raw = {
            operation["operationId"]: operation
            for item in spec.document()["paths"].values()
            for method, operation in item.items()
            if method in spec.METHODS
        }

    def operation_at(self, method: str, path: str) -> str | None:
        found = self.tree.find(path)
        return found[0].methods[method][0] if found and method in found[0].methods else None

    def check(self, response: httpx.Response) -> None:
        """Fails unless an answer is as the spec says: what it must have is there, and nothing else is."""
        assert response.headers["x-request-id"]
        operation_id = self.operation_at(response.request.method, response.request.url.path)
        if operation_id is None:
            if response.status_code != 204:
                self._check_body("ErrorEnvelope", response)
            return
        declared = self.raw[operation_id]["responses"].get(str(response.status_code))
        assert declared is not None, f"{operation_id} does not declare {response.status_code}: {response.text[:500]}"
        declared = spec.resolve_once(declared)
        self._check_headers(operation_id, declared.get("headers", {}), response)
        self._check_content(operation_id, declared, response)

    def _check_headers(self, operation_id: str, declared: dict[str, Any], response: httpx.Response) -> None:
        for name, header in declared.items():
            required = spec.resolve_once(header).get("required", False)
            assert name in response.headers or not required, f"{operation_id}: {response.status_code} without {name}"
        undeclared = response.headers.keys() - {name.lower() for name in declared} - TRANSPORT_HEADERS
        undeclared -= CORS_HEADERS if "origin" in response.request.headers else set()
        assert not undeclared, f"{operation_id}: {response.status_code} with {undeclared}"

    def _check_content(self, operation_id: str, declared: dict[str, Any], response: httpx.Response) -> None:
        content = declared.get("content", {})
        if not content:
            assert not response.content, f"{operation_id}: {response.status_code} has a body"
            return
        media_type = response.headers["content-type"]
        assert media_type in content or "*/*" in content, f"{operation_id}: undeclared media type {media_type}"
        if media_type == "text/event-stream":
            self._check_events(operation_id, response)
        if media_type == "application/json" and "preference-applied" not in response.headers:
            validator = spec.compiled(content[media_type]["schema"])
            problems = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(response.json())]
            assert not problems, f"{operation_id}: {problems}"

    def _check_events(self, operation_id: str, response: httpx.Response) -> None:
        stream = self.operations[operation_id].stream
        assert stream is not None, f"{operation_id} does not stream"
        for event in Parser().feed(response.content):
            schema = stream.events.get(event.event, {"$ref": "#/components/schemas/ErrorEnvelope"})
            assert spec.compiled(schema).is_valid(json.loads(event.data)), f"{operation_id}: {event}"

    def _check_body(self, schema_name: str, response: httpx.Response) -> None:
        validator = spec.compiled({"$ref": f"#/components/schemas/{schema_name}"})
        assert validator.is_valid(response.json()), response.text[:500]


CONTRACT = Contract()
CHOICE = {"type": "multiple_choice", "question": "Which?", "options": [{"text": "this", "is_correct": True}, {"text": "that"}]}
"""A question that is right or wrong."""
NUMBERS = count(1)


@dataclass
class Person:
    """Somebody who is signed in."""

    api: "Api"
    id: str
    email: str
    tokens: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def __getattr__(self, method: str) -> Any:
        """`person.get(path, …)` and its like are sent with the person's token."""
        send = getattr(self.api, method)

        def sent(path: str, *, headers: dict[str, str] | None = None, **kwargs: Any) -> httpx.Response:
            response: httpx.Response = send(path, headers={**self.headers, **(headers or {})}, **kwargs)
            return response

        return sent

    def with_key(self, *scopes: str, **fields: Any) -> "Person":
        """The same person with an API key instead of a session."""
        made = self.post("/api/v1/auth/api-keys/", json={"name": "script", "scopes": list(scopes), **fields})
        assert made.status_code == 201, made.text
        return Person(self.api, self.id, self.email, {"access_token": made.json()["key"]})

    def course(self, **fields: Any) -> dict[str, Any]:
        """A draft of this instructor's."""
        response = self.post("/api/v1/instructor/courses/create/", json={"title": f"Course {next(NUMBERS)}", **fields})
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    def section(self, course: dict[str, Any], **fields: Any) -> dict[str, Any]:
        path = f"/api/v1/content/courses/{course['id']}/sections/"
        created: dict[str, Any] = self.post(path, json={"title": f"Section {next(NUMBERS)}", **fields}).json()
        return created

    def lesson(self, section: dict[str, Any], **fields: Any) -> dict[str, Any]:
        path = f"/api/v1/content/sections/{section['id']}/lessons/"
        created: dict[str, Any] = self.post(path, json={"title": f"Lesson {next(NUMBERS)}", **fields}).json()
        return created

    def quiz(self, lesson: dict[str, Any], *questions: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """A quiz of a lesson, of one question with two options unless others are given."""
        body = {"title": f"Quiz {next(NUMBERS)}", "questions": list(questions) or [CHOICE], **fields}
        response = self.post(f"/api/v1/content/lessons/{lesson['id']}/quizzes/", json=body)
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    def published_course(self, **fields: Any) -> dict[str, Any]:
        """A course in the catalogue, free unless `price` says otherwise."""
        ready = {"description": "What it is about", "price": 0, "category_id": self.api.category()["id"], **fields}
        course = self.course(**ready)
        self.lesson(self.section(course, is_published=True), body="<p>Text</p>")
        response = self.post(f"/api/v1/instructor/courses/{course['id']}/publish/")
        assert response.status_code == 200, response.text
        published: dict[str, Any] = response.json()
        return published


class Api:
    """Somebody who is not signed in."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = httpx.Client(base_url=server.base_url, timeout=30)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        response = answer(self.client, method, path, **kwargs)
        self.client.cookies.clear()  # cookies are a test of their own; here everybody sends what they mean to send
        CONTRACT.check(response)
        return response

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("PUT", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("DELETE", path, **kwargs)

    def sign_up(self, **fields: Any) -> Person:
        email = f"person{next(NUMBERS)}-{uuid4().hex[:8]}@example.com"
        body = {"email": email, "password": PASSWORD, "full_name": "Ada Lovelace", **fields}
        response = self.post("/api/v1/auth/signup/", json=body)
        assert response.status_code == 201, response.text
        return Person(self, response.json()["user"]["id"], body["email"], response.json())

    def sign_up_instructor(self) -> Person:
        person = self.sign_up()
        response = person.post("/api/v1/auth/instructor/apply/", json={})
        assert response.status_code == 201, response.text
        return person

    def sign_up_admin(self) -> Person:
        person = self.sign_up()
        self.server.sql("UPDATE users SET roles = '{student,instructor,admin}' WHERE id = %s", person.id)
        return person

    def category(self) -> dict[str, Any]:
        """A category of its own for whoever asks."""
        number = next(NUMBERS)
        rows = self.server.sql(
            "INSERT INTO categories (name, slug) VALUES (%s, %s) RETURNING id::text, slug",
            f"Category {number} {uuid4().hex[:6]}",
            f"category-{number}-{uuid4().hex[:6]}",
        )
        return {"id": rows[0][0], "slug": rows[0][1]}


def answer(client: httpx.Client, method: str, path: str, **kwargs: Any) -> httpx.Response:
    """The whole answer; of a stream, which may have no end, its beginning."""
    with client.stream(method, path, **kwargs) as response:
        if response.headers.get("content-type") != "text/event-stream":
            response.read()
        else:
            response._content = next(response.iter_bytes(), b"")
        return response


def code_of(response: httpx.Response) -> str:
    """The error code of a refusal."""
    code: str = response.json()["error"]["code"]
    return code


def fields_of(response: httpx.Response) -> set[str]:
    """The fields that a VALIDATION_ERROR or the like names."""
    return {detail["field"] for detail in response.json()["error"].get("details", [])}


def in_parallel(server: Server, acts: list[Callable[[Api], Any]]) -> list[Any]:
    """What several callers get who act at the same moment, each on a connection of its own."""
    together = threading.Barrier(len(acts))

    def once(act: Callable[[Api], Any]) -> Any:
        with Api(server) as caller:
            together.wait()
            return act(caller)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(once, acts))
