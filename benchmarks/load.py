"""The client: a process of its own, which reads its job from stdin and writes what it saw to stdout, both in JSON.

Raw sockets, kept open, one request at a time on each: the client must cost less than what it measures.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from itertools import cycle
from typing import Any

import uvloop


class Connection(asyncio.Protocol):
    """Sends a request whenever the answer before is complete, until the job is done."""

    def __init__(self, job: "Job") -> None:
        self.job = job
        self.received = b""
        self.sent = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = self.job.next()
        if request is None:
            self.transport.close()
            return
        self.sent = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or len(body) < content_length(head):
            return
        self.job.saw(int(head[9:12]), time.perf_counter() - self.sent)
        self.received = b""
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        self.job.lost(self)


def content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


class Job:
    def __init__(self, requests: list[bytes], seconds: float, most: int) -> None:
        self.requests = cycle(requests)
        self.left = most
        self.ends = time.perf_counter() + seconds
        self.statuses: Counter[int] = Counter()
        self.waits: list[float] = []
        self.open: set[Connection] = set()
        self.done = asyncio.Event()

    def next(self) -> bytes | None:
        if self.left == 0 or time.perf_counter() > self.ends:
            return None
        self.left -= 1
        return next(self.requests)

    def saw(self, status: int, wait: float) -> None:
        self.statuses[status] += 1
        self.waits.append(wait)

    def lost(self, connection: Connection) -> None:
        self.open.discard(connection)
        if not self.open:
            self.done.set()


def encoded(request: dict[str, Any]) -> bytes:
    body = json.dumps(request["body"]).encode() if "body" in request else b""
    headers = {"Host": "127.0.0.1", "Accept": "*/*", "User-Agent": "benchmark", **request.get("headers", {})}
    if body:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [
        f"{request.get('method', 'GET')} {request['path']} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def main(given: dict[str, Any]) -> dict[str, Any]:
    job = Job([encoded(request) for request in given["requests"]], given["seconds"], given["most"])
    began = time.perf_counter()
    for _ in range(given["connections"]):
        connection = Connection(job)
        job.open.add(connection)
        await asyncio.get_running_loop().create_connection(lambda made=connection: made, "127.0.0.1", given["port"])
    await job.done.wait()
    seconds = time.perf_counter() - began
    waits = sorted(job.waits)
    return {
        "seconds": seconds,
        "statuses": dict(job.statuses),
        "p99_ms": waits[len(waits) * 99 // 100] * 1e3,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(json.load(sys.stdin)))))
