"""Backblaze's own simulator of B2 (`b2sdk.RawSimulator`) behind HTTP, so that the real client and plain HTTP talk to it."""

import hashlib
import inspect
import io
import json
import re
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from b2sdk.v3 import BucketSimulator, RawSimulator
from b2sdk.v3.exception import B2Error

SMALLEST_PART = 100
LARGEST_COPY = 5_000_000_000
FAKE = "https://upload.example.com/part/"
"""Where the simulator believes that parts go."""


class Simulator:
    """One account with one private bucket."""

    def __init__(self) -> None:
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"simulator": self}))
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        matcher = RawSimulator.DOWNLOAD_URL_MATCHER.pattern.replace(RawSimulator.DOWNLOAD_URL, self.url)
        here: dict[str, Any] = {"API_URL": self.url, "DOWNLOAD_URL": self.url, "MIN_PART_SIZE": SMALLEST_PART}
        here["DOWNLOAD_URL_MATCHER"] = re.compile(matcher)
        here["BUCKET_SIMULATOR_CLASS"] = type("Bucket", (BucketSimulator,), {"MAX_SIMPLE_COPY_SIZE": LARGEST_COPY})
        self.raw = type("Here", (RawSimulator,), here)()
        self.key_id, self.key = self.raw.create_account()
        self.lock = threading.RLock()
        self.tokens: dict[str, str] = {}
        """What each upload token is for: a large file, or an address of the simulator's."""
        self.broken = ""
        """The operation that answers with 503."""
        authorized = self.raw.authorize_account(self.url, self.key_id, self.key)
        token = authorized["authorizationToken"]
        self.bucket = self.raw.create_bucket(self.url, token, self.key_id, "media", "allPrivate")["bucketName"]

    @property
    def files(self) -> list[tuple[str, str]]:
        """The names of everything that is kept, and whether it is whole."""
        bucket = self.raw.bucket_name_to_bucket[self.bucket]
        return sorted((file.name, file.action) for file in bucket.file_id_to_file.values())

    def call(self, name: str, token: str, arguments: dict[str, Any]) -> Any:
        """An operation of the API, with what the simulator knows of its arguments."""
        values = {_snake(key): value for key, value in arguments.items() if value is not None}
        if name == "get_file_info":
            name = "get_file_info_by_id"
        if name == "list_parts":
            values = {"start_part_number": 1, "max_part_count": 100, **values}
        if name == "copy_file":
            values["new_file_name"] = values.pop("file_name")
        operation = getattr(self.raw, name)
        known = inspect.signature(operation).parameters
        found = operation(self.url, token, **{key: value for key, value in values.items() if key in known})
        if name == "copy_file":
            self.raw.file_id_to_bucket_id[found["fileId"]] = found["bucketId"]  # which it forgets
        if name == "get_upload_part_url":
            return {**found, "uploadUrl": f"{self.url}/part", "authorizationToken": self._token(values["file_id"])}
        if name == "get_upload_url":
            return {**found, "uploadUrl": f"{self.url}/file", "authorizationToken": self._token(found["uploadUrl"])}
        return found

    def _token(self, purpose: str) -> str:
        token = hashlib.sha256(f"{purpose} {len(self.tokens)}".encode()).hexdigest()
        self.tokens[token] = purpose
        return token


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    simulator: Simulator

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(lambda: self._posted(urlsplit(self.path).path, body))

    def _posted(self, path: str, body: bytes) -> Any:
        token = self.headers.get("Authorization", "")
        if found := re.fullmatch(r"/b2api/v\d+/b2_(\w+)", path):
            if found[1] == "authorize_account":
                return self._authorized()
            return self.simulator.call(found[1], token, json.loads(body))
        purpose = self.simulator.tokens.get(token)
        if purpose is None:
            return 401, {"status": 401, "code": "bad_auth_token", "message": "Invalid authorization token"}
        sha1, content = self.headers["X-Bz-Content-Sha1"], io.BytesIO(body)
        if path == "/part":
            number = int(self.headers["X-Bz-Part-Number"])
            return self.simulator.raw.upload_part(FAKE + purpose, FAKE + purpose, number, len(body), sha1, content)
        name, kind = unquote(self.headers["X-Bz-File-Name"]), self.headers["Content-Type"]
        return self.simulator.raw.upload_file(purpose, purpose, name, len(body), kind, sha1, {}, content)

    def do_GET(self) -> None:
        if self.path.endswith("/b2_authorize_account"):
            self._answer(self._authorized)
        else:
            self._answer(self._downloaded)

    def do_HEAD(self) -> None:
        self._answer(self._downloaded)

    def _authorized(self) -> Any:
        key_id, key = b64decode(self.headers["Authorization"].split()[1]).decode().split(":")
        return self.simulator.raw.authorize_account(self.simulator.url, key_id, key)

    def _downloaded(self) -> Any:
        parts = urlsplit(self.path)
        token = self.headers.get("Authorization") or parse_qs(parts.query).get("Authorization", [""])[0]
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        between = (int(asked[1]), int(asked[2])) if asked else None
        found = self.simulator.raw.download_file_from_url(token, self.simulator.url + parts.path, range_=between)
        with found as response:
            content = b"".join(response.iter_content(65536))
            return 206 if asked else 200, content, dict(response.headers)

    def _answer(self, act: Any) -> None:
        with self.simulator.lock:
            if self.simulator.broken and self.path.endswith(f"b2_{self.simulator.broken}"):
                self._send(503, {"status": 503, "code": "service_unavailable", "message": "busy"}, {})
                return
            try:
                found = act()
            except (B2Error, KeyError, TypeError) as error:
                unknown = "file_not_present" if isinstance(error, KeyError) else None
                code = getattr(error, "code", unknown) or re.sub(r"(?<!^)([A-Z])", r"_\1", type(error).__name__).lower()
                status = 401 if "auth" in code else 400
                found = status, {"status": status, "code": code, "message": str(error)}
        status, body, *headers = found if isinstance(found, tuple) else (200, found)
        self._send(status, body, headers[0] if headers else {})

    def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body, default=_plain).encode()
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return value.value if isinstance(value, Enum) else str(value)


def _snake(name: str) -> str:
    return re.sub(r"([A-Z]|(?<=[a-z])\d)", lambda found: f"_{found[1].lower()}", name).replace("sha_1", "sha1")


@contextmanager
def running() -> Iterator[Simulator]:
    simulator = Simulator()
    thread = threading.Thread(target=simulator.http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield simulator
    finally:
        simulator.http.shutdown()
        simulator.http.server_close()
        thread.join()
