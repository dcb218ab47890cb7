"""What the SDK may cost, in CPU time: the best of several runs, as the machine has other work to do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from unpuzzle_sdk import Unpuzzle, models

CPU = """
import sys, time
sys.path[:0] = {path!r}
start = time.process_time()
{statement}
print(time.process_time() - start)
"""


@pytest.mark.parametrize(
    ("statement", "milliseconds"),
    [
        ("import unpuzzle_sdk", 30),
        ("import unpuzzle_sdk; unpuzzle_sdk.Unpuzzle().courses", 80),
        ("import unpuzzle_sdk; unpuzzle_sdk.AsyncUnpuzzle().courses", 80),
    ],
)
def test_starting(statement: str, milliseconds: float) -> None:
    command = [sys.executable, "-I", "-c", CPU.format(path=sys.path, statement=statement)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(5)]
    assert 1000 * min(map(float, runs)) <= milliseconds


def test_a_call_costs_at_most_60_microseconds_more_than_httpx(examples: dict[str, Any]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=examples["Health"]))
    with Unpuzzle(base_url="http://api", transport=transport) as client, httpx.Client(transport=transport) as bare:
        client.system.health()
        ours = best(client.system.health)
        theirs = best(lambda: bare.get("http://api/health/").json())
    assert ours - theirs <= 60e-6


def test_a_page_of_100_courses_is_decoded_in_3_milliseconds(examples: dict[str, Any]) -> None:
    page = json.dumps({**examples["CoursePage"], "results": [examples["CourseSummary"]] * 100})
    assert best(lambda: models.CoursePage.from_dict(json.loads(page)), 20) <= 3e-3


def best(act: Callable[[], Any], calls: int = 200) -> float:
    """The CPU seconds of one call, in the best of some rounds."""
    rounds = []
    for _ in range(7):
        start = time.process_time()
        for _ in range(calls):
            act()
        rounds.append((time.process_time() - start) / calls)
    return min(rounds)
