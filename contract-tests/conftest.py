"""Every answer that a contract test gets, whatever it is about, adds up and tells its limit truly."""

import json
from decimal import Decimal

import httpx
import pytest

from harness import CONTRACT
from unpuzzle_cli.conformance.laws.limits import check as check_limits
from unpuzzle_cli.conformance.laws.sums import check as check_sums

DAY = 86_400
"""Some tests move the clock of the server, none by so much."""


@pytest.fixture(autouse=True)
def _laws_of_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    of_the_contract = CONTRACT.check

    def check(response: httpx.Response) -> None:
        of_the_contract(response)
        check_limits(response.headers, DAY)
        if response.headers.get("content-type") == "application/json" and "preference-applied" not in response.headers:
            check_sums(json.loads(response.content, parse_float=Decimal))

    monkeypatch.setattr(CONTRACT, "check", check)
