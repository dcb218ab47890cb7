"""What the learners of the demo have done: each is somewhere between not having begun and having reviewed a course."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]

DAY = timedelta(days=1)
WATCHED, STOPPED_AT = "{{[0,{:.0f}),[{:.0f},{:.0f})}}", (0.35, 0.5, 0.6)
"""Whoever is in the middle of a video has skipped a part of it."""


@dataclass(frozen=True)
class Study:
    """How a learner does in a course: a lesson a day, as far as they have come."""

    lessons: list[Row]
    completed: int
    """How many of the lessons are behind them."""
    begun: bool
    """Whether they are in the middle of the next."""
    first_day: datetime

    @classmethod
    def of(cls, learner: int, course: int, lessons: list[Row], enrolled: datetime, now: datetime, *, reviewed: bool) -> "Study":
        """Whoever has reviewed a course has completed it. Of the others a fifth has not begun, and a fifth is done."""
        stage = (learner + course) % 5
        if reviewed or stage == 1:
            return cls(lessons, len(lessons), begun=False, first_day=enrolled + DAY)
        if stage == 0:
            return cls(lessons, 0, begun=False, first_day=enrolled)
        completed = (learner + course) % (len(lessons) - 1)
        last_day = now - timedelta(days=(course - learner) % 14, hours=1)  # they are learning these weeks
        return cls(lessons, completed, begun=True, first_day=max(enrolled, last_day - completed * DAY))

    @property
    def is_completed(self) -> bool:
        return self.completed == len(self.lessons)

    @property
    def last_accessed_at(self) -> datetime | None:
        visited = self.completed + self.begun
        return self.first_day + (visited - 1) * DAY if visited else None

    def progress(self) -> list[Row]:
        """The rows of the lessons that were opened."""
        days = [self.first_day + number * DAY for number in range(self.completed + self.begun)]
        return [
            {**(_whole(lesson, day) if number < self.completed else _part(lesson)), "lesson_id": lesson["id"], "accessed_at": day}
            for number, (lesson, day) in enumerate(zip(self.lessons, days, strict=False))
        ]


def _whole(lesson: Row, day: datetime) -> Row:
    length = lesson["duration_seconds"]
    if lesson["type"] == "video":
        return {"position_seconds": length, "watched": f"{{[0,{length})}}", "active_seconds": 0, "completed_at": day}
    return {"position_seconds": 0, "watched": "{}", "active_seconds": length, "completed_at": day}


def _part(lesson: Row) -> Row:
    length = lesson["duration_seconds"]
    if lesson["type"] == "video":
        marks = [length * share for share in STOPPED_AT]
        return {"position_seconds": marks[-1], "watched": WATCHED.format(*marks), "active_seconds": 0, "completed_at": None}
    return {"position_seconds": 0, "watched": "{}", "active_seconds": length // 2, "completed_at": None}
