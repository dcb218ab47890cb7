"""Forgotten passwords and addresses: links by mail, each good once."""

import statistics
import time
from datetime import timedelta
from uuid import uuid4

import pytest

from harness import PASSWORD, Api, Person, Server, code_of, in_parallel, running_server
from postman import Postman

RESET, CONFIRM, SIGN_IN = "/api/v1/auth/password/reset/", "/api/v1/auth/password/reset/confirm/", "/api/v1/auth/signin/"
VERIFY, RESEND, CHANGE = "/api/v1/auth/email/verify/", "/api/v1/auth/email/resend/", "/api/v1/auth/email/change/"
PROFILE, REFRESH, SIGN_UP = "/api/v1/auth/profile/", "/api/v1/auth/refresh/", "/api/v1/auth/signup/"
NEW = "another horse, another battery"


@pytest.fixture
def postman(server: Server) -> Postman:
    return Postman(server)


@pytest.fixture
def person(api: Api, postman: Postman) -> Person:
    """Somebody who has had the mail that a sign-up sends."""
    found = api.sign_up()
    postman.deliver(found.email)
    return found


def sign_in(api: Api, email: str, password: str) -> int:
    return api.post(SIGN_IN, json={"email": email, "password": password}).status_code


def test_the_link_of_a_mail_sets_a_new_password_once(api: Api, person: Person, postman: Postman) -> None:
    assert api.post(RESET, json={"email": person.email.upper()}).status_code == 202
    mail = postman.mail_to(person)
    assert mail.subject == "Set a new password"
    body = {"token": mail.token, "password": NEW}
    assert api.post(CONFIRM, json=body).status_code == 200
    assert [sign_in(api, person.email, password) for password in (PASSWORD, NEW)] == [401, 200]
    again = api.post(CONFIRM, json=body)
    assert (again.status_code, code_of(again)) == (400, "TOKEN_INVALID")


def test_a_new_password_ends_every_session(api: Api, person: Person, postman: Postman) -> None:
    api.post(RESET, json={"email": person.email})
    api.post(CONFIRM, json={"token": postman.mail_to(person).token, "password": NEW})
    assert person.get(PROFILE).status_code == 401
    assert api.post(REFRESH, json={"refresh_token": person.tokens["refresh_token"]}).status_code == 401


def test_links_that_were_sent_before_are_no_longer_good(api: Api, person: Person, postman: Postman) -> None:
    tokens = []
    for _ in range(2):
        api.post(RESET, json={"email": person.email})
        tokens.append(postman.mail_to(person).token)
    assert api.post(CONFIRM, json={"token": tokens[1], "password": NEW}).status_code == 200
    assert api.post(CONFIRM, json={"token": tokens[0], "password": PASSWORD}).status_code == 400


def test_a_link_ends_after_an_hour(api: Api, person: Person, postman: Postman) -> None:
    api.post(RESET, json={"email": person.email})
    body = {"token": postman.mail_to(person).token, "password": NEW}
    api.server.clock.offset = timedelta(hours=1, seconds=5)
    try:
        assert code_of(api.post(CONFIRM, json=body)) == "TOKEN_INVALID"
    finally:
        api.server.clock.offset = timedelta()


def test_a_weak_password_does_not_use_the_link_up(api: Api, person: Person, postman: Postman) -> None:
    api.post(RESET, json={"email": person.email})
    token = postman.mail_to(person).token
    assert code_of(api.post(CONFIRM, json={"token": token, "password": "password1"})) == "WEAK_PASSWORD"
    assert api.post(CONFIRM, json={"token": token, "password": NEW}).status_code == 200


def test_of_many_who_open_a_link_at_once_one_does(api: Api, person: Person, postman: Postman) -> None:
    api.post(RESET, json={"email": person.email})
    body = {"token": postman.mail_to(person).token, "password": NEW}
    answers = in_parallel(api.server, [lambda one: one.post(CONFIRM, json=body).status_code] * 5)
    assert sorted(answers) == [200, 400, 400, 400, 400]


def test_no_token_stands_in_a_queue_or_as_it_is_in_the_database(api: Api, person: Person, postman: Postman) -> None:
    api.post(RESET, json={"email": person.email})
    assert [name for _, name in postman.waiting(person.email)] == ["auth.mail_password_reset"]
    token = postman.mail_to(person).token
    kept = api.server.sql("SELECT t::text FROM one_time_tokens t WHERE user_id = %s", person.id)
    assert kept
    assert token not in str(kept)


def test_an_address_without_an_account_gets_the_same_answer_and_no_mail(api: Api, person: Person, postman: Postman) -> None:
    nobody = f"nobody-{uuid4().hex}@example.com"
    known, unknown = (api.post(RESET, json={"email": email}) for email in (person.email, nobody))
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert postman.deliver(nobody) == ["auth.mail_password_reset"]
    assert postman.mails(nobody) == []


