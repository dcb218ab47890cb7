"""What Schemathesis loads for the gate: the laws as checks of its own, and objects for its requests to meet."""

import os
from pathlib import Path
from typing import Any

import schemathesis

from gate.record import digest
from unpuzzle_cli.conformance import checks
from unpuzzle_cli.conformance.people import Person
from unpuzzle_cli.conformance.world import World

URL = os.environ["GATE_URL"]
STRANGER = Person(URL, os.environ["GATE_STRANGER_EMAIL"], os.environ["GATE_PASSWORD"])

checks.begin(checks.Run("gate", World(URL), stranger=lambda: STRANGER.authorization))

if record := os.environ.get("GATE_RECORD"):

    @schemathesis.hook
    def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
        with Path(record).open("a") as file:
            file.write(digest(case) + "\n")
