"""`unpuzzle conformance` as tests run it: in this process, for a few operations, whose answers may be spoiled."""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from conformance.spoiler import Answer

from harness import Person
from unpuzzle_cli import main

SMALL = ["--max-examples", "1"]
READ = {
    "system.info": "/api/v1/",
    "auth.get_profile": "/api/v1/auth/profile/",
    "ai.get_limits": "/api/v1/ai-assistant/user/check-limits/",
    "notifications.get_preferences": "/api/v1/notifications/preferences/",
    "payments.get_config": "/api/v1/payments/config/stripe/",
    "subscriptions.get_current": "/api/v1/subscriptions/current/",
    "subscriptions.list_plans": "/api/v1/subscriptions/plans/",
}
"""Operations with few parameters, and where they are."""


def without_request_id(answer: Answer) -> Answer:
    return replace(answer, headers={name: value for name, value in answer.headers.items() if name != "x-request-id"})


SPOILS = {
    "system.info": lambda answer: replace(answer, status=418),
    "ai.get_limits": lambda answer: replace(answer, status=500),
    "notifications.get_preferences": lambda answer: answer.with_field(password_hash=answer.token),
    "payments.get_config": lambda answer: answer.without_field("publishable_key"),
    "subscriptions.get_current": without_request_id,
    "subscriptions.list_plans": lambda answer: answer.with_field(count=1000),
}


@dataclass
class Ended:
    code: int
    out: str
    told: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return report

    @property
    def findings(self) -> set[tuple[str, str]]:
        return {(finding["operation"], finding["check"]) for finding in self.report["findings"]}

    @property
    def texts(self) -> list[str]:
        return [self.out, self.told, *(file.read_text() for file in sorted(self.folder.iterdir()))]


def ended(folder: Path, *arguments: str, **environment: str) -> Ended:
    """Runs the command in this process, with pipes on all sides."""
    out, told = io.StringIO(), io.StringIO()
    own = {"UNPUZZLE_CONFIG_DIR": str(folder / "none"), "UNPUZZLE_NO_KEYRING": "1", **environment}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(told):
        patch.setattr("sys.argv", ["unpuzzle", "conformance", *arguments, "--report-dir", str(folder)])
        patch.setattr("sys.stdin", io.StringIO())
        for name, value in own.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as end:
            main.run()
    return Ended(int(end.value.code or 0), out.getvalue(), told.getvalue(), folder)


def including(*names: str) -> list[str]:
    return [word for name in names for word in ("--include", name)]


def token_of(person: Person) -> str:
    token: str = person.tokens["access_token"]
    return token


def in_a_thread(act: Callable[[], None]) -> None:
    thread = Thread(target=act)
    thread.start()
    thread.join()
