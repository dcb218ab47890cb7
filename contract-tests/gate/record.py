"""A request without what differs from run to run."""

import json
import re
from typing import Any

import schemathesis
from schemathesis.core import NOT_SET

CHANGING = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|gate-[0-9]+|eyJ[\w.-]+|unr_\w+|\d+-[0-9a-f]{10,}")
"""Ids, the numbers of requests, tokens and ETags."""
SECRET = {"Authorization", "X-Request-ID", "X-Schemathesis-TestCaseId"}


def digest(case: schemathesis.Case) -> str:
    """One line: everything that the case sends, in one order, with its ids and tokens masked."""
    headers = {name: value for name, value in case.headers.items() if name not in SECRET}
    body = None if case.body is NOT_SET else case.body
    sent: list[Any] = [case.method, case.path, case.path_parameters, case.query, headers, case.cookies, body, case.media_type]
    return CHANGING.sub("…", json.dumps(sent, sort_keys=True, default=repr))
