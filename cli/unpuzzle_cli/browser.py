"""Signing in by the browser: a server on this machine waits for the person to come back from the provider (RFC 8252)."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from unpuzzle_cli.errors import CommandError

SECONDS = 300
IDLE_SECONDS = 2
"""How long a connection may say nothing: browsers open some that they do not use."""
PATH = "/callback"
PAGE = """<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">
<title>Unpuzzle</title>
<style>body {{ font: 18px/1.5 system-ui, sans-serif; margin: 20vh auto; max-width: 28rem; padding: 0 1rem }}</style>
<h1>{title}</h1><p>{text}</p></html>"""
Said = dict[str, str]


class Waiting(ThreadingHTTPServer):
    """Listens on a free port of the loopback address until somebody comes back."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Returned)
        self.said: queue.Queue[Said] = queue.Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PATH}"

    def answer(self, state: str, seconds: float = SECONDS) -> Said:
        """What the person came back with from the attempt of this state."""
        threading.Thread(target=self.serve_forever, args=[0.1], daemon=True).start()
        deadline = time.monotonic() + seconds
        try:
            while (said := self.said.get(timeout=max(0, deadline - time.monotonic()))).get("state") != state:
                pass
        except queue.Empty:
            raise CommandError("Nobody came back from the browser.", "Try again: unpuzzle auth login --provider …") from None
        finally:
            self.shutdown()
        return said

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: a browser may break off what it has opened."""


class Returned(BaseHTTPRequestHandler):
    """Takes what the query holds, and tells the person to go back to the terminal."""

    server: Waiting
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != PATH:
            self.send_error(404)
            return
        said = {name: values[0] for name, values in parse_qs(parts.query).items()}
        title = "Back to your terminal" if "code" in said else "Not signed in"
        page = PAGE.format(title=title, text="You can close this page.").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(page)
        self.server.said.put(said)  # last, since what waits for it ends the process

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
        """Says nothing: the query holds a code."""


@contextmanager
def waiting() -> Iterator[Waiting]:
    server = Waiting()
    try:
        yield server
    finally:
        server.server_close()


def code_of(said: Said) -> str:
    """The provider's code; raises CommandError with the provider's words where it gave none."""
    if "code" in said:
        return said["code"]
    raise CommandError(f"{said.get('provider', 'The provider')} said: {said.get('error_description') or said.get('error')}.", "")


def open_page(url: str, opened: Callable[[str], bool] | None = None) -> bool:
    """Whether a browser was opened; on a machine without one, the person opens the page elsewhere."""
    import webbrowser

    try:
        return (opened or webbrowser.open)(url)
    except webbrowser.Error:
        return False
