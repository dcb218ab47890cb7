"""What Schemathesis loads for the gate: the laws as checks of its own, and objects for its requests to meet."""

import os
from itertools import count
from pathlib import Path
from typing import Any

import schemathesis

from gate.record import digest
from unpuzzle_cli.conformance import checks
from unpuzzle_cli.conformance.people import Person
from unpuzzle_cli.conformance.world import World

NUMBERS = count(1)
RECORD = os.environ.get("GATE_RECORD")
WORLD = World(os.environ["GATE_URL"])
STRANGER = Person(WORLD.base_url, os.environ["GATE_STRANGER_EMAIL"], os.environ["GATE_PASSWORD"])
STRANGE = 4
"""One request in so many keeps the ids that were generated, which are of nothing."""

checks.set_for(stranger=lambda: STRANGER.authorization)


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    number = next(NUMBERS)
    checks.prepare(case, f"gate-{number}")
    if number % STRANGE:
        checks.lead_to_what_is_there(case, WORLD)
    if RECORD:
        with Path(RECORD).open("a") as file:
            file.write(digest(case) + "\n")


@schemathesis.hook
def after_call(context: Any, case: schemathesis.Case, response: Any) -> None:
    if response.status_code == 404 or (case.method == "DELETE" and response.status_code < 300):
        WORLD.forget(map(str, case.path_parameters.values()))