def lead(caller: Api, path: str, known: str, more: dict[str, str]) -> float:
    """By which share of its time an answer for a known address differs from one for an unknown: medians, in turns."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(60):
        has_account = number % 2 == 0
        email = known if has_account else f"nobody-{number}-{uuid4().hex[:6]}@example.com"
        began = time.perf_counter()
        caller.post(path, json={"email": email, **more})
        times[has_account].append(time.perf_counter() - began)
    medians = [statistics.median(times[has_account]) for has_account in (True, False)]
    return abs(medians[0] - medians[1]) / max(medians)


@pytest.mark.parametrize(("path", "more"), [(SIGN_IN, {"password": "a wrong one"}), (RESET, {})])
def test_no_answer_tells_by_its_time_whether_an_address_has_an_account(server: Server, path: str, more: dict[str, str]) -> None:
    """Hashing takes most of it where there is any; what the machine does besides passes within three tries."""
    with running_server(server.owner_url, password_memory_kib=4096, password_passes=2) as slow, Api(slow) as caller:
        known = caller.sign_up().email
        assert min(lead(caller, path, known, more) for _ in range(3)) < 0.2


def test_a_sign_up_sends_a_link_that_confirms_the_address(api: Api, postman: Postman) -> None:
    person = api.sign_up()
    assert person.get(PROFILE).json()["email_verified"] is False
    mail = postman.mail_to(person)
    assert mail.subject == "Confirm your e-mail address"
    assert api.post(VERIFY, json={"token": mail.token}).status_code == 200
    assert person.get(PROFILE).json()["email_verified"] is True
    assert code_of(api.post(VERIFY, json={"token": mail.token})) == "TOKEN_INVALID"


def test_a_new_password_by_mail_confirms_the_address_too(api: Api, postman: Postman) -> None:
    """Whoever opened the link has the mail; the one of the sign-up is good no more."""
    email = f"late-{uuid4().hex[:8]}@example.com"
    with running_server(api.server.owner_url, confirm_email=True) as strict, Api(strict) as caller:
        caller.post(SIGN_UP, json={"email": email, "password": PASSWORD, "full_name": "Late"})
        postman.deliver(email)
        caller.post(RESET, json={"email": email})
        postman.deliver(email)
        assert caller.post(CONFIRM, json={"token": postman.mails(email)[-1].token, "password": NEW}).status_code == 200
        assert sign_in(caller, email, NEW) == 200


def test_whoever_changes_their_password_before_they_confirm_gets_another_link(api: Api, person: Person, postman: Postman) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert person.post("/api/v1/auth/password/change/", json=body).status_code == 200
    postman.deliver(person.email)
    first, second = postman.mails(person.email)
    assert [api.post(VERIFY, json={"token": mail.token}).status_code for mail in (first, second)] == [400, 200]


def test_a_sign_up_that_was_refused_sends_nothing(api: Api, postman: Postman) -> None:
    person = api.sign_up()
    postman.deliver(person.email)
    body = {"email": person.email, "password": PASSWORD, "full_name": "Again"}
    assert code_of(api.post(SIGN_UP, json=body)) == "EMAIL_TAKEN"
    assert postman.waiting(person.email) == []


def test_another_link_is_sent_on_request_until_the_address_is_confirmed(api: Api, person: Person, postman: Postman) -> None:
    assert api.post(RESEND, json={"email": person.email}).status_code == 202
    postman.deliver(person.email)
    assert len(postman.mails(person.email)) == 2
    api.post(VERIFY, json={"token": postman.mails(person.email)[-1].token})
    api.post(RESEND, json={"email": person.email})
    postman.deliver(person.email)
    assert len(postman.mails(person.email)) == 2


def test_where_addresses_must_be_confirmed_nobody_is_in_before(api: Api, postman: Postman) -> None:
    email = f"careful-{uuid4().hex[:8]}@example.com"
    body = {"email": email, "password": PASSWORD, "full_name": "Careful"}
    with running_server(api.server.owner_url, confirm_email=True) as strict, Api(strict) as caller:
        first, second = (caller.post(SIGN_UP, json=body) for _ in range(2))
        assert (first.status_code, first.json()) == (second.status_code, second.json()) == (202, first.json())
        assert "set-cookie" not in first.headers
        refused = caller.post(SIGN_IN, json={"email": email, "password": PASSWORD})
        assert (refused.status_code, code_of(refused)) == (403, "EMAIL_NOT_VERIFIED")
        wrong = caller.post(SIGN_IN, json={"email": email, "password": "a wrong one"})
        assert code_of(wrong) == "AUTH_INVALID_CREDENTIALS"  # who does not know the password learns nothing
        postman.deliver(email)
        caller.post(VERIFY, json={"token": postman.mails(email)[-1].token})
        assert sign_in(caller, email, PASSWORD) == 200


def test_an_address_changes_when_its_link_is_opened_and_the_old_one_is_told(api: Api, person: Person, postman: Postman) -> None:
    new = f"new-{uuid4().hex[:8]}@example.com"
    asked = person.post(CHANGE, json={"email": new.upper(), "password": PASSWORD})
    assert asked.status_code == 202
    assert person.get(PROFILE).json()["email"] == person.email
    postman.deliver(person.id)
    assert api.post(VERIFY, json={"token": postman.mails(new)[-1].token}).status_code == 200
    assert (person.get(PROFILE).json()["email"], person.get(PROFILE).json()["email_verified"]) == (new, True)
    assert sign_in(api, new, PASSWORD) == 200
    postman.deliver(person.id)
    assert postman.mails(person.email)[-1].subject == "Your e-mail address has changed"


def test_the_password_is_needed_to_change_the_address(person: Person, postman: Postman) -> None:
    refused = person.post(CHANGE, json={"email": "x@example.com", "password": "a wrong one"})
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_INVALID_CREDENTIALS")
    assert postman.waiting(person.id) == []


def test_an_address_that_somebody_has_taken_meanwhile_is_refused(api: Api, person: Person, postman: Postman) -> None:
    new = f"new-{uuid4().hex[:8]}@example.com"
    person.post(CHANGE, json={"email": new, "password": PASSWORD})
    postman.deliver(person.id)
    api.sign_up(email=new)
    refused = api.post(VERIFY, json={"token": postman.mails(new)[0].token})
    assert (refused.status_code, code_of(refused)) == (409, "EMAIL_TAKEN")
    assert person.get(PROFILE).json()["email"] == person.email


@pytest.mark.parametrize("how", ["forgotten", "changed"])
def test_a_new_password_ends_every_link_that_was_mailed_before(api: Api, person: Person, postman: Postman, how: str) -> None:
    """Whoever knew the old one may have asked for another address, theirs."""
    new = f"new-{uuid4().hex[:8]}@example.com"
    person.post(CHANGE, json={"email": new, "password": PASSWORD})
    api.post(RESET, json={"email": person.email})
    reset = postman.mail_to(person).token
    if how == "forgotten":
        assert api.post(CONFIRM, json={"token": reset, "password": NEW}).status_code == 200
    else:
        changed = person.post("/api/v1/auth/password/change/", json={"current_password": PASSWORD, "new_password": NEW})
        assert changed.status_code == 200
        assert code_of(api.post(CONFIRM, json={"token": reset, "password": PASSWORD})) == "TOKEN_INVALID"
    assert code_of(api.post(VERIFY, json={"token": postman.mails(new)[-1].token})) == "TOKEN_INVALID"
    assert sign_in(api, person.email, NEW) == 200


def test_a_new_password_ends_a_wish_for_another_address_whose_mail_still_waits(person: Person, postman: Postman) -> None:
    new = f"new-{uuid4().hex[:8]}@example.com"
    person.post(CHANGE, json={"email": new, "password": PASSWORD})
    person.post("/api/v1/auth/password/change/", json={"current_password": PASSWORD, "new_password": NEW})
    assert "auth.mail_new_address" in postman.deliver(person.id)
    assert postman.mails(new) == []
    person.post(CHANGE, json={"email": new, "password": NEW})
    postman.deliver(person.id)
    assert len(postman.mails(new)) == 1


def test_another_address_ends_every_link_that_was_mailed_before(api: Api, person: Person, postman: Postman) -> None:
    """To the address before, which may be somebody else's by now."""
    new = f"new-{uuid4().hex[:8]}@example.com"
    signed_up = postman.mails(person.email)[0].token
    api.post(RESET, json={"email": person.email})
    reset = postman.mail_to(person).token
    person.post(CHANGE, json={"email": new, "password": PASSWORD})
    postman.deliver(person.id)
    assert api.post(VERIFY, json={"token": postman.mails(new)[-1].token}).status_code == 200
    assert code_of(api.post(VERIFY, json={"token": signed_up})) == "TOKEN_INVALID"
    assert code_of(api.post(CONFIRM, json={"token": reset, "password": NEW})) == "TOKEN_INVALID"
    assert person.get(PROFILE).json()["email"] == new


@pytest.mark.parametrize("token", ["x", "a" * 200, "0" * 32])
def test_what_was_never_sent_is_no_token(api: Api, token: str) -> None:
    assert code_of(api.post(VERIFY, json={"token": token})) == "TOKEN_INVALID"
    assert code_of(api.post(CONFIRM, json={"token": token, "password": NEW})) == "TOKEN_INVALID"


def test_a_link_for_one_purpose_is_none_for_another(api: Api, person: Person, postman: Postman) -> None:
    token = postman.mails(person.email)[-1].token  # to confirm the address
    assert code_of(api.post(CONFIRM, json={"token": token, "password": NEW})) == "TOKEN_INVALID"
    assert api.post(VERIFY, json={"token": token}).status_code == 200
