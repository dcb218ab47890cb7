"""`unpuzzle analytics learning`: what you have learnt, day by day."""

from typing import Annotated, Any

import typer

from unpuzzle_cli import console, show, values
from unpuzzle_cli.session import Choice


def learning(
    context: typer.Context,
    period: Annotated[str, typer.Option(help="week, month, year or all_time.")] = "month",
    course_id: Annotated[str, typer.Option(help="Only what was done in this course.", show_default=False)] = "",
) -> None:
    """Show what you have learnt, day by day.

    A chart of the days on a terminal. In a pipe a line for each day: date, minutes, lessons, quizzes.
    """
    with Choice.of(context).client() as client:
        found = client.analytics.get_learning(**values.given(period=period, course_id=course_id or None)).to_dict()
    shape = show.Shape.of(context)
    if shape.asked:
        show.one(found, shape)
    elif console.for_people():
        _chart(found)
    else:
        for day in found["daily_activity"]:
            console.say("\t".join(str(day[name]) for name in ("date", "minutes_learned", "lessons_completed", "quizzes_taken")))


def _chart(found: dict[str, Any]) -> None:
    from datetime import date

    from unpuzzle_cli import chart

    days = [chart.Day(date.fromisoformat(day["date"]), day["minutes_learned"]) for day in found["daily_activity"]]
    for line in chart.lines(days, console.width()):
        console.say(line)
    told = found["summary"]
    score = "" if told["average_quiz_score"] is None else f", {told['average_quiz_score']:g} % on average"
    hours, minutes = divmod(told["total_learning_time_minutes"], 60)
    console.say(
        f"{hours} h {minutes} min · lessons: {told['lessons_completed']} · quizzes: {told['quizzes_taken']}{score}"
        f" · days in a row: {told['current_streak']}"
    )
    for achievement in found["achievements"]:
        console.say(f"★ {achievement['title']}: {achievement['description']}")
