"""Celery, which carries tasks to workers: over PostgreSQL (pgmq) or, with CELERY_BROKER_URL, over Redis or AMQP.

A message names its task and carries no arguments; those stay in `tasks`. Workers therefore acknowledge a message when they take
it: what happens to the task then is the table's business, the same with every broker. So are retries and delays: Celery would
hold their messages in the memory of a worker.

Imported by workers alone: it takes time and memory that a web process has no use for.
"""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from celery import Celery, signals
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES, memory, pgmq

from unpuzzle_server.kernel import tasks
from unpuzzle_server.kernel.settings import Settings

QUEUE = "unpuzzle"
POLL_SECONDS = 0.5
"""How often a worker looks that is not told, and sees that it is to stop: notifications wake it before."""
BUSY_SECONDS = 0.01
UNSEEN_SECONDS = 60
"""How long a message stays unseen that a worker has fetched and not begun with."""
REDIS = {"visibility_timeout": UNSEEN_SECONDS, "unacked_restore_interval": 10, "unacked_restore_throttle": 1}
LIBPQ = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}
"""What pgmq's client drops from a URL, and where libpq takes it from else."""


class PgmqChannel(pgmq.Channel):
    """The migration has made the queue, and `app.enqueue` notifies: a worker need not be allowed to change its table."""

    def _maybe_enable_notify(self, queue: str, queue_name: str | None = None) -> None:
        self.connection._register_notify_queue(queue_name or self._queue_name(queue))


class PgmqTransport(pgmq.Transport):
    Channel = PgmqChannel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """A worker that may fetch no more for now looks again soon: nothing notifies it that a task of its own has begun."""
        is_full = not all(channel.qos.can_consume() for channel in self.channels)
        self.polling_interval = BUSY_SECONDS if is_full else POLL_SECONDS
        super().drain_events(connection, min(timeout or POLL_SECONDS, POLL_SECONDS))


TRANSPORT_ALIASES["unpuzzle"] = f"{__name__}:PgmqTransport"


def connected(settings: Settings) -> Celery:
    """The Celery app of a deployment."""
    if settings.celery_broker_url:
        is_redis = settings.celery_broker_url.startswith("redis")
        return _celery(settings.celery_broker_url, Queue(QUEUE), REDIS if is_redis else {})
    url = settings.database_worker_url
    os.environ |= {LIBPQ[name]: value for name, value in parse_qsl(urlsplit(url).query) if name in LIBPQ}
    options = {
        "conn_string": url,
        "init_extension": False,
        "visibility_timeout": UNSEEN_SECONDS,
        "wait_time_seconds": 0,  # a long poll would hold one of PostgreSQL's sessions, and is slower than a notification
        "use_notify": True,
        "pool_size": 2,
        "pool_timeout": 1,
    }
    return _celery("unpuzzle://postgresql", Queue(QUEUE, no_declare=True), options)


def _celery(broker_url: str, queue: Queue, transport_options: dict[str, Any]) -> Celery:
    app = Celery("unpuzzle", broker=broker_url)
    app.conf.update(
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options=transport_options,
        task_default_queue=QUEUE,
        task_queues=[queue],
        task_ignore_result=True,
        worker_cancel_long_running_tasks_on_connection_loss=True,  # of those acknowledged late, and here none is
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=4,
        worker_redirect_stdouts=False,
    )
    app.set_default()  # else a pool of threads runs tasks on Celery's fallback app
    return app


def add_tasks(app: Celery, perform: Callable[[str], None]) -> None:
    """Every task under its name; a message of it performs the row that it is about."""

    def run(self: Any) -> None:
        perform(self.request.id)

    for name in tasks.TASKS:
        app.task(run, name=name, bind=True)


def publisher(app: Celery) -> Callable[[list[tuple[str, str]]], None]:
    def publish(due: list[tuple[str, str]]) -> None:
        with app.producer_or_acquire() as producer:
            for task_id, name in due:
                app.send_task(name, task_id=task_id, producer=producer, retry=False)

    return publish


def template() -> dict[str, Any]:
    """A message as Celery writes it, with {id} and {task} for what differs."""
    app = _celery("memory://here", Queue(QUEUE), {})
    publisher(app)([("{id}", "{task}")])
    message: dict[str, Any] = memory.Channel.queues.pop(QUEUE).get()
    message["properties"]["delivery_tag"] = "{id}"
    return message


def leave_logging_alone(**_: Any) -> None:
    """Celery sets logging up where nobody else does."""


signals.setup_logging.connect(leave_logging_alone)
