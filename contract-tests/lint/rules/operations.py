"""Rules about operations: their names, who may call them, what they take and which statuses they answer."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from http import HTTPStatus

from unpuzzle_cli.conformance.contract import Operation

from .registry import operations, rule

PUBLIC = {"public", "service"}
ROLES = PUBLIC | {"user", "enrolled", "instructor", "owner", "admin"}
SIGNED_IN: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
LIMITS = {"none", "reset", "sign_in", "sign_up"}
IMPLIED = {"Idempotency-Key": {"409", "422"}, "If-Match": {"412"}, "If-None-Match": {"304"}}
PAGE = {"count", "next", "previous", "page", "page_size", "total_pages", "results"}
READING_BY_POST = {"learning.get_playback", "payments.validate_coupon"}
"""What they are asked is nothing for an address."""


@rule(operations)
def operation_ids_name_tag_and_verb(op: Operation) -> Iterator[str]:
    """An operationId is `<tag>.<verb>` in snake case, and the tag is the operation's only one."""
    if not re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", op.id):
        yield "the id is not <tag>.<verb>"
    if op.node.get("tags") != [op.id.partition(".")[0]]:
        yield f"the tags are {op.node.get('tags')}"


@rule(operations)
def operations_say_what_they_do(op: Operation) -> Iterator[str]:
    """An operation has a summary of at most eight words without a full stop, and a description."""
    summary = op.node.get("summary", "")
    if len(summary.split()) not in range(1, 9) or summary.endswith("."):
        yield f"the summary is {summary!r}"
    if not op.node.get("description"):
        yield "there is no description"


@rule(operations)
def security_is_explicit(op: Operation) -> Iterator[str]:
    """An operation states its security: none, both schemes, or both and `{}` last where signing in is optional."""
    if op.node.get("security") not in ([], SIGNED_IN, [*SIGNED_IN, {}]):
        yield f"the security is {op.node.get('security')}"


@rule(operations)
def roles_fit_security(op: Operation) -> Iterator[str]:
    """An operation states its role, and demands signing in just where the role needs somebody."""
    if op.role not in ROLES:
        yield f"the role is {op.role}"
    if (op.node.get("security") == SIGNED_IN) != (op.role not in PUBLIC):
        yield f"the role {op.role} does not fit the security"


@rule(operations)
def scopes_can_be_had(op: Operation) -> Iterator[str]:
    """The scopes that an API key needs are among those that one can be made with."""
    known = op.contract.components("schemas").get("Scope", {}).get("enum", [])
    yield from (f"no key can have the scope {scope}" for scope in op.node.get("x-unpuzzle-scopes", []) if scope not in known)


@rule(operations)
def scopes_tell_reading_from_writing(op: Operation) -> Iterator[str]:
    """What changes something needs a scope to write, and what reads one to read."""
    kind = "write" if op.is_unsafe and op.id not in READING_BY_POST else "read"
    scopes = op.node.get("x-unpuzzle-scopes", [])
    yield from (f"the scope {scope} is not one to {kind}" for scope in scopes if not scope.endswith(f":{kind}"))


@rule(operations)
def admins_have_paths_of_their_own(op: Operation) -> Iterator[str]:
    """What only admins may do stands below `/admin/`, and nothing else does."""
    if ("/admin/" in op.path) != (op.role == "admin"):
        yield f"the role {op.role} does not fit the path"


@rule(operations)
def limits_are_known(op: Operation) -> Iterator[str]:
    """A rate limit of its own is one the server has; only health and signed requests go without any."""
    limit = op.node.get("x-unpuzzle-limit")
    if limit is not None and (limit.get("name") not in LIMITS or limit.keys() - {"name", "by"}):
        yield f"the limit is {limit}"
    if limit is not None and "by" in limit and limit["by"] not in op.contract.required(op.body_schema):
        yield f"the limit counts by {limit['by']}, which the body need not have"
    if not op.is_limited and op.id != "system.health" and op.role != "service" and not op.takes("signature"):
        yield "it has no limit"


