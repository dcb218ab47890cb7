"""What clients cost: starting in interpreters of their own, and calls over the HTTP library that carries them."""

import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import httpx2
import openai
import psutil
from figures import Rounds
from peers.answers_server import FILE, SECTION, section_path

import unpuzzle_sdk

INTERPRETERS = 3
"""How many a round starts for each figure, which is their median."""
BELOW = {"ours": "httpx", "openai-python": "httpx2"}
"""The HTTP library that carries a client."""
TURNS, CALLS_A_TURN = 20, 100
TOKEN = "sk_test_token"
STEPS = {
    "import": {
        "ours": "import unpuzzle_sdk",
        "openai-python": "import openai",
        "stripe-python": "import stripe",
    },
    "first resource": {
        "ours": "from unpuzzle_sdk import Unpuzzle; Unpuzzle(token='{token}').courses",
        "openai-python": "from openai import OpenAI; OpenAI(api_key='{token}').models",
        "stripe-python": "from stripe import StripeClient; StripeClient('{token}').v1.customers",
    },
    "first answer": {
        "ours": (
            "from unpuzzle_sdk import Unpuzzle; "
            "Unpuzzle(token='{token}', base_url='{url}').content.get_section('{course}', '{section}')"
        ),
        "openai-python": "from openai import OpenAI; OpenAI(api_key='{token}', base_url='{url}').files.retrieve('{file}')",
    },
}
TIMED = """
import sys, time
began = time.process_time()
{code}
print(time.process_time() - began, flush=True)
sys.stdin.read()
"""
BARE = [sys.executable, "-c", "pass"]
VERSION = [Path(sys.executable).with_name("unpuzzle"), "--version"]
STARTS = 10


def by_step() -> dict[str, Rounds]:
    return {step: {name: [] for name in codes} for step, codes in STEPS.items()}


@dataclass
class Clients:
    cpu_ms: dict[str, Rounds] = field(default_factory=by_step)
    megabytes: dict[str, Rounds] = field(default_factory=by_step)
    """Resident after the step."""
    call_us: Rounds = field(default_factory=lambda: {name: [] for pair in BELOW.items() for name in pair})
    """CPU of a whole call, also through the bare HTTP libraries."""
    version_starts: list[float] = field(default_factory=list)
    """What `unpuzzle --version` costs, in starts of an interpreter that does nothing."""

    def overhead_us(self) -> Rounds:
        """What each client adds to its HTTP library, round by round."""
        return {
            client: [whole - bare for whole, bare in zip(self.call_us[client], self.call_us[library], strict=True)]
            for client, library in BELOW.items()
        }


def measure(port: int, rounds: int, say: Callable[[str], None]) -> Clients:
    url = f"http://127.0.0.1:{port}"
    found, calls = Clients(), same_calls(url)
    check(calls)
    gc.collect()
    gc.freeze()  # so that no call pays for what the others have imported
    one_round(Clients(), url, calls)  # warms up
    for number in range(1, rounds + 1):
        one_round(found, url, calls)
        shown = ", ".join(f"{name} {costs[-1]:.0f} µs" for name, costs in found.call_us.items())
        say(f"clients, round {number}: a call {shown}; import {found.cpu_ms['import']['ours'][-1]:.1f} ms")
    return found


def one_round(found: Clients, url: str, calls: dict[str, Callable[[], Any]]) -> None:
    for step, codes in STEPS.items():
        for name, code in codes.items():
            seen = [fresh(filled(code, url)) for _ in range(INTERPRETERS)]
            found.cpu_ms[step][name].append(median(seconds for seconds, _ in seen) * 1e3)
            found.megabytes[step][name].append(median(resident for _, resident in seen) / 1e6)
    for name, cost in by_turns(calls).items():
        found.call_us[name].append(cost * 1e6)
    found.version_starts.append(cpu_of_starts(VERSION) / cpu_of_starts(BARE))


def filled(code: str, url: str) -> str:
    return code.format(token=TOKEN, url=url, course=SECTION["course_id"], section=SECTION["id"], file=FILE["id"])


def fresh(code: str) -> tuple[float, int]:
    """Seconds of CPU for some code in an interpreter of its own, and the resident memory thereafter."""
    command = [sys.executable, "-c", TIMED.format(code=code)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        seconds = float(process.stdout.readline())
        return seconds, psutil.Process(process.pid).memory_info().rss


def same_calls(url: str) -> dict[str, Callable[[], Any]]:
    """A small resource by its id, with a token: through each client, and the same over its HTTP library alone."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    bare, bare2 = httpx.Client(headers=headers), httpx2.Client(headers=headers)
    ours = unpuzzle_sdk.Unpuzzle(token=TOKEN, base_url=url)
    theirs = openai.OpenAI(api_key=TOKEN, base_url=url)
    section, file = url + section_path(), f"{url}/files/{FILE['id']}"
    return {
        "httpx": lambda: bare.get(section).json(),
        "ours": lambda: ours.content.get_section(SECTION["course_id"], SECTION["id"]),
        "httpx2": lambda: bare2.get(file).json(),
        "openai-python": lambda: theirs.files.retrieve(FILE["id"]),
    }


def check(calls: dict[str, Callable[[], Any]]) -> None:
    """Fails unless every client reads the whole answer."""
    section, file = unpuzzle_sdk.models.Section.from_dict(SECTION), openai.types.FileObject.model_validate(FILE)
    answers = [calls["httpx"](), calls["ours"](), calls["httpx2"](), calls["openai-python"]()]
    assert answers == [SECTION, section, FILE, file], answers


def by_turns(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of CPU for a call, in short turns, so that all meet the same machine."""
    used = dict.fromkeys(calls, 0.0)
    for _ in range(TURNS):
        for name, call in calls.items():
            began = time.process_time()
            for _ in range(CALLS_A_TURN):
                call()
            used[name] += time.process_time() - began
    return {name: seconds / (TURNS * CALLS_A_TURN) for name, seconds in used.items()}


def cpu_of_starts(command: list[Any]) -> float:
    began = cpu_of_children()
    for _ in range(STARTS):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return cpu_of_children() - began


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
