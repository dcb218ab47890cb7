"""What it costs to upload a large file: the SDK beside curl, which sends the same chunks one after another to the same server.

    python benchmarks/uploads.py [--megabytes 1024] [--rounds 3]

Fails when the SDK takes more than 1.5 times as long as curl, or the SDK or the server holds 150 MB or more.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import start
from figures import Spread, ratio, table

from unpuzzle_sdk import Unpuzzle, models

SETTINGS = {f"RATE_LIMIT_{name}": "1000000" for name in ("ANONYMOUS", "AUTHENTICATED", "SIGN_IN", "SIGN_UP")}
MOST_TIMES, MOST_MEGABYTES = 1.5, 150.0
BLOCK = 1024 * 1024
STARTS_LIKE_A_FILM = b"\0\0\0\x20ftypisom"
SENDER = """
import re, sys
from unpuzzle_sdk import Unpuzzle
with Unpuzzle(base_url=sys.argv[1], token=sys.argv[2]) as client:
    media_id = client.media.upload(sys.argv[3]).media_id
    print(media_id, re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


@dataclass
class Uploads:
    """One figure a round."""

    sdk_seconds: list[float] = field(default_factory=list)
    curl_seconds: list[float] = field(default_factory=list)
    sdk_megabytes: list[float] = field(default_factory=list)
    server_megabytes: list[float] = field(default_factory=list)
    """Resident memory of the web process at its highest, without PostgreSQL's."""


class Highest:
    """The most memory that a process was seen to hold."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.most = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.02):
                self.most = max(self.most, self.process.memory_info().rss)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def film(path: Path, megabytes: int) -> None:
    with path.open("wb") as file:
        file.write(STARTS_LIKE_A_FILM.ljust(BLOCK, b"\0"))
        for _ in range(megabytes - 1):
            file.write(os.urandom(BLOCK))


def chunks_of(path: Path, folder: Path, size: int) -> list[Path]:
    """The chunks as files, as curl wants them."""
    folder.mkdir()
    found = []
    with path.open("rb") as file:
        while chunk := file.read(size):
            found.append(folder / f"{len(found):05}")
            found[-1].write_bytes(chunk)
    return found


def by_curl(target: models.UploadTarget, chunks: list[Path]) -> None:
    """One process and one connection for all of them."""
    lines, first = [], 0
    for chunk in chunks:
        size = chunk.stat().st_size
        # Not by `upload-file`, which would put the file's name behind the last slash of the address.
        lines += [f'url = "{target.upload_url}"', 'request = "PUT"', f'data-binary = "@{chunk}"']
        lines += ['output = "/dev/null"', "fail", "silent"]
        lines += [f'header = "{name}: {value}"' for name, value in target.headers.to_dict().items()]
        lines += [f'header = "Content-Range: bytes {first}-{first + size - 1}/*"', 'header = "Expect:"', "next"]
        first += size
    with tempfile.NamedTemporaryFile("w", suffix=".curl") as config:
        config.write("\n".join(lines[:-1]))
        config.flush()
        subprocess.run(["curl", "--config", config.name], check=True)


def measure(megabytes: int, rounds: int, say: Any) -> Uploads:
    found = Uploads()
    with ExitStack() as stack:
        home = stack.enter_context(start.data_dir())
        with start.served(home / "data", SETTINGS):
            """The first start is one of a kind: it makes the database."""
        ready, _ = stack.enter_context(start.served(home / "data", SETTINGS))
        teacher = next(account for account in ready["accounts"] if account["role"] == "instructor")
        path = home / "film.mp4"
        film(path, megabytes)
        with Unpuzzle(base_url=ready["base_url"], timeout=600) as client:
            token = client.auth.sign_in(email=teacher["email"], password=teacher["password"]).access_token
            kind: Any = "video/mp4"
            about = {"filename": path.name, "file_size": path.stat().st_size, "content_type": kind}
            chunks = chunks_of(path, home / "chunks", 5 * BLOCK)
            highest = Highest(ready["pid"])
            for number in range(1, rounds + 1):
                began = time.perf_counter()
                with highest.watched():
                    command = [sys.executable, "-c", SENDER, ready["base_url"], token, str(path)]
                    media_id, memory = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                found.sdk_seconds.append(time.perf_counter() - began)
                found.sdk_megabytes.append(int(memory) * 1024 / 1e6)
                client.media.delete(media_id)
                began = time.perf_counter()
                with highest.watched():
                    target = client.media.initiate_upload(**about)
                    by_curl(target, chunks)
                    client.media.complete_upload(upload_id=target.upload_id)
                found.curl_seconds.append(time.perf_counter() - began)
                found.server_megabytes.append(highest.most / 1e6)
                client.media.delete(target.upload_id)
                seconds = (found.sdk_seconds[-1], found.curl_seconds[-1])
                memory = (found.sdk_megabytes[-1], found.server_megabytes[-1])
                say("round {}: SDK {:.1f} s, curl {:.1f} s; SDK {:.0f} MB, server {:.0f} MB".format(number, *seconds, *memory))
    return found


def rows(found: Uploads, megabytes: int) -> list[list[str]]:
    times = ratio(found.sdk_seconds, found.curl_seconds)
    return [
        [f"{megabytes} MiB by the SDK, s", str(Spread.of(found.sdk_seconds)), ""],
        ["the same chunks by curl, s", str(Spread.of(found.curl_seconds)), ""],
        ["the SDK's time in times of curl's", str(times), f"≤ {MOST_TIMES}"],
        ["the SDK, MB resident at most", str(Spread.of(found.sdk_megabytes)), f"< {MOST_MEGABYTES:.0f}"],
        ["the server, MB resident at most", str(Spread.of(found.server_megabytes)), f"< {MOST_MEGABYTES:.0f}"],
    ]


def missed(found: Uploads) -> list[str]:
    figures = {
        "the SDK beside curl": (ratio(found.sdk_seconds, found.curl_seconds).middle, MOST_TIMES),
        "the SDK's memory": (max(found.sdk_megabytes), MOST_MEGABYTES),
        "the server's memory": (max(found.server_megabytes), MOST_MEGABYTES),
    }
    return [f"{name} is {figure:.2f}, more than {most}" for name, (figure, most) in figures.items() if figure > most]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = measure(options.megabytes, options.rounds, lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps(vars(found)))
    print(table(["", "median (least – most)", "goal"], rows(found, options.megabytes)))
    for goal in missed(found):
        print(f"missed: {goal}", file=sys.stderr)
    return 1 if missed(found) else 0


if __name__ == "__main__":
    sys.exit(main())
