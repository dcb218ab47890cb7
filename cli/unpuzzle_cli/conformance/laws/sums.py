"""Answers add up: what can be told from one field of an answer agrees with another, wherever the two stand together."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any

from unpuzzle_cli.conformance.laws.exchange import Exchange

Object = dict[str, Any]
Claim = tuple[str, Any, Any]
"""What is claimed, what the answer says, and what follows from the rest of it."""
Sum = Callable[[Object], Iterator[Claim]]
SUMS: list[tuple[tuple[str, ...], Sum]] = []
CONTRACT = "openapi"
"""What the contract itself begins with: an answer about fields, which has none of them."""
RATED = 5
DAYS = {"week": 7, "month": 30, "year": 365}
PLACES = ("order", "start", "date", "month")
"""By what the parts of an object come in order, each behind the one before."""
OUTCOMES = ("enrolled", "invited", "already_enrolled", "already_invited", "duplicate", "invalid")
USED = ("requests", "prompt_tokens", "completion_tokens", "total_tokens", "cost_usd")
PAID = {"succeeded", "partially_refunded", "refunded"}


def sums(exchange: Exchange) -> None:
    """Money, counts, percentages and times of an answer agree with each other."""
    if exchange.reply.succeeded and exchange.reply.headers.get("content-type") == "application/json":
        check(json.loads(exchange.reply.content, parse_float=Decimal))


def check(answer: Any) -> None:
    assert not (found := [*differences(answer)]), "; ".join(found)


def differences(answer: Any) -> Iterator[str]:
    for item in objects(answer) if CONTRACT not in answer else ():
        for names, claims in SUMS:
            if all(reaches(item, name) for name in names):
                yield from (f"{what} is {said}, not {due}" for what, said, due in claims(item) if said != due)


def objects(node: Any) -> Iterator[Object]:
    """Every object of an answer."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(child)


def reaches(item: Object, name: str) -> bool:
    """Whether an object has a field, or one inside another, that is not null."""
    return reduce(lambda found, part: found.get(part) if isinstance(found, dict) else None, name.split("."), item) is not None  # type: ignore[arg-type,return-value]


def where(*names: str) -> Callable[[Sum], Sum]:
    """Holds for every object that has these fields."""

    def kept(claims: Sum) -> Sum:
        SUMS.append((names, claims))
        return claims

    return kept


def percentage(done: int, total: int) -> int:
    """Rounded half up, as the contract says of all."""
    return math.floor(100 * done / total + 0.5) if total else 0


@where()
def in_order(item: Object) -> Iterator[Claim]:
    """The parts of an object, where they say when or where they come; a page is in the order that was asked for."""
    for name, parts in item.items():
        if not isinstance(parts, list) or name == "results" or not all(isinstance(part, dict) for part in parts):
            continue
        for field in ("created_at", *PLACES):
            places = [place_of(part[field]) for part in parts if part.get(field) is not None]
            if len(places) == len(parts):
                yield f"{name} by {field}", places, sorted(places)


def place_of(value: Any) -> Any:
    """A moment as such: its fraction has as many digits as it needs."""
    return moment(value) if isinstance(value, str) and "T" in value else value


@where("ready", "problems")
def ready(item: Object) -> Iterator[Claim]:
    yield "ready", item["ready"], not item["problems"]


@where("next_lesson", "sections")
def goes_on(item: Object) -> Iterator[Claim]:
    after = item["next_lesson"]["lesson_id"]
    found = [lesson["is_completed"] for section in item["sections"] for lesson in section["lessons"] if lesson["id"] == after]
    yield "whether the next lesson is completed", found, [False]


@where("quizzes.total", "quizzes.completed")
def quizzes(item: Object) -> Iterator[Claim]:
    yield "no more quizzes are completed than there are", item["quizzes"]["completed"] <= item["quizzes"]["total"], True


@where("questions", "total_points")
def points(item: Object) -> Iterator[Claim]:
    yield "total_points", item["total_points"], sum(question["points"] for question in item["questions"])
    if "questions_count" in item:
        yield "questions_count", item["questions_count"], len(item["questions"])


@where("total", "by_day", "by_agent")
def used(item: Object) -> Iterator[Claim]:
    for parts in ("by_day", "by_agent"):
        for name in USED:
            yield f"{name} {parts}", sum(part[name] for part in item[parts]), item["total"][name]


@where("processed", *OUTCOMES)
def processed(item: Object) -> Iterator[Claim]:
    yield "processed", item["processed"], sum(item[outcome] for outcome in OUTCOMES)


