"""The story of the product, played through the SDK against a fresh server: a course is written, published, found,
taken, learnt and reviewed.

python demo/story.py        starts `unpuzzle-server` on a free port with an empty data directory, and ends it again
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unpuzzle_sdk import Unpuzzle, errors

VIDEO, MINUTES = "Finding the stuck point", 10
SECTIONS = {
    "Seeing the problem": ["What a puzzle is", VIDEO, "Asking a smaller question"],
    "Trying things": ["Guessing on purpose", "Keeping notes", "Knowing when to stop"],
    "Explaining it": ["Teaching a friend", "Writing it down"],
}
EARNED = {"First Lesson", "First Course", "First Review"}
ADDED = "Getting stuck again"
LESSON = "<p>Take a problem that you gave up on. Write one sentence that says where you stopped, and one that says why.</p>"


@contextmanager
def server() -> Iterator[str]:
    """The address of a server of its own, with the demo catalogue."""
    with tempfile.TemporaryDirectory(prefix="unpuzzle-demo-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL does not run as root: as another user it must get in
        command = [
            str(Path(sys.executable).parent / "unpuzzle-server"),
            "serve",
            "--port",
            "0",
            "--json",
            "--data-dir",
            f"{folder}/data",
        ]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if not ready:
                raise SystemExit("The server did not start:\n" + (Path(folder) / "log").read_text())
            yield json.loads(ready)["base_url"]
        finally:
            process.terminate()
            process.wait(30)


class Narrator:
    """Prints each step with what the server really answered."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self, what: str, **answer: Any) -> None:
        self.steps += 1
        print(f"\n{self.steps:>2}. {what}")
        for name, value in answer.items():
            print(f"    {name.replace('_', ' '):<12} {value}")

    def refused(self, what: str, error: errors.APIStatusError) -> None:
        details = {detail.field: detail.message for detail in error.details}
        self.step(what, status=error.status_code, code=error.code, message=error.message, request_id=error.request_id, **details)


def main() -> None:
    print("Starting a server with an empty database …", flush=True)
    with server() as base_url:
        play(base_url)


def play(base_url: str) -> None:
    tell = Narrator()
    teacher, learner = Unpuzzle(base_url=base_url), Unpuzzle(base_url=base_url)
    tell.step("The server is up", api=teacher.system.info().name, address=base_url)
    become_instructor(tell, teacher)
    course_id = write_course(tell, teacher)
    publish_course(tell, teacher, course_id)
    find_course(tell, learner, course_id)
    enrol(tell, learner, course_id)
    video_id = watch(tell, learner, course_id)
    reflect(tell, learner, video_id)
    complete(tell, learner, course_id)
    review(tell, teacher, learner, course_id)
    add_lesson(tell, teacher, learner, course_id)
    check_end_state(tell, teacher, learner, course_id)


def become_instructor(tell: Narrator, teacher: Unpuzzle) -> None:
    session = teacher.auth.sign_up(email="ada@example.com", password="an-engine-of-her-own", full_name="Ada Lovelace")
    tell.step("Ada signs up", name=session.user.full_name, roles=", ".join(session.user.roles))
    application = teacher.auth.apply_as_instructor(motivation="I want to teach how to get unstuck.")
    tell.step("Ada becomes an instructor", status=application.status, roles=", ".join(application.roles))


def write_course(tell: Narrator, teacher: Unpuzzle) -> str:
    course = teacher.courses.create(title="How to Get Unstuck", difficulty="beginner", tags=["puzzles", "thinking"])
    tell.step("Ada creates a course", title=course.title, slug=course.slug, status=course.status)
    for title, lessons in SECTIONS.items():
        section = teacher.content.create_section(course.id, title=title, is_published=True)
        for number, lesson in enumerate(lessons):
            kind, seconds = ("video", MINUTES * 60) if lesson == VIDEO else ("article", 0)
            teacher.content.create_lesson(
                section.id, title=lesson, type=kind, duration_seconds=seconds, body=LESSON, is_preview=number == 0
            )
    course_now = teacher.courses.get_own(course.id)
    tell.step("Ada writes it", sections=course_now.sections_count, lessons=course_now.lessons_count)
    return course.id


def publish_course(tell: Narrator, teacher: Unpuzzle, course_id: str) -> None:
    try:
        teacher.courses.publish(course_id)
    except errors.CourseNotReady as error:
        tell.refused("Ada tries to publish, and is told what is missing", error)
    category = next(item for item in teacher.courses.list_categories() if item.slug == "science")
    teacher.courses.update(
        course_id, description="Find the place where you are stuck, and leave it.", price=0, category_id=category.id
    )
    published = teacher.courses.publish(course_id)
    tell.step(
        "Ada fills that in and publishes", status=published.status, category=category.name, published_at=published.published_at
    )


def find_course(tell: Narrator, learner: Unpuzzle, course_id: str) -> None:
    session = learner.auth.sign_up(email="charles@example.com", password="difference-engine-no-2", full_name="Charles Babbage")
    tell.step("Charles signs up", name=session.user.full_name, roles=", ".join(session.user.roles))
    found = learner.courses.list(search="unstuck")
    tell.step('Charles searches for "unstuck"', found=found.count, first=found.results[0].title)
    course = learner.courses.get(found.results[0].slug)
    outline = ", ".join(f"{section.title} ({section.lessons_count})" for section in course.sections)
    tell.step("Charles looks at it", by=course.instructor.name, price=f"{course.price} {course.currency}", sections=outline)
    assert course.id == course_id


