"""Kill -9 of the client, and of the server, at a random part of an upload: what was begun is finished, and equal byte for byte.

A client that was killed is started again with `resume`; one whose server was killed goes on by itself when that is back. Each
connection may have one part to send again, the one that was on its way.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from files import made
from server_fixtures import open_folder

from unpuzzle_sdk import Unpuzzle
from unpuzzle_server.seed.loader import ACCOUNTS
from unpuzzle_server.serving import listen

CLIENTS, SERVERS = 50, 20
PARTS, CONNECTIONS = 12, 4
SIZE = (PARTS - 1) * 5 * 2**20 + 4321
LIMITS = {f"RATE_LIMIT_{name}": "1000000" for name in ("ANONYMOUS", "AUTHENTICATED", "SIGN_IN")}
SERVE = [sys.executable, "-W", "ignore", "-c", "from unpuzzle_server.main import app; app()", "serve", "--json"]
CLIENT = """
import sys
from unpuzzle_sdk import Unpuzzle, uploads

send_once = uploads.Uploads._send_once

def told(self, job, lane, number, data, sha1):
    print(f"sends {number}\\n", end="", flush=True)
    send_once(self, job, lane, number, data, sha1)

uploads.Uploads._send_once = told
url, token, path, *resume = sys.argv[1:]
with Unpuzzle(base_url=url, token=token) as client:
    tell = lambda step: print(f"has {step.upload_id} {step.sent}\\n", end="", flush=True)
    done = client.media.upload(path, resume=resume[0] if resume else None, on_progress=tell)
    print("done", done.media_id, done.cdn_url, flush=True)
"""


@dataclass
class Run:
    """What one upload has come to, over all its clients."""

    sent: Counter[int] = field(default_factory=Counter)
    """How often each part was sent."""
    upload_id: str = ""
    cdn_url: str = ""

    @property
    def again(self) -> int:
        return sum(1 for times in self.sent.values() if times > 1)

    def hear(self, line: str) -> str:
        match line.split():
            case ["sends", number]:
                self.sent[int(number)] += 1
            case ["has", upload_id, _]:
                self.upload_id = upload_id
            case ["done", _, url]:
                self.cdn_url = url
        return line


class Server:
    """One that is started again at its address with what it had."""

    def __init__(self, home: Path) -> None:
        with listen("127.0.0.1", 0) as free:
            self.port = free.getsockname()[1]
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [*SERVE, "--port", str(self.port), "--data-dir", str(self.home / "data")]
        environment = {**os.environ, **LIMITS}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        assert self.process.stdout
        assert json.loads(self.process.stdout.readline())["pid"] == self.process.pid

    def kill(self) -> None:
        assert self.process
        assert self.process.stdout
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def client(self) -> Unpuzzle:
        teacher = next(account for account in ACCOUNTS if account.role == "instructor")
        client = Unpuzzle(base_url=self.url)
        client.auth.sign_in(email=teacher.email, password=teacher.password)
        return client


@contextmanager
def sending(server: Server, path: Path, *resume: str) -> Iterator[subprocess.Popen[str]]:
    with server.client() as client:
        token = client.auth.refresh().access_token
    command = [sys.executable, "-c", CLIENT, server.url, token, str(path), *resume]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


def upload(server: Server, path: Path, victim: str) -> Run:
    """One upload, in the course of which the victim is killed."""
    run, moment = Run(), random.randint(1, PARTS - 1)
    with sending(server, path) as process:
        assert process.stdout
        heard = 0
        for line in process.stdout:
            heard += run.hear(line).startswith("has")
            if heard > moment:
                break
        if victim == "client":
            process.kill()
        else:
            server.kill()
            server.start()
        for line in process.stdout:
            run.hear(line)
    if victim == "client":
        with sending(server, path, run.upload_id) as process:
            assert process.stdout
            for line in process.stdout:
                run.hear(line)
    return run


def faults_of(run: Run, data: bytes) -> Iterator[str]:
    if not run.cdn_url:
        yield "it did not end"
        return
    came = httpx.get(run.cdn_url, timeout=60).content
    if hashlib.sha256(came).digest() != hashlib.sha256(data).digest():
        yield f"{len(came)} other bytes came"
    if run.again > CONNECTIONS:
        yield f"{run.again} parts were sent again"
    if set(run.sent) != set(range(1, PARTS + 1)):
        yield "not every part was sent"


def play(kills: dict[str, int]) -> list[str]:
    faults: list[str] = []
    with open_folder() as home:
        server, path, data = Server(home), home / "film.mp4", made(SIZE)
        path.write_bytes(data)
        server.start()
        try:
            for victim, runs in kills.items():
                again: Counter[int] = Counter()
                for number in range(1, runs + 1):
                    run = upload(server, path, victim)
                    found = [*faults_of(run, data)]
                    faults += [f"{victim} {number}: {fault}" for fault in found]
                    again[run.again] += 1
                    print(
                        f"{victim} {number}/{runs}: {run.again} parts again{', ' if found else ''}{'; '.join(found)}", flush=True
                    )
                    forget(server, run)
                print(f"{victim}: {runs} kills; parts sent again: {dict(sorted(again.items()))}", flush=True)
        finally:
            server.kill()
    return faults


def forget(server: Server, run: Run) -> Any:
    """So that the disk does not fill."""
    if run.cdn_url:
        with server.client() as client:
            client.media.delete(run.upload_id)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=CLIENTS, help="kills of the client")
    parser.add_argument("--servers", type=int, default=SERVERS, help="kills of the server")
    parser.add_argument("--runs", type=int, help="both, as the other scripts take it")
    options = parser.parse_args()
    kills = {"client": options.runs or options.clients, "server": options.runs or options.servers}
    faults = play(kills)
    print(f"{sum(kills.values())} kills, {len(faults)} faults", *faults, sep="\n  ")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