@rule(operations)
def passwords_are_limited(op: Operation) -> Iterator[str]:
    """What takes a password has a limit of its own: the general one is a licence to guess."""
    if any("password" in field for field in op.contract.fields(op.body_schema)) and "x-unpuzzle-limit" not in op.node:
        yield "it takes a password without x-unpuzzle-limit"


@rule(operations)
def statuses_are_explicit(op: Operation) -> Iterator[str]:
    """Every status is a number: `default` would document anything, and ranges mean nothing to Connexion."""
    for answer in op.answers:
        if not re.fullmatch(r"[2345][0-9]{2}", answer.status):
            yield f"{answer.status} is no status"


@rule(operations)
def statuses_are_complete(op: Operation) -> Iterator[str]:
    """An operation documents every status that it can answer."""
    if not op.successes and not {"302", "303"} & {answer.status for answer in op.answers}:
        yield "it never succeeds"
    for status in sorted(_possible(op) - {answer.status for answer in op.answers}):
        yield f"{status} is missing"


@rule(operations)
def statuses_are_possible(op: Operation) -> Iterator[str]:
    """An operation documents no refusal that nothing it declares can lead to."""
    for answer in op.answers:
        if answer.status >= "304" and answer.status not in _possible(op):
            yield f"{answer.status} is never answered"


def _possible(op: Operation) -> set[str]:
    """The refusals that follow from what an operation declares."""
    found = {"400", "422", "500", "503"} | {str(op.contract.statuses.get(code)) for code in op.errors}
    if op.is_limited:
        found |= {"429"}
    if op.node.get("security"):
        found |= {"401", "403"}
    if op.body:
        found |= {"413", "415"}
    if op.path_parameters:
        found |= {"404"}
    return found.union(*(statuses for header, statuses in IMPLIED.items() if op.takes(header)))


@rule(operations)
def errors_are_known(op: Operation) -> Iterator[str]:
    """`x-unpuzzle-errors` names codes of the enum, each once."""
    for code in op.errors:
        if code not in op.contract.statuses or op.errors.count(code) > 1:
            yield f"{code} is not one code"


@rule(operations)
def missing_things_have_a_code(op: Operation) -> Iterator[str]:
    """An operation on something says with which code it answers when that is not there."""
    if op.path_parameters and HTTPStatus.NOT_FOUND not in {op.contract.statuses.get(code) for code in op.errors}:
        yield "no code of x-unpuzzle-errors is a 404"


@rule(operations)
def versions_can_be_asked_for(op: Operation) -> Iterator[str]:
    """Every operation takes `X-API-Version`, except those that other services call."""
    if op.role != "service" and not op.takes("X-API-Version"):
        yield "it does not take X-API-Version"


@rule(operations)
def writes_can_be_repeated(op: Operation) -> Iterator[str]:
    """What changes something for a user takes an `Idempotency-Key`, unless it carries a secret, which is never stored."""
    expected = op.is_unsafe and not op.carries_secret and op.role not in ("public", "service")
    if op.takes("Idempotency-Key") != expected:
        yield f"it {'does not take' if expected else 'takes'} an Idempotency-Key"
    for answer in op.successes:
        if answer.sends("Idempotency-Replayed") != expected:
            yield f"{answer.status} {'does not declare' if expected else 'declares'} Idempotency-Replayed"


@rule(operations)
def reads_can_be_revalidated(op: Operation) -> Iterator[str]:
    """A single resource is read with an ETag, and what carries one takes `If-None-Match`."""
    if op.is_unsafe:
        return
    tagged = any(answer.sends("ETag", always=True) for answer in op.successes)
    if op.names_one_thing and not tagged:
        yield "its answer has no ETag"
    if tagged != op.takes("If-None-Match"):
        yield "only one of ETag and If-None-Match is there"


@rule(operations)
def writes_can_be_conditional(op: Operation) -> Iterator[str]:
    """A write to what has an ETag takes `If-Match`; a change answers with the new ETag."""
    if not op.is_unsafe:
        return
    changed = [answer for answer in op.successes if answer.status == "200"]
    tagged = any(answer.sends("ETag", always=True) for answer in changed)
    if op.method == "patch" and not tagged:
        yield "its answer has no ETag"
    if (tagged or (op.method in ("put", "delete") and _is_tagged(op))) and not op.takes("If-Match"):
        yield "it does not take If-Match"


