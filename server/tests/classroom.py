"""A course to ask the tutor about."""

from dataclasses import dataclass
from typing import Any

import httpx

from harness import Person

TUTOR = "/api/v1/ai-assistant"
SPOKEN = [
    "Welcome to the lesson on compilers.",
    "A lexer splits the source into tokens, and it throws the blanks away.",
    "A parser arranges the tokens in a syntax tree, which follows the grammar.",
    "The grammar of a language says which programs are well formed.",
    "A recursive descent parser has one function for each rule of the grammar.",
    "Left recursion makes a recursive descent parser loop forever.",
    "The symbol table remembers each name with its type and its scope.",
    "A register allocator decides which values live in registers.",
    "Values that find no register are spilled to the stack.",
    "Constant folding computes at compile time what never changes.",
]
"""Ten seconds each."""
WRITTEN = """<p>A linker joins object files into one program. It resolves each symbol to an address.</p>
<p>This is how it is called:</p><pre><code>ld main.o list.o -o program</code></pre>
<p>A symbol that no object file defines is an error of the linker. A loader brings the program into memory.</p>"""


def segments(texts: list[str]) -> list[dict[str, Any]]:
    return [{"start": 10 * place, "end": 10 * place + 9, "text": text} for place, text in enumerate(texts)]


@dataclass
class Classroom:
    teacher: Person
    course: str
    section: dict[str, Any]
    spoken: str
    written: str
    empty: str

    @classmethod
    def of(cls, teacher: Person, *, published: bool = True) -> "Classroom":
        course = teacher.course(description="How compilers work", price=0, category_id=teacher.api.category()["id"])
        section = teacher.section(course, is_published=True)
        spoken = teacher.lesson(section, title="From source to tokens", type="video", duration_seconds=100)["id"]
        written = teacher.lesson(section, title="Linking", body=WRITTEN)["id"]
        empty = teacher.lesson(section, title="Coming soon", type="video")["id"]
        room = cls(teacher, course["id"], section, spoken, written, empty)
        room.say(SPOKEN)
        if published:
            teacher.post(f"/api/v1/instructor/courses/{course['id']}/publish/")
        return room

    def say(self, texts: list[str], lesson: str = "") -> None:
        body = {"format": "segments", "segments": segments(texts)}
        answer = self.teacher.put(f"/api/v1/content/lessons/{lesson or self.spoken}/transcript/", json=body)
        assert answer.status_code in (200, 201), answer.text

    def joined_by(self, learner: Person) -> Person:
        learner.post(f"/api/v1/courses/{self.course}/enroll/")
        without_limit(learner)
        return learner


def without_limit(person: Person) -> None:
    """By no more of a plan than can be paid for: whoever subscribes besides has what they pay for."""
    limited(person, None, None, plan="premium")


def limited(person: Person, daily: int | None, monthly: int | None, plan: str = "enterprise") -> None:
    """As an admin gives an enterprise its own limits."""
    grant = """INSERT INTO plan_grants (user_id, plan, daily_limit, monthly_limit) VALUES (%s, %s, %s, %s)
               ON CONFLICT (user_id) DO UPDATE SET daily_limit = excluded.daily_limit, monthly_limit = excluded.monthly_limit"""
    person.api.server.sql(grant, person.id, plan, daily, monthly)


def ask(person: Person, message: str, *, lesson: str | None = None, at: float | None = None, **body: Any) -> httpx.Response:
    context = {"lesson_id": lesson, "timestamp_seconds": at} if lesson else {}
    answer: httpx.Response = person.post(
        f"{TUTOR}/chat/send/", json={"message": message, **({"context": context} if context else {}), **body}
    )
    return answer


def used(person: Person) -> int:
    """How many requests count today."""
    found: int = person.get(f"{TUTOR}/user/check-limits/").json()["usage"]["daily_used"]
    return found
