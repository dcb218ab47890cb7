"""What of a request and an answer may be seen: everything but secrets.

The contract names its secrets (`_secrets`). For the rest, and for what comes later, names speak for themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

Names = frozenset[str]

MASK = "***"
NONE: Names = frozenset()
# How much of a body is shown.
_LONGEST = 2000

_SECRET = re.compile(
    r"(pass(word|wd|phrase)|pwd|secret|token|jwt|otp|credentials?|api_?key|private_?key|signature|sig|verifier"
    r"|authorization|cookie|card_?number|cvc|cvv)$",
    re.IGNORECASE,
)
_IN_ADDRESSES = re.compile(
    r"(?<=[?&#])([\w-]*(?:pass(?:word|wd|phrase)|pwd|secret|token|signature|sig|key|credential|authorization|verifier|jwt"
    r"|code|state)=)[^&#\s\"'<>]*",
    re.IGNORECASE,
)
_USER = re.compile(r"(?<=://)[^/?#@\s\"'<>]+(?=@)")
# A header that is none of these may be a secret: it is shown by its name alone. An idempotency key gives no rights.
_HEADERS = frozenset(
    """
    accept accept-encoding accept-ranges age allow cache-control connection content-disposition content-encoding
    content-language content-length content-range content-type date deprecation etag expires host idempotency-key
    idempotency-replayed if-match if-none-match if-range last-event-id last-modified link location prefer
    preference-applied range retry-after server sunset traceparent transfer-encoding user-agent vary via
    x-api-version x-client-version x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset x-request-id
    x-should-retry
    """.split()  # noqa: SIM905
)


def secret_names(operation: str) -> tuple[Names, Names]:
    """Give what the contract marks as secret in the requests of an operation, and in its answers."""
    from .._secrets import SECRETS

    return SECRETS.get(operation, (NONE, NONE))


def header_lines(headers: Mapping[str, str]) -> list[str]:
    """Give headers without secrets."""
    return [f"{name}: {_header(name, value)}" for name, value in headers.items()]


def _header(name: str, value: str) -> str:
    return addresses(value) if name.lower() in _HEADERS else MASK


def query(text: str, names: Names = NONE) -> str:
    """Give a query, or a form, without secrets."""
    pairs = parse_qsl(text, keep_blank_values=True)
    return "&".join(f"{quote(name)}={MASK if _is_secret(name, names) else quote(value)}" for name, value in pairs)


def addresses(text: str) -> str:
    """Give a text with the secrets taken out of the addresses in it: who signs in, what queries and fragments tell."""
    return _IN_ADDRESSES.sub(rf"\1{MASK}", _USER.sub(MASK, text))


def fields(value: Any, names: Names = NONE) -> Any:
    """Give decoded JSON without secrets at any depth."""
    if isinstance(value, dict):
        return {
            name: MASK if _is_secret(name, names) and item is not None else fields(item, names)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [fields(item, names) for item in value]
    return addresses(value) if isinstance(value, str) else value


def body(content: bytes | None, kind: str, names: Names = NONE) -> str:
    """Give a body without secrets, cut where it is long; of what is neither JSON nor a form only the size."""
    if not content:
        return ""
    text = _text(content, kind, names)
    if text is None:
        return f"<{len(content):,} bytes of {kind or 'something'}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _text(content: bytes, kind: str, names: Names) -> str | None:
    try:
        if "json" in kind:
            return json.dumps(fields(json.loads(content), names), ensure_ascii=False)
        if kind.startswith("application/x-www-form-urlencoded"):
            return query(content.decode(), names)
    except (ValueError, RecursionError):
        pass
    return None


def _is_secret(name: str, names: Names) -> bool:
    return name in names or _SECRET.search(name) is not None