@where("results", "total_pages")
def current(item: Object) -> Iterator[Claim]:
    if whole(item) and item["results"] and all("is_current" in each for each in item["results"]):
        yield "how many are the current one", sum(each["is_current"] for each in item["results"]), 1


@where("prompt_tokens", "completion_tokens", "total_tokens")
def tokens(item: Object) -> Iterator[Claim]:
    yield "total_tokens", item["total_tokens"], item["prompt_tokens"] + item["completion_tokens"]


@where("gross", "refunded", "net")
def net(item: Object) -> Iterator[Claim]:
    yield "net", item["net"], item["gross"] - item["refunded"]


@where("list_price", "amount")
def discounted(item: Object) -> Iterator[Claim]:
    off = item["discount"]["discount_amount"] if item.get("discount") else 0
    yield "amount", item["amount"], item["list_price"] - off


@where("list_price", "discount.discount_percentage", "discount.discount_amount")
def percent_off(item: Object) -> Iterator[Claim]:
    exact = Decimal(item["list_price"]) * item["discount"]["discount_percentage"] / 100
    yield "discount_amount by the percentage", abs(item["discount"]["discount_amount"] - exact) <= Decimal("0.5"), True
    if item["currency"] == "USD":
        yield "discount_amount", item["discount"]["discount_amount"], exact.quantize(Decimal("0.01"), "ROUND_HALF_UP")


@where("limits", "usage.daily_used", "usage.monthly_used")
def remaining(item: Object) -> Iterator[Claim]:
    for period in ("daily", "monthly"):
        limit, used = item["limits"][f"{period}_limit"], item["usage"][f"{period}_used"]
        yield f"{period}_remaining", item["usage"][f"{period}_remaining"], None if limit is None else max(0, limit - used)


@where("duration_seconds", "duration_minutes")
def minutes(item: Object) -> Iterator[Claim]:
    yield "duration_minutes", item["duration_minutes"], math.ceil(item["duration_seconds"] / 60)


@where("completed_lessons", "total_lessons")
def progress(item: Object) -> Iterator[Claim]:
    done, total = item["completed_lessons"], item["total_lessons"]
    for name in ("overall_progress", "progress", "percentage", "progress_percentage"):
        if isinstance(item.get(name), int):
            yield name, item[name], percentage(done, total)
    if "lessons" in item:
        yield "total_lessons", total, len(item["lessons"])
        yield "completed_lessons", done, sum(lesson["is_completed"] for lesson in item["lessons"])
    if "sections" in item and all("total_lessons" in section for section in item["sections"]):
        for name in ("completed_lessons", "total_lessons"):
            yield name, item[name], sum(section[name] for section in item["sections"])


@where("sections", "sections_count", "lessons_count")
def curriculum(item: Object) -> Iterator[Claim]:
    sections = item["sections"]
    yield "sections_count", item["sections_count"], len(sections)
    yield "lessons_count", item["lessons_count"], sum(section["lessons_count"] for section in sections)
    hours = sum(section["duration_minutes"] for section in sections) / 60
    yield "duration_hours", abs(float(item["duration_hours"]) - hours) <= 0.05 + len(sections) / 60, True


@where("sections")
def outlines(item: Object) -> Iterator[Claim]:
    for section in item["sections"]:
        if "lessons" in section and "lessons_count" in section:
            yield "lessons_count", section["lessons_count"], len(section["lessons"])


@where("distribution", "count")
def ratings(item: Object) -> Iterator[Claim]:
    yield "the stars", [each["rating"] for each in item["distribution"]], [*range(RATED, 0, -1)]
    rated = {review["rating"] for review in item.get("results", [])}
    if len(rated) > 1 or "average" in item:  # of one rating alone: perhaps no other was asked for
        yield "count", item["count"], sum(each["count"] for each in item["distribution"])
    for review in rated:
        yield f"reviews with {review} stars are counted", item["distribution"][RATED - review]["count"] > 0, True


@where("watched", "watch_time_seconds")
def watched(item: Object) -> Iterator[Claim]:
    seconds = sum(Decimal(part["end"]) - Decimal(part["start"]) for part in item["watched"])
    yield "watch_time_seconds", item["watch_time_seconds"], math.floor(seconds)


@where("daily_activity", "start_date", "end_date", "period")
def days(item: Object) -> Iterator[Claim]:
    yield from period(item, item["daily_activity"])


