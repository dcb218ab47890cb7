"""What the servers answer over a socket, on one PostgreSQL with 10,000 courses."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

import catalogue
from servers import HERE, Server, postgres_cpu_seconds

CONNECTIONS = 16
WITH_KEY = "enrollments.enroll with an Idempotency-Key"
Requests = list[dict[str, Any]]


@dataclass(frozen=True)
class Scenario:
    name: str
    requests: Requests
    status: int
    compared: bool = False
    """Whether all servers must answer with the same JSON; where they make ids and tokens, with the same keys."""
    before: Callable[[], None] = lambda: None


@dataclass
class Figures:
    """One figure a round."""

    per_second: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """What the server and PostgreSQL spend on a request."""
    p99_ms: list[float] = field(default_factory=list)


def scenarios(owner_url: str, server: Server) -> list[Scenario]:
    learners = [
        {"email": f"learner-{n}@example.com", "password": catalogue.PASSWORD} for n in range(1, catalogue.FRESH_LEARNERS + 1)
    ]
    sign_ins = [{"method": "POST", "path": "/api/v1/auth/signin/", "body": learner} for learner in learners]
    tokens = [ask(server, sign_in)[1]["access_token"] for sign_in in sign_ins]
    forget = partial(catalogue.forget_enrollments, owner_url)
    return [
        Scenario(
            "courses.list", [get(f"/api/v1/courses/?page_size=20&page={page}") for page in range(1, 11)], 200, compared=True
        ),
        Scenario("courses.get", [get(f"/api/v1/courses/course-{n}/") for n in range(1, 10_000, 37)], 200, compared=True),
        Scenario("enrollments.enroll", enrolling(tokens), 201, before=forget),
        Scenario(WITH_KEY, [with_key(request) for request in enrolling(tokens)], 201, before=forget),
        Scenario("auth.sign_in", sign_ins, 200),
    ]


def get(path: str) -> dict[str, Any]:
    return {"path": path}


def enrolling(tokens: list[str]) -> Requests:
    """Everybody in thousands of courses, each once; with an empty body, which stock Connexion wants."""
    return [
        {"method": "POST", "path": f"/api/v1/courses/course-{number}/enroll/", "headers": bearer(token), "body": {}}
        for shift in range(len(tokens))
        for number, token in zip(range(1, 3000), islice(cycle(tokens), shift, None), strict=False)
    ]


def with_key(request: dict[str, Any]) -> dict[str, Any]:
    """A key of its own for each request, as the SDK sends it; stored by ours, ignored by its peers."""
    return {**request, "headers": {**request["headers"], "Idempotency-Key": str(uuid4())}}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def ask(server: Server, request: dict[str, Any]) -> tuple[int, Any]:
    body = json.dumps(request["body"]).encode() if "body" in request else None
    headers = {**request.get("headers", {}), **({"Content-Type": "application/json"} if body else {})}
    asked = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{request['path']}", body, headers, method=request.get("method", "GET")
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return answer.status, json.load(answer)


def compare(scenario: Scenario, servers: list[Server]) -> None:
    """Fails unless all servers give the same answer to the same question."""
    for request in scenario.requests[:5]:
        answers = []
        for server in servers:
            scenario.before()
            status, body = ask(server, request)
            assert status == scenario.status, (server.name, status, body)
            answers.append(body if scenario.compared else shape(body))
        for server, answer in zip(servers, answers, strict=True):
            assert answer == answers[0], f"{scenario.name}: {server.name} answers something else:\n{answer}\n{answers[0]}"


def shape(value: Any) -> Any:
    return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else type(value).__name__


def measure(
    scenario: Scenario, servers: list[Server], postmaster: int, rounds: int, seconds: float, say: Callable[[str], None]
) -> dict[str, Figures]:
    compare(scenario, servers)
    found = {server.name: Figures() for server in servers}
    for number in range(-1, rounds):  # the first one warms up
        for server in servers:
            scenario.before()
            figures = found[server.name] if number >= 0 else Figures()
            one_round(figures, scenario, server, postmaster, seconds)
            say(f"{scenario.name}, round {number + 1}: {server.name} {figures.per_second[-1]:,.0f} a second")
    return found


def one_round(figures: Figures, scenario: Scenario, server: Server, postmaster: int, seconds: float) -> None:
    began = server.cpu_seconds() + postgres_cpu_seconds(postmaster)
    seen = load(server.port, scenario.requests, seconds)
    used = server.cpu_seconds() + postgres_cpu_seconds(postmaster) - began
    assert set(seen["statuses"]) == {str(scenario.status)}, (server.name, seen)
    answered = seen["statuses"][str(scenario.status)]
    figures.per_second.append(answered / seen["seconds"])
    figures.cpu_ms.append(used / answered * 1e3)
    figures.p99_ms.append(seen["p99_ms"])


def load(
    port: int, requests: Requests, seconds: float, most: int | None = None, connections: int = CONNECTIONS
) -> dict[str, Any]:
    """What the client saw; it never sends more than `most`, and never longer than `seconds`."""
    most = most or 25_000
    job = {"port": port, "connections": connections, "requests": requests, "seconds": seconds, "most": most}
    client = subprocess.run(
        [sys.executable, HERE / "load.py"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    seen: dict[str, Any] = json.loads(client.stdout)
    return seen
