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

import anthropic
import httpx
import httpx2
import openai
import psutil
import requests
import stripe
from figures import Rounds
from githubkit import GitHub
from peers.answers_server import CUSTOMER, FILE, LICENSE, MODEL, PATHS, SECTION, section_path

import unpuzzle_sdk

INTERPRETERS = 3
"""How many a round starts for each figure, which is their median."""
BELOW = {
    "ours": "httpx",
    "openai-python": "httpx2",
    "anthropic": "httpx2 (anthropic)",
    "stripe-python": "requests",
    "githubkit": "httpx (githubkit)",
}
"""The HTTP library that carries a client."""
TURNS, CALLS_A_TURN = 20, 100
TOKEN = "sk_test_token"
STEPS = {
    "import": {
        "ours": "import unpuzzle_sdk",
        "openai-python": "import openai",
        "anthropic": "import anthropic",
        "stripe-python": "import stripe",
        "githubkit": "import githubkit",
    },
    "first resource": {
        "ours": "from unpuzzle_sdk import Unpuzzle; Unpuzzle(token='{token}').courses",
        "openai-python": "from openai import OpenAI; OpenAI(api_key='{token}').models",
        "anthropic": "from anthropic import Anthropic; Anthropic(api_key='{token}').models",
        "stripe-python": "from stripe import StripeClient; StripeClient('{token}').v1.customers",
        "githubkit": "from githubkit import GitHub; client = GitHub('{token}'); client.rest.licenses",
    },
    "first answer": {
        "ours": (
            "from unpuzzle_sdk import Unpuzzle; "
            "Unpuzzle(token='{token}', base_url='{url}').content.get_section('{course}', '{section}')"
        ),
        "openai-python": "from openai import OpenAI; OpenAI(api_key='{token}', base_url='{url}').files.retrieve('{file}')",
        "anthropic": (
            "from anthropic import Anthropic; Anthropic(api_key='{token}', base_url='{url}').models.retrieve('{model}')"
        ),
        "stripe-python": (
            "from stripe import StripeClient; "
            "StripeClient('{token}', base_addresses={{'api': '{url}'}}).v1.customers.retrieve('{customer}')"
        ),
        "githubkit": (
            "from githubkit import GitHub; client = GitHub('{token}', base_url='{url}'); client.rest.licenses.get('{license}')"
        ),
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
    ids = {"file": FILE["id"], "model": MODEL["id"], "customer": CUSTOMER["id"], "license": LICENSE["key"]}
    return code.format(token=TOKEN, url=url, course=SECTION["course_id"], section=SECTION["id"], **ids)


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
    bare, bare2, session = httpx.Client(headers=headers), httpx2.Client(headers=headers), requests.Session()
    session.headers.update(headers)
    ours = unpuzzle_sdk.Unpuzzle(token=TOKEN, base_url=url)
    of_openai = openai.OpenAI(api_key=TOKEN, base_url=url)
    of_anthropic = anthropic.Anthropic(api_key=TOKEN, base_url=url)
    of_stripe = stripe.StripeClient(TOKEN, base_addresses={"api": url})
    of_github = GitHub(TOKEN, base_url=url, http_cache=False, auto_retry=False)
    of_github.__enter__()  # else it makes an HTTP client for each call
    section, paths = url + section_path(), {peer: url + path for peer, path in PATHS.items()}
    return {
        "httpx": lambda: bare.get(section).json(),
        "ours": lambda: ours.content.get_section(SECTION["course_id"], SECTION["id"]),
        "httpx2": lambda: bare2.get(paths["openai-python"]).json(),
        "openai-python": lambda: of_openai.files.retrieve(FILE["id"]),
        "httpx2 (anthropic)": lambda: bare2.get(paths["anthropic"]).json(),
        "anthropic": lambda: of_anthropic.models.retrieve(MODEL["id"]),
        "requests": lambda: session.get(paths["stripe-python"]).json(),
        "stripe-python": lambda: of_stripe.v1.customers.retrieve(CUSTOMER["id"]),
        "httpx (githubkit)": lambda: bare.get(paths["githubkit"]).json(),
        "githubkit": lambda: of_github.rest.licenses.get(LICENSE["key"]).parsed_data,
    }


def check(calls: dict[str, Callable[[], Any]]) -> None:
    """Fails unless every client reads the whole answer."""
    assert calls["httpx"]() == SECTION
    assert calls["ours"]() == unpuzzle_sdk.models.Section.from_dict(SECTION)
    assert calls["openai-python"]() == openai.types.FileObject.model_validate(FILE)
    assert (calls["httpx2"](), calls["httpx2 (anthropic)"](), calls["requests"]()) == (FILE, MODEL, CUSTOMER)
    assert (calls["anthropic"]().id, calls["stripe-python"]().email) == (MODEL["id"], CUSTOMER["email"])
    assert (calls["httpx (githubkit)"](), calls["githubkit"]().spdx_id) == (LICENSE, LICENSE["spdx_id"])


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
