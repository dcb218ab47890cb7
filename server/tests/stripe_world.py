"""The embedded Stripe alone on a real socket, the vendor's own library as its client, and somebody who takes its events."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import stripe
import uvicorn

from harness import Server, wait_for
from unpuzzle_server import serving
from unpuzzle_server.app import wire
from unpuzzle_server.embedded_stripe.app import PREFIX, EmbeddedStripe
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.database import Database
from unpuzzle_server.kernel.runner import Runner

KEY = b"a key that only these tests know"
TAKE_DELIVERIES = "SELECT id::text FROM tasks WHERE name = 'embedded_stripe.deliver' ORDER BY created_at, id"


@dataclass
class Receiver:
    """Whom events are sent to."""

    url: str
    taken: list[stripe.Event] = field(default_factory=list)
    refuses: int = 0
    """How many deliveries it still refuses."""
    secret: str = ""

    def types(self) -> list[str]:
        return sorted(event.type for event in self.taken)


@dataclass
class Embedded:
    """The part under test, and what its tests need of it."""

    base_url: str
    app: EmbeddedStripe
    server: Server
    clock: Clock
    receiver: Receiver
    http: stripe.HTTPClient

    @property
    def client(self) -> stripe.StripeClient:
        return self.client_with(self.app.secret_key)

    def client_with(self, key: str, http: stripe.HTTPClient | None = None) -> stripe.StripeClient:
        return stripe.StripeClient(
            key, base_addresses={"api": self.base_url}, max_network_retries=0, http_client=http or self.http
        )

    def at_once(self, times: int, act: Callable[[stripe.StripeClient], Awaitable[Any]]) -> list[Any]:
        """What so many callers get who ask at the same moment; refusals among it."""

        async def asking() -> list[Any]:
            http = stripe.HTTPXClient()
            try:
                client = self.client_with(self.app.secret_key, http)
                return await asyncio.gather(*(act(client) for _ in range(times)), return_exceptions=True)
            finally:
                await http.close_async()

        return asyncio.run(asking())

    def send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.app.secret_key}", **kwargs.pop("headers", {})}
        return httpx.request(method, self.base_url + path, headers=headers, **kwargs)

    def pass_time(self, **span: float) -> None:
        self.clock.offset += timedelta(**span)

    def deliver(self) -> None:
        """Does what a worker does with the deliveries that were asked for, each once."""
        asyncio.run(self._work(TAKE_DELIVERIES))

    def events(self, about: Any = None) -> list[str]:
        """The types of the events about an object, oldest first."""
        where = "data->'data'->'object'->>'id' = %s" if about else "%s::text IS NULL"
        statement = f"SELECT data->>'type' FROM embedded_stripe.objects WHERE kind = 'event' AND {where} ORDER BY seq"
        return [row[0] for row in self.server.sql(statement, about and about.id)]

    async def _work(self, query: str) -> None:
        kernel = wire(self.server.settings, self.clock)
        kernel.gateways["embedded_stripe"] = self.app
        worker = Database(self._worker_settings, self.clock)
        runner = Runner(type(kernel)(**{**vars(kernel), "database": worker}), lambda _: None)
        try:
            for (task_id,) in self.server.sql(query):
                self.server.sql("UPDATE tasks SET state = 'sent' WHERE id = %s", task_id)
                await runner.perform(task_id)
        finally:
            await worker.close()
            await kernel.database.close()

    @property
    def _worker_settings(self) -> Any:
        settings = self.server.settings
        return type(settings)(**{**vars(settings), "database_app_url": settings.database_worker_url})


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            event = stripe.Webhook.construct_event(payload, self.headers["Stripe-Signature"], found.secret)
            refused = found.refuses > 0
            found.refuses -= refused
            if not refused:
                found.taken.append(event)
            self.send_response(500 if refused else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as listening:
        found = Receiver(f"http://127.0.0.1:{listening.server_port}/webhook")
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield found
        listening.shutdown()


@contextmanager
def running_stripe(server: Server, receiver: Receiver) -> Iterator[Embedded]:
    clock = Clock()
    database = Database(server.settings, clock)
    listener = serving.listen("127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}{PREFIX}"
    app = EmbeddedStripe(base_url, KEY, database, clock, receiver.url)
    receiver.secret = app.webhook_secret
    uvicorn_server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_for(lambda: uvicorn_server.started)
    http = stripe.RequestsClient()
    yield Embedded(base_url, app, server, clock, receiver, http)
    http.close()
    uvicorn_server.should_exit = True
    thread.join(timeout=10)
    asyncio.run(database.close())