@where("enrollments.by_day", "start_date", "end_date", "period")
def days_of_course(item: Object) -> Iterator[Claim]:
    yield from period(item, item["enrollments"]["by_day"])


def period(item: Object, days: list[Object]) -> Iterator[Claim]:
    first, last = (date.fromisoformat(item[name]) for name in ("start_date", "end_date"))
    yield "days", [each["date"] for each in days], [str(first + timedelta(place)) for place in range((last - first).days + 1)]
    yield f"days of a {item['period']}", len(days), DAYS.get(item["period"], len(days))


@where("completion_rate", "funnel", "enrollments")
def funnel(item: Object) -> Iterator[Claim]:
    enrolled = item["enrollments"]["total"]
    yield "completion_rate", item["completion_rate"], percentage(item["enrollments"]["completed"], enrolled)
    for step in item["funnel"]:
        yield f"percentage of {step['step']}", step["percentage"], percentage(step["learners"], enrolled)


@where("totals", "by_month", "by_course")
def earnings(item: Object) -> Iterator[Claim]:
    totals = {total["currency"]: total["net"] for total in item["totals"]}
    for parts in ("by_month", "by_course"):
        yield f"the sum {parts}", by_currency(item[parts], "net"), totals


def by_currency(items: list[Object], name: str) -> dict[str, Any]:
    found: dict[str, Any] = defaultdict(int)
    for each in items:
        found[each["currency"]] += each[name]
    return dict(found)


@where("file_size", "chunk_size", "total_chunks")
def chunks(item: Object) -> Iterator[Claim]:
    yield "total_chunks", item["total_chunks"], -(-item["file_size"] // item["chunk_size"])


@where("received_parts", "received_bytes", "status")
def received(item: Object) -> Iterator[Claim]:
    if item["status"] == "uploading":
        yield "received_bytes", item["received_bytes"], sum(part["size"] for part in item["received_parts"])


@where("assigned_count", "lessons")
def assigned(item: Object) -> Iterator[Claim]:
    yield "assigned_count", item["assigned_count"], len(item["lessons"])


@where("segments", "segments_count")
def segments(item: Object) -> Iterator[Claim]:
    yield "segments_count", item["segments_count"], len(item["segments"])


def whole(page: Object) -> bool:
    """Whether a page is all there is of its list."""
    return bool(page["page"] == 1 and page["total_pages"] <= 1)


@where("total_spent_by_currency", "results", "total_pages")
def spent(item: Object) -> Iterator[Claim]:
    if whole(item):
        paid = [payment for payment in item["results"] if payment["status"] in PAID]
        left = [{"currency": each["currency"], "amount": each["amount"] - each["refunded_amount"]} for each in paid]
        yield "total_spent_by_currency", by_currency(item["total_spent_by_currency"], "amount"), by_currency(left, "amount")


@where("unread_count", "results", "total_pages")
def unread(item: Object) -> Iterator[Claim]:
    of_page = sum(not each["is_read"] for each in item["results"])
    yield "unread_count", item["unread_count"] >= of_page, True


@where("active_enrollments", "completed_courses", "results", "total_pages")
def enrolled(item: Object) -> Iterator[Claim]:
    statuses = [each["status"] for each in item["results"]]
    if whole(item) and len({*statuses}) > 1:  # as above
        yield "active_enrollments", item["active_enrollments"], statuses.count("active")
        yield "completed_courses", item["completed_courses"], statuses.count("completed")


@where("is_completed")
def done(item: Object) -> Iterator[Claim]:
    yield from told_twice(item, "completed")


@where("is_read")
def read(item: Object) -> Iterator[Claim]:
    yield from told_twice(item, "read")


@where("is_suspended")
def suspended(item: Object) -> Iterator[Claim]:
    yield from told_twice(item, "suspended")


@where("created_at", "expires_at", "scopes")
def never_over(item: Object) -> Iterator[Claim]:
    yield "expires_at comes after created_at", moment(item["expires_at"]) > moment(item["created_at"]), True


def told_twice(item: Object, name: str) -> Iterator[Claim]:
    if f"{name}_at" in item:
        yield f"is_{name}", item[f"is_{name}"], item[f"{name}_at"] is not None


@where("created_at", "updated_at")
def changed(item: Object) -> Iterator[Claim]:
    yield "updated_at comes after created_at", moment(item["updated_at"]) >= moment(item["created_at"]), True


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    assert found.tzinfo is not None, f"{text} has no time zone"
    return found
