"""From a check that failed to a finding that says all that is needed, and no secret."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws import LAWS
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Reply, Request
from unpuzzle_cli.conformance.laws.request_ids import request_ids
from unpuzzle_cli.conformance.people import WRONG_TOKEN
from unpuzzle_cli.conformance.probes import PROBES
from unpuzzle_cli.conformance.report import Finding

REMOVED = "[removed]"
SECRETS = CONTRACT.secrets - {"code", "state"}
"""An error has a code too, which says what is wrong; those of OAuth are made up here, or spent."""
LONGEST = 2000
SHORTEST_SECRET = 8
"""What is shorter is a word that may stand anywhere."""
UNSAID = {"x-schemathesis-testcaseid", "user-agent", "accept-encoding", "connection", "content-length", "cookie"}
"""Headers without which a request is the same, and cookies, which are secrets."""
NAMES = "|".join(sorted(SECRETS))
IN_JSON = re.compile(rf"""(?<!\w)(["']?(?:{NAMES})["']?\s*[:=]\s*)(?!Bearer (?:\$|of-nobody))(b?["'][^"']*["']|[^\s"'&,;}}]+)""")
IN_URLS = re.compile(r"([?&](?:token|signature|code|state|key)=)[^&\s\"']+")
LIKE_TOKENS = re.compile(r"eyJ[\w-]{8,}\.[\w.-]+|(?i:bearer) (?!\$|of-nobody)[\w.~+/=-]{8,}|\bun[a-z]{1,3}_\w{8,}")

RULES = {
    "not_a_server_error": "No request makes the server fail.",
    "status_code_conformance": "Every status is documented for its operation.",
    "content_type_conformance": "Every media type is documented for its status.",
    "response_headers_conformance": "Documented headers are there and well formed.",
    "response_schema_conformance": "Every body is as its schema says.",
    "negative_data_rejection": "A request that the contract forbids is refused.",
    "positive_data_acceptance": "A request that the contract allows is not refused as malformed.",
    "missing_required_header": "A request without a required header is refused.",
    "unsupported_method": "A method that a path does not have is answered 405, with Allow.",
    "allow_header_conformance": "Allow names the methods that the contract has at a path.",
    "use_after_free": "What was deleted is gone.",
    "ensure_resource_availability": "What was created is there.",
    "ignored_auth": "What needs a sign-in is refused without one, and with a wrong one.",
    "object_level_authorization": "Nobody gets what is another's.",
    "answers": "Every request is answered in time.",
    "journey": "What the contract allows, about what the server itself has told of, is not refused as malformed or unknown.",
    **{rule.__name__: str(rule.__doc__) for rule in [*LAWS, request_ids, *PROBES.values()]},
}


@dataclass
class Teller:
    """Writes findings, without what must not be told."""

    secrets: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    """Secrets that whoever calls has given: removed however short they are."""

    def finding(self, check: str, operation: Operation, message: str, request: Request | None, reply: Reply | None) -> Finding:
        return Finding(
            check,
            RULES.get(check, ""),
            operation.id,
            self.without_secrets(shortened(message)),
            self.curl(request) if request else "",
            reply.status if reply else None,
            reply.headers.get("x-request-id") if reply else None,
            says(operation, reply.status if reply else None),
        )

    def curl(self, request: Request) -> str:
        """The request as a line for a shell; the token is the environment's."""
        words = ["curl", "--include", *(["--head"] if request.method == "HEAD" else ["--request", request.method])]
        quoted = [shlex.quote(word) for word in [*words, request.url]]
        for name, value in request.headers.items():
            if value == WRONG_TOKEN:
                quoted += ["--header", "'Authorization: Bearer of-nobody'"]
            elif name.lower() == "authorization":
                quoted += ["--header", '"Authorization: Bearer $UNPUZZLE_TOKEN"']
            elif name.lower() not in UNSAID and value != "*/*":
                quoted += ["--header", shlex.quote(f"{name}: {value}")]
        if request.content:
            quoted += ["--data-raw", shlex.quote(body_of(request.content))]
        return self.without_secrets(" ".join(quoted))

    def without_secrets(self, text: str) -> str:
        for secret in sorted(self.secrets | self.given, key=len, reverse=True):
            if len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, REMOVED)
            elif secret in self.given:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", REMOVED, text)
        text = IN_JSON.sub(rf"\1{REMOVED}", text)
        text = IN_URLS.sub(rf"\1{REMOVED}", text)
        return LIKE_TOKENS.sub(REMOVED, text)


def body_of(content: bytes) -> str:
    """JSON without the values of its secret fields; other bodies as they are, as far as a line takes them."""
    try:
        return shortened(json.dumps(open_fields(json.loads(content)), ensure_ascii=True))
    except ValueError:
        return shortened(content.decode("utf-8", "backslashreplace"))


def open_fields(value: Any) -> Any:
    match value:
        case dict():
            return {name: REMOVED if name in SECRETS else open_fields(item) for name, item in value.items()}
        case list():
            return [*map(open_fields, value)]
        case _:
            return value


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def says(operation: Operation, status: int | None) -> str:
    """What the contract says of an operation's answers, and of this one."""
    described: Mapping[str, str] = {answer.status: str(answer.node.get("description", "")) for answer in operation.answers}
    here = f" {status}: {described[str(status)]}" if str(status) in described else ""
    method = f"{operation.method.upper()} {operation.path}"
    return f"{method} answers {listed(described)}.{here}"


def listed(statuses: Iterable[str]) -> str:
    *first, last = sorted(statuses)
    return f"{', '.join(first)} or {last}" if first else last
