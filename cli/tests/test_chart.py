"""The chart of what was learnt: for people on a terminal, for programs in a pipe."""

from datetime import date, timedelta
from typing import Any

import pytest
from loopback import Reply

from unpuzzle_cli import chart

FIRST = date(2026, 1, 1)


def days(*minutes: int) -> list[chart.Day]:
    return [chart.Day(FIRST + timedelta(days=place), amount) for place, amount in enumerate(minutes)]


def test_the_most_reaches_the_top_and_half_of_it_the_middle_and_nothing_is_blank() -> None:
    drawn = chart.lines(days(60, 30, 0, 1), 12)
    assert drawn == [
        "60 min ┤█",
        "       │█",
        "       │█",
        "       │██",
        "       │██",
        "       │██ ▁",
        " 0 min ┼────",
        "        4 Jan",
    ]


@pytest.mark.parametrize("width", [24, 40, 80, 200])
@pytest.mark.parametrize("count", [1, 7, 30, 365, 4000])
def test_it_fits_whatever_there_is_to_show(width: int, count: int) -> None:
    drawn = chart.lines(days(*(place % 90 for place in range(count))), width)
    assert max(map(len, drawn)) <= width
    assert len(drawn) in (chart.HEIGHT + 2, chart.HEIGHT + 3)


def test_many_days_share_a_column() -> None:
    drawn = chart.lines(days(*[10] * 365), 80)
    assert drawn[-1] == "6 days a column"
    assert drawn[0].startswith("60 min ┤")


def test_nothing_learnt_is_a_blank_chart() -> None:
    assert "█" not in "".join(chart.lines(days(0, 0, 0), 80))


def test_a_terminal_shows_the_chart_and_a_pipe_the_days(
    unpuzzle: Any, terminal: Any, stand_in: Any, examples: dict[str, Any]
) -> None:
    stand_in.respond = lambda _: Reply(200, examples["LearningAnalytics"])
    assert unpuzzle("analytics", "learning").stdout == "2026-01-19\t45\t2\t1\n"
    seen, status = terminal("analytics", "learning", "--period", "week")
    assert status == 0
    assert "45 min ┤█" in seen
    assert "20 h 50 min · lessons: 45 · quizzes: 12, 82 % on average · days in a row: 2" in seen
    assert "★ 7-Day Learning Streak: Learned for 7 consecutive days" in seen
    assert stand_in.received[-1].query == {"period": ["week"]}
