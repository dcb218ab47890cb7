"""Structured logs: one JSON object a line, or plain text for people."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from unpuzzle_server.kernel.exchange import REQUEST_ID
from unpuzzle_server.kernel.settings import Settings

STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the call gave as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in STANDARD}


class JSONLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extra = " ".join(f"{key}={_printable(value)}" for key, value in fields(record).items())
        return f"{super().format(record)} {extra}".rstrip()


def _add_request_id(record: logging.LogRecord) -> bool:
    if request_id := REQUEST_ID.get(None):
        record.request_id = request_id
    return True


def _printable(value: Any) -> str:
    """A path may hold a line break, which must not look like a line of the log."""
    shown = str(value)
    return shown if shown.isprintable() else repr(shown)


def configure(settings: Settings) -> None:
    """Sends every log to stderr: stdout belongs to the command."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_request_id)
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    handler.setFormatter(JSONLines() if as_json else Text("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for talkative in ("connexion", "alembic", "celery", "httpx", "httpx2", "kombu", "pgmq", "stripe", "uvicorn"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
