"""The one clock: everything that asks what time it is asks it."""

from datetime import UTC, datetime, timedelta

from unpuzzle_server.kernel.errors import Problem

HOUR = timedelta(hours=1)


class Clock:
    """The system's time in UTC, moved by `offset`."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def timestamp(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        return self.now().timestamp()


def parse_moment(text: str) -> datetime:
    """An RFC 3339 moment; raises RANGE_INVALID for one that Python and PostgreSQL do not know, as RFC 3339 does."""
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)  # RFC 3339 knows `t` and `z`, Python does not
    except (OverflowError, ValueError):
        raise Problem("RANGE_INVALID", "There is no such moment.") from None


def an_hour_at_least(now: datetime) -> datetime:
    """When signed addresses in answers end: the same for all of one hour, so that an answer keeps its ETag."""
    return now.replace(minute=0, second=0, microsecond=0) + 2 * HOUR


def rfc3339(moment: datetime) -> str:
    """A time as answers carry it: UTC, microseconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
