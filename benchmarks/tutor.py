"""How long until the first piece of the tutor's answer, beyond the model's own: python benchmarks/tutor.py [--rounds 100]

The model is the tests' stand-in without any delay, asked by the same client directly and through the server, in turns; the second
time with what the embedded tutor takes. It ends with 1 when the goal is missed.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from start import data_dir, served

sys.path.append(str(Path(__file__).parents[1] / "server" / "tests"))
from unpuzzle_server.seed.loader import ACCOUNTS
from vendor import Vendor

GOAL_MS = 50.0
QUESTION = "Why are there no braces?"
UNLIMITED = {"RATE_LIMIT_AUTHENTICATED": "1000000", "RATE_LIMIT_ANONYMOUS": "1000000", "RATE_LIMIT_SIGN_IN": "1000000"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    with Vendor() as vendor:
        model = {"OPENAI_API_KEY": "sk-any", "OPENAI_BASE_URL": vendor.url}
        direct, ours = measured(rounds, vendor, model)
    _, quoting = measured(rounds, None, {})
    beyond = statistics.median(ours) - statistics.median(direct)
    for name, found in {"the model alone": direct, "through the server": ours, "the embedded tutor": quoting}.items():
        high = statistics.quantiles(found, n=20)[-1]
        print(f"{name}: first piece after {statistics.median(found):.1f} ms, 95 % within {high:.1f} ms")
    print(f"beyond the model's own: {beyond:.1f} ms (goal: {GOAL_MS:.0f} ms)")
    return 0 if beyond < GOAL_MS else 1


def measured(rounds: int, vendor: Vendor | None, settings: dict[str, str]) -> tuple[list[float], list[float]]:
    """Milliseconds to the first piece, of the model and of a server with these settings."""
    with data_dir() as home, served(home, {**UNLIMITED, **settings}) as (ready, _), httpx.Client(timeout=30) as client:
        ask_server = asking(client, ready["base_url"])
        direct, ours = [], []
        for _ in range(rounds + 1):
            if vendor:
                direct.append(first_piece(client, f"{vendor.url}/chat/completions", chat(), '"content"'))
            ours.append(ask_server())
        return direct[1:], ours[1:]  # the first loads what is loaded late


def asking(client: httpx.Client, base_url: str) -> Callable[[], float]:
    """A question about a lesson of the demo, by an admin's grant without a limit."""
    token, lesson = prepared(client, base_url)
    body = {"message": QUESTION, "context": {"lesson_id": lesson}, "stream": True}
    headers = {"Authorization": f"Bearer {token}"}
    return lambda: first_piece(client, f"{base_url}/api/v1/ai-assistant/chat/send/", body, "message.delta", headers)


def prepared(client: httpx.Client, base_url: str) -> tuple[str, str]:
    """A token of somebody who may ask as often as they like, and the lesson."""
    api = f"{base_url}/api/v1"

    def signed_in(role: str) -> dict[str, str]:
        account = next(account for account in ACCOUNTS if account.role == role)
        told = client.post(f"{api}/auth/signin/", json={"email": account.email, "password": account.password}).json()
        return {"token": told["access_token"], "id": told["user"]["id"]}

    learner, admin = signed_in("student"), signed_in("admin")
    plan = {"plan": "enterprise", "daily_limit": None, "monthly_limit": None}
    granted = client.put(
        f"{api}/admin/users/{learner['id']}/plan/", json=plan, headers={"Authorization": f"Bearer {admin['token']}"}
    )
    assert granted.status_code == 200, granted.text
    curriculum = client.get(f"{api}/courses/introduction-to-python-programming/curriculum/").json()
    return learner["token"], curriculum["sections"][0]["lessons"][0]["id"]


def chat() -> dict[str, Any]:
    return {"model": "m", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}


def first_piece(client: httpx.Client, url: str, body: dict[str, Any], piece: str, headers: dict[str, str] | None = None) -> float:
    began = time.perf_counter()
    with client.stream("POST", url, json=body, headers=headers) as answer:
        found = [time.perf_counter() for line in answer.iter_lines() if piece in line]
        assert found, (answer.status_code, url)
    return (found[0] - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
