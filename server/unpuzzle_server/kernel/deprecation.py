"""What the answers of an operation say that is going away: since when, until when, and where it is told what comes after."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime


def notice(deprecation: Mapping[str, str]) -> dict[str, str]:
    """The headers of RFC 9745 and RFC 8594 for an `x-unpuzzle-deprecation`; none where there is none."""
    if not deprecation:
        return {}
    guide = deprecation["guide"]
    return {
        "Deprecation": f"@{_start(deprecation['deprecated_at']).timestamp():.0f}",
        "Sunset": format_datetime(_start(deprecation["sunset_at"]), usegmt=True),
        "Link": f'<{guide}>; rel="deprecation", <{guide}>; rel="sunset"',
    }


def _start(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
