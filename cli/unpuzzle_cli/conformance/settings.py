"""What Schemathesis is told: the settings of our own gate, less what writes where nothing may be written."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from schemathesis.config import SchemathesisConfig

from unpuzzle_cli.conformance.checks import World
from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws.exchange import nobody

SEED, MAX_EXAMPLES = 7, 10
SECONDS, STREAM_SECONDS = 30, 2
"""How long an answer may take. A stream has no end: what comes in this time is looked at."""
LIMITED = "429"
BETWEEN = frozenset({
    "age", "alt-svc", "cache-status", "cf-cache-status", "cf-ray", "connection", "content-encoding", "keep-alive", "nel",
    "report-to", "server", "server-timing", "strict-transport-security", "vary", "via", "x-cache", "x-served-by",
    "x-envoy-upstream-service-time",
})  # fmt: skip
"""Headers that proxies, caches and balancers add, in which no application tells anything."""


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    base_url: str
    read_only: bool = True
    seed: int = SEED
    max_examples: int = MAX_EXAMPLES
    fail_fast: bool = False
    between: frozenset[str] = BETWEEN
    """Undeclared headers that are nobody's fault."""

    @property
    def phases(self) -> tuple[str, ...]:
        return ("examples", "coverage", "fuzzing") if self.read_only else ("examples", "coverage", "fuzzing", "stateful")


@dataclass(frozen=True)
class Caller:
    """Somebody who sends requests of some operations, and where these find objects."""

    operations: list[Operation]
    world: World
    email: str = ""
    """An account; else whoever the authorization names."""
    password: str = field(default="", repr=False)
    authorization: Callable[[], str] = str
    stranger: Callable[[], str] = nobody
    learner: Callable[[], str] | None = None
    roles: frozenset[str] | None = None
    spares: bool = False
    """Whether it may change what is others', and is kept from it."""


def config(options: Options, caller: Caller) -> SchemathesisConfig:
    """The settings of a run as one caller."""
    shared = tomllib.loads((files("unpuzzle_cli.conformance") / "schemathesis.toml").read_text(encoding="utf-8"))
    own = {name: value for name, value in shared.items() if name not in ("auth", "hooks")}
    own["generation"] |= {"max-examples": options.max_examples, "deterministic": True}
    own["phases"] |= {"stateful": {"enabled": "stateful" in options.phases, "inference": {"algorithms": []}}}
    for place in (own, *own["operations"]):
        for check in place["checks"].values():
            check["expected-statuses"].append(LIMITED)
    if options.read_only:
        own["phases"]["coverage"]["unexpected-methods"] = ["options"]
        own["checks"]["ownership"] = {"enabled": False}  # it tries to delete
    own["operations"] += [
        {"include-operation-id": operation.id, "request-timeout": STREAM_SECONDS}
        for operation in caller.operations
        if operation.stream and operation.method == "get"
    ]
    head = {"base-url": options.base_url, "seed": options.seed, "request-timeout": SECONDS, **auth(shared, caller)}
    return SchemathesisConfig.from_dict(own | head | ({"max-failures": 1} if options.fail_fast else {}))


def auth(shared: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """By signing in as often as that takes, where there is an account."""
    own: dict[str, Any] = {"auto-signup": False}
    if caller.email:
        own["dynamic"] = shared["auth"]["dynamic"]
        own["dynamic"]["openapi"]["bearer"]["payload"] = {"email": caller.email, "password": caller.password}
    return {"auth": own}
