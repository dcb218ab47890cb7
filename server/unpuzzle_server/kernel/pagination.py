"""Pages of lists, in the one shape that every list has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode


@dataclass(frozen=True)
class Page:
    """What a list's handler gives back; the kernel adds the links."""

    results: list[Any]
    count: int
    extras: Mapping[str, Any] = field(default_factory=dict)


def window(page: int, page_size: int) -> dict[str, int]:
    """The values of LIMIT and OFFSET."""
    return {"limit": page_size, "offset": (page - 1) * page_size}


def page_body(found: Page, url: str, query: bytes, page: int, page_size: int) -> dict[str, Any]:
    """The whole answer; its links keep what was asked for and start with `url`."""
    total_pages = -(-found.count // page_size)
    asked = [(name, value) for name, value in parse_qsl(query.decode("ascii")) if name != "page"]

    def link(number: int) -> str | None:
        return f"{url}?{urlencode([*asked, ('page', number)])}" if 1 <= number <= total_pages else None

    return {
        "count": found.count,
        "next": link(page + 1),
        "previous": link(min(page - 1, total_pages)),
        "page": page,
        "page_size": page_size,
        "total_pages": total_pages,
        **found.extras,
        "results": found.results,
    }
