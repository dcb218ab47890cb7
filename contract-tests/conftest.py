"""Every answer that a contract test gets, whatever it is about, adds up, and says of itself what is true."""

import json
from collections.abc import Iterator
from decimal import Decimal
from hashlib import blake2b

import httpx
import pytest

from harness import CONTRACT
from unpuzzle_cli.conformance.laws.caching import check as check_caching
from unpuzzle_cli.conformance.laws.limits import check as check_limits
from unpuzzle_cli.conformance.laws.sums import check as check_sums

DAY = 86_400
"""Some tests move the clock of the server, none by so much."""
KEPT: dict[tuple[str, ...], bytes] = {}
"""What each ETag stood for: a digest of the body, by address, caller and tag."""


@pytest.fixture(scope="module", autouse=True)
def _laws_of_every_answer() -> Iterator[None]:
    """Also of those that a module's worlds are made of."""
    of_the_contract = CONTRACT.check

    def check(response: httpx.Response) -> None:
        of_the_contract(response)
        check_limits(response.headers, DAY)
        if name := CONTRACT.operation_at(response.request.method, response.request.url.path):
            conditional = CONTRACT.operations[name].has("If-None-Match")
            check_caching(conditional, response.status_code, response.headers.get("cache-control"))
        check_tag(response)
        check_cookies(response)
        if response.headers.get("content-type") == "application/json" and "preference-applied" not in response.headers:
            check_sums(json.loads(response.content, parse_float=Decimal))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CONTRACT, "check", check)
        yield


def check_tag(response: httpx.Response) -> None:
    """What has the same ETag is the same: else whoever keeps it goes on with what is not so any more."""
    asked, tag = response.request, response.headers.get("etag")
    if tag is None or (asked.method, response.status_code) != ("GET", 200):
        return
    place = (str(asked.url), asked.headers.get("authorization", ""), asked.headers.get("prefer", ""), tag)
    digest = blake2b(response.content).digest()
    assert KEPT.setdefault(place, digest) == digest, f"{asked.url} is another one under the same ETag"


def check_cookies(response: httpx.Response) -> None:
    """No script of a page reads them, and no other site has them sent."""
    for cookie in response.headers.get_list("set-cookie"):
        rules = {rule.strip() for rule in cookie.split(";")[1:]}
        assert {"HttpOnly", "SameSite=Lax"} <= rules, f"{cookie.partition('=')[0]} has {sorted(rules)}"