def _is_tagged(op: Operation) -> bool:
    """Whether some operation answers an ETag at the same address."""
    siblings = [other for other in op.contract.operations if other.path == op.path]
    return any(answer.sends("ETag") for sibling in siblings for answer in sibling.successes)


@rule(operations)
def lists_have_pages(op: Operation) -> Iterator[str]:
    """A list takes page and size, answers the shape of a page, and says which key holds its items."""
    shapes = [op.contract.required(answer.schema) for answer in op.successes]
    is_list = "x-unpuzzle-pagination" in op.node
    verb = op.id.partition(".")[2]
    if not is_list and (verb.split("_")[0] == "list" or any(shape >= PAGE for shape in shapes)):
        yield "it is a list without x-unpuzzle-pagination"
    if is_list:
        if op.node["x-unpuzzle-pagination"] != {"items": "results"}:
            yield "x-unpuzzle-pagination is not {items: results}"
        yield from (f"it does not take {name}" for name in ("page", "page_size") if not op.takes(name))
        yield from (f"its answer lacks {sorted(PAGE - shape)}" for shape in shapes if not shape >= PAGE)


@rule(operations)
def sorts_have_an_order(op: Operation) -> Iterator[str]:
    """What can be sorted can be sorted both ways."""
    if op.takes("sort") != op.takes("order"):
        yield "only one of sort and order is there"


@rule(operations)
def deletions_answer_nothing(op: Operation) -> Iterator[str]:
    """A DELETE succeeds with 204."""
    if op.method == "delete" and [answer.status for answer in op.successes] != ["204"]:
        yield f"it answers {', '.join(answer.status for answer in op.successes)}"


@rule(operations)
def optional_bodies_may_be_empty(op: Operation) -> Iterator[str]:
    """A body says whether it may be left out, which is so only where all its fields may be left out."""
    if op.body and "required" not in op.body:
        yield "the body does not say whether it is required"
    if op.body and not op.body.get("required") and op.contract.required(op.body_schema):
        yield "the body is optional, but has required fields"


@rule(operations)
def deprecations_give_notice(op: Operation) -> Iterator[str]:
    """What is deprecated says so in its answers, stays for six months, and names what to use after it, with a guide."""
    notice = op.node.get("x-unpuzzle-deprecation")
    if bool(notice) != op.node.get("deprecated", False):
        yield "only one of deprecated and x-unpuzzle-deprecation is there"
    if notice is None:
        return
    if notice.keys() != {"deprecated_at", "sunset_at", "use", "guide"}:
        yield f"x-unpuzzle-deprecation has {sorted(notice)}"
        return
    if _day(notice["sunset_at"]) < _half_a_year_after(_day(notice["deprecated_at"])):
        yield "its sunset is less than six months away"
    if notice["use"] not in {other.id for other in op.contract.operations if not other.node.get("deprecated")}:
        yield f"there is no operation {notice['use']} to use, or it is deprecated too"
    if not _resolves(op, notice["guide"]):
        yield f"its guide {notice['guide']} is not there"
    for answer in op.successes:
        yield from (f"{answer.status} lacks {name}" for name in ("Deprecation", "Sunset", "Link") if not answer.sends(name))


def _day(text: str) -> date:
    return datetime.fromisoformat(text).date()


def _half_a_year_after(day: date) -> date:
    """The same day six months later, or the first of the next month where that has no such day."""
    years, month = divmod(day.month + 5, 12)
    try:
        return day.replace(year=day.year + years, month=month + 1)
    except ValueError:
        return date(day.year + years, month + 2, 1)


def _resolves(op: Operation, guide: str) -> bool:
    """Whether a guide is the address of a page of `docs/`, with the heading that it names."""
    page, _, anchor = guide.removeprefix(f"{op.contract.documentation}/").partition("#")
    file = op.contract.root / "docs" / f"{page}.md"
    if page == guide.partition("#")[0] or not file.is_file():
        return False
    headings = re.findall(r"^#+ (.+)$", file.read_text(), flags=re.MULTILINE)
    return not anchor or anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
