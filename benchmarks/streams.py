"""A thousand open streams on one web process: what they cost it, and how soon all of them are told.

`python benchmarks/streams.py [COUNT]` starts a server of its own with the demo catalogue; COUNT is a multiple of 20.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

PASSWORD = "learn-by-puzzling"
STREAMS_A_USER = 20
COMMAND = [str(Path(sys.executable).with_name("unpuzzle-server")), "serve", "--port", "0", "--json", "--no-worker"]
SETTINGS = {
    "RATE_LIMIT_ANONYMOUS": "1000000",
    "RATE_LIMIT_SIGN_UP": "1000000",
    "PASSWORD_MEMORY_KIB": "8",
    "PASSWORD_PASSES": "1",
    "LOG_LEVEL": "error",
}
UNLIMITED = httpx.Limits(max_connections=None, max_keepalive_connections=None)


class Watched:
    """Every stream, and when each was told last."""

    def __init__(self) -> None:
        self.begun = 0
        self.told: list[float] = []

    async def follow(self, client: httpx.AsyncClient, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with client.stream("GET", "/api/v1/notifications/stream/", headers=headers, timeout=60) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("id:") and not self.told:
                    self.begun += 1
                if line.startswith("data:"):
                    self.told.append(time.perf_counter())


def cpu(process: psutil.Process) -> float:
    """The seconds that the web process has computed."""
    used = process.cpu_times()
    return used.user + used.system


async def until(condition: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


async def measure(base_url: str, account: dict[str, str], process: psutil.Process, count: int) -> None:
    async with httpx.AsyncClient(base_url=base_url, limits=UNLIMITED, timeout=60) as client:
        signed_in = await client.post("/api/v1/auth/signin/", json={"email": account["email"], "password": account["password"]})
        teacher = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        courses = (await client.get("/api/v1/instructor/courses/", headers=teacher)).json()["results"]
        course = next(each for each in courses if each["status"] == "published")
        tokens = [await learner(client, course, number) for number in range(count // STREAMS_A_USER)]
        before, watched = process.memory_info().rss, Watched()
        began = time.perf_counter()
        following = [asyncio.create_task(watched.follow(client, token)) for token in tokens for _ in range(STREAMS_A_USER)]
        await until(lambda: watched.begun >= count)
        opened = time.perf_counter() - began
        print(
            f"{count} streams are open after {opened:.1f} s; {(process.memory_info().rss - before) / count / 1024:.0f} KiB each"
        )
        used = cpu(process)
        await asyncio.sleep(20)
        print(f"open, with heartbeats, they take {(cpu(process) - used) / 20:.1%} of a core")
        asked = time.perf_counter()
        await client.get("/api/v1/courses/")
        print(f"another request takes {1000 * (time.perf_counter() - asked):.0f} ms meanwhile")
        path, told = f"/api/v1/instructor/courses/{course['id']}/announcements/", {"title": "Hello", "message": "Everybody"}
        announced, used = time.perf_counter(), cpu(process)
        answer = await client.post(path, headers=teacher, json=told)
        assert answer.status_code == 201, answer.text
        answered = time.perf_counter() - announced
        await until(lambda: len(watched.told) >= count)
        delays = sorted(moment - announced for moment in watched.told)
        print(f"an announcement is answered after {answered:.2f} s; the streams are told after {delays[0]:.2f} s (the first), "
              f"{delays[len(delays) // 2]:.2f} s (half), {delays[-1]:.2f} s (all)")  # fmt: skip
        print(f"to tell one costs {1000 * (cpu(process) - used) / count:.1f} ms of CPU")
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


async def learner(client: httpx.AsyncClient, course: dict[str, Any], number: int) -> str:
    """Somebody new who takes the course."""
    body = {"email": f"watching-{number}@example.com", "password": PASSWORD, "full_name": "W"}
    token: str = (await client.post("/api/v1/auth/signup/", json=body)).json()["access_token"]
    if course["price"] == 0:
        await client.post(f"/api/v1/courses/{course['id']}/enroll/", headers={"Authorization": f"Bearer {token}"})
    else:
        method = {"payment_method_id": "pm_card_visa"}
        await client.post(f"/api/v1/courses/{course['id']}/enroll/", json=method, headers={"Authorization": f"Bearer {token}"})
    return token


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory(prefix="unpuzzle-streams-") as folder:
        Path(folder).chmod(0o755)
        command = [*COMMAND, "--data-dir", f"{folder}/data"]
        with subprocess.Popen(command, env={**os.environ, **SETTINGS}, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                ready = json.loads(server.stdout.readline())
                account = next(each for each in ready["accounts"] if each["role"] == "instructor")
                asyncio.run(measure(ready["base_url"], account, psutil.Process(ready["pid"]), count))
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