def enrol(tell: Narrator, learner: Unpuzzle, course_id: str) -> None:
    enrollment = learner.enrollments.enroll(course_id)
    tell.step("Charles enrols", message=enrollment.message, enrolled_at=enrollment.enrolled_at)
    try:
        learner.enrollments.enroll(course_id)
    except errors.EnrollmentExists as error:
        tell.refused("Charles enrols a second time, and is refused", error)


def watch(tell: Narrator, learner: Unpuzzle, course_id: str) -> str:
    course = learner.learning.get_course(course_id, texts=False)
    video = next(lesson for lesson in course.sections[0].lessons if lesson.title == VIDEO)
    tell.step("Charles opens the course", first=course.next_lesson.title, video=f"{video.title} ({video.duration_seconds} s)")
    for what, start, end in [
        ("Charles watches the first half", 0, 300),
        ("Charles replays two minutes: each moment counts once", 120, 240),
        ("Charles seeks ahead: what he skipped does not count", 480, 600),
        ("Charles goes back to what he skipped, and that completes the video", 300, 480),
    ]:
        now = learner.learning.record_progress(video.id, position_seconds=end, watched=[{"start": start, "end": end}])
        ranges = ", ".join(f"{part.start:g}-{part.end:g}" for part in now.watched)
        tell.step(what, watched=ranges, watch_time=f"{now.watch_time_seconds} s", completed=now.is_completed)
    return video.id


def reflect(tell: Narrator, learner: Unpuzzle, video_id: str) -> None:
    reflection = learner.reflections.create(
        lesson_id=video_id, content="I look for the answer before I know the question.", tags=["stuck"], timestamp_seconds=252.5
    )
    where = f"{reflection.lesson.title}, at {reflection.timestamp_seconds} s"
    tell.step("Charles notes the moment where he got stuck", type=reflection.type, where=where, content=reflection.content)


def complete(tell: Narrator, learner: Unpuzzle, course_id: str) -> None:
    while lesson := learner.learning.get_course(course_id, texts=False).next_lesson:
        done = learner.learning.complete_lesson(lesson.lesson_id)
    percent, moment = done.progress_percentage, done.course_completed_at
    tell.step("Charles completes lesson after lesson, and so the course", percent=percent, completed_at=moment)


def review(tell: Narrator, teacher: Unpuzzle, learner: Unpuzzle, course_id: str) -> None:
    written = learner.learning.create_review(course_id, rating=5, comment="I know now where I am stuck.")
    tell.step("Charles reviews it", rating=written.rating, comment=written.comment)
    told = teacher.notifications.list(unread_only=True).results[0]
    tell.step("Ada is told", title=told.title, message=told.message)


def add_lesson(tell: Narrator, teacher: Unpuzzle, learner: Unpuzzle, course_id: str) -> None:
    *_, section = teacher.content.list_sections(course_id)
    lesson = teacher.content.create_lesson(section.id, title=ADDED, type="article", body=LESSON)
    tell.step("Ada adds a lesson", title=lesson.title)
    told = [f"{item.title}: {item.message}" for item in learner.notifications.list()]
    tell.step("Charles reads what has happened", newest=told[0], then=told[1], first=told[-1])
    learner.notifications.mark_all_read()
    progress = learner.learning.get_progress(course_id)
    lessons = f"{progress.completed_lessons} of {progress.total_lessons}"
    spent = f"{progress.time_spent.today_minutes} minutes today"
    tell.step("Charles looks at his progress", lessons=lessons, percent=progress.overall_progress, time_spent=spent)


def check_end_state(tell: Narrator, teacher: Unpuzzle, learner: Unpuzzle, course_id: str) -> None:
    course = learner.courses.get(course_id)
    own = teacher.courses.list_own()
    taken = learner.learning.list_courses().results[0]
    progress = learner.learning.get_progress(course_id)
    notes = list(learner.notifications.list())
    earned = {note.title for note in notes if note.type == "achievement"}
    expected = {
        "the course is published": course.status == "published",
        "it has 3 sections": course.sections_count == len(SECTIONS) == len(course.sections),
        "it has 9 lessons": course.lessons_count == sum(map(len, SECTIONS.values())) + 1,
        "one learner takes it": course.students_count == 1,
        "Ada has one course": own.count == 1,
        "Charles completed it, and it stays completed": taken.status == "completed",
        "he has 8 of 9 lessons": (progress.completed_lessons, progress.overall_progress) == (8, 89),
        "he watched 10 minutes, each once": progress.time_spent.total_minutes == MINUTES,
        "its rating is his": (course.rating, course.reviews_count) == (5, 1),
        "he keeps one reflection": learner.reflections.list(course_id=course_id, tag="stuck").count == 1,
        "he earned his achievements": earned >= EARNED,  # by night or early in the morning one more
        "he was told of 3 other things": len(notes) - len(earned) == 3,
        "he has read them all": learner.notifications.list().data.unread_count == 0,
    }
    tell.step("The end state")
    for what, true in expected.items():
        print(f"    {'ok' if true else 'WRONG':<12} {what}")
    wrong = [what for what, true in expected.items() if not true]
    if wrong:
        raise SystemExit(f"The story ended wrong: not true that {'; '.join(wrong)}.")
    print("\nThe story ends as it should.")


if __name__ == "__main__":
    main()
