"""What an account may be made of, and what a refusal gives away: nothing."""

from typing import Any
from uuid import uuid4

import pytest

from harness import PASSWORD, Api, Person, code_of, fields_of, in_parallel

SIGN_UP, SIGN_IN, PROFILE = "/api/v1/auth/signup/", "/api/v1/auth/signin/", "/api/v1/auth/profile/"
UPDATE, APPLY = "/api/v1/auth/profile/update/", "/api/v1/auth/instructor/apply/"


def account(**fields: Any) -> dict[str, Any]:
    return {"email": f"{uuid4().hex[:12]}@example.com", "password": PASSWORD, "full_name": "Ada Lovelace", **fields}


@pytest.mark.parametrize(
    "email",
    [
        "",
        "a",
        "a@",
        "@example.com",
        "a@b@example.com",
        "a b@example.com",
        " a@example.com",
        "a@example.com\n",
        "a@exa mple.com",
        "a@example..com",
        "a@-example.com",
        "ä@example.com",
        "a@bücher.example",
        "a\u200b@example.com",
        "Ada <a@example.com>",
        "a@example.com,b@example.com",
        "x" * 65 + "@example.com",
        "a@" + "x" * 250 + ".com",
        None,
        5,
        ["a@example.com"],
    ],
)
def test_an_address_has_the_form_of_one(api: Api, email: Any) -> None:
    for path in (SIGN_UP, SIGN_IN):
        response = api.post(path, json={**account(email=email)} if path == SIGN_UP else {"email": email, "password": PASSWORD})
        assert (response.status_code, fields_of(response)) == (422, {"email"})


@pytest.mark.parametrize("local", ["a.b+tag", "o'brien", "'or'1'='1", "a_b-c", "{x}", "$1", "%s", "a/b", "0"])
def test_an_address_may_hold_what_addresses_hold(api: Api, local: str) -> None:
    email = f"{local}@{uuid4().hex}.example"
    assert api.post(SIGN_UP, json=account(email=email)).json()["user"]["email"] == email
    assert api.post(SIGN_IN, json={"email": email, "password": PASSWORD}).status_code == 200
    assert api.post(SIGN_IN, json={"email": email.replace("@", "x@"), "password": PASSWORD}).status_code == 401


@pytest.mark.parametrize(
    "password",
    ["eight ch", "ünïcödé!", "💥" * 8, " leading and trailing ", "tab\tand\nline", "x" * 255 + "y", "'; DROP TABLE users; --"],
)
def test_a_password_is_kept_character_for_character(api: Api, password: str) -> None:
    email = account()["email"]
    assert api.post(SIGN_UP, json=account(email=email, password=password)).status_code == 201
    assert api.post(SIGN_IN, json={"email": email, "password": password}).status_code == 200
    for near in (password.upper(), password.strip(), password[:-1], f"{password} ", password.swapcase()):
        if near != password:
            assert api.post(SIGN_IN, json={"email": email, "password": near}).status_code in (401, 422)


@pytest.mark.parametrize("password", ["", "7 chars", "💥" * 7, "x" * 257, None, 12345678, ["correct horse"]])
def test_a_password_has_eight_characters_or_more(api: Api, password: Any) -> None:
    response = api.post(SIGN_UP, json=account(password=password))
    assert (response.status_code, fields_of(response)) == (422, {"password"})


@pytest.mark.parametrize(
    ("email", "password", "status"),
    [
        ("lovelace@example.com", "my name is LOVELACE", 422),
        ("lovelace@example.com", "lovelace@example.com", 422),
        ("ada@example.com", "ada of the ada family", 201),  # three letters are in many words
        ("ada@example.com", "write to ADA@example.COM", 422),
    ],
)
def test_a_password_does_not_hold_the_address(api: Api, email: str, password: str, status: int) -> None:
    api.server.sql("DELETE FROM users WHERE email = %s", email)
    response = api.post(SIGN_UP, json=account(email=email, password=password))
    assert response.status_code == status
    assert status == 201 or code_of(response) == "WEAK_PASSWORD"
    assert password not in response.text


@pytest.mark.parametrize("name", ["", " ", "\t\n", "\u3000", "x" * 201, None, 5, {}])
def test_a_name_is_something(api: Api, learner: Person, name: Any) -> None:
    assert fields_of(api.post(SIGN_UP, json=account(full_name=name))) == {"full_name"}
    assert fields_of(learner.put(UPDATE, json={"full_name": name})) == {"full_name"}


@pytest.mark.parametrize(
    "name", ["李", "💥" * 200, "Robert'); DROP TABLE users;--", "<b>Ada</b>", "O\u2019Brien", "x" * 200, "\\"]
)
def test_a_name_is_kept_as_it_is(api: Api, learner: Person, name: str) -> None:
    assert api.post(SIGN_UP, json=account(full_name=name)).json()["user"]["full_name"] == name
    assert learner.put(UPDATE, json={"full_name": name}).json()["profile"]["full_name"] == name


@pytest.mark.parametrize("blank", ["\x1f", "\x1c\x1d", "\x85"])
def test_no_name_is_kept_as_nothing(api: Api, blank: str) -> None:
    """What is white space to Python is not all white space to the pattern of the spec."""
    response = api.post(SIGN_UP, json=account(full_name=blank))
    assert response.status_code == 422 or response.json()["user"]["full_name"]


@pytest.mark.parametrize(
    "metadata",
    [{"n": 1}, {"n": None}, {"n": ["x"]}, {"n": {}}, {"n": "x" * 501}, {f"{n}": "x" for n in range(51)}, [], "x", None],
)
def test_metadata_is_fifty_texts_at_most(api: Api, metadata: Any) -> None:
    assert api.post(SIGN_UP, json=account(metadata=metadata)).status_code == 422


def test_metadata_is_kept_whatever_its_keys(api: Api) -> None:
    metadata = {"": "", "💥": "💥", "a.b": "'\"\\", "x" * 300: "x" * 500, "__proto__": "x"}
    created = api.post(SIGN_UP, json=account(metadata=metadata)).json()["user"]
    assert api.server.sql("SELECT metadata FROM users WHERE id = %s", created["id"]) == [(metadata,)]
    assert "metadata" not in created


def test_nobody_makes_themselves_more_than_a_student(api: Api, learner: Person) -> None:
    for extra in ({"roles": ["admin"]}, {"email_verified": True}, {"id": learner.id}, {"suspended_at": None}):
        assert fields_of(api.post(SIGN_UP, json=account(**extra))) == set(extra)
        assert fields_of(learner.put(UPDATE, json=extra)) == set(extra)
    assert learner.get(PROFILE).json()["roles"] == ["student"]


def refusal(api: Api, email: str, password: str) -> tuple[Any, ...]:
    response = api.post(SIGN_IN, json={"email": email, "password": password})
    told = {name: value for name, value in response.headers.items() if name not in ("date", "x-request-id")}
    return response.status_code, response.json()["error"], {name for name in told if not name.startswith("x-ratelimit")}


def test_a_refusal_to_sign_in_is_the_same_for_everybody(api: Api, learner: Person) -> None:
    suspended, without_password = api.sign_up(), api.sign_up()
    api.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", suspended.id)
    api.server.sql("DELETE FROM passwords WHERE user_id = %s", without_password.id)
    unknown = refusal(api, "nobody@example.com", "wrong password")
    assert unknown[0] == 401
    assert unknown == refusal(api, learner.email, "wrong password")
    assert unknown == refusal(api, suspended.email, "wrong password")
    assert unknown == refusal(api, without_password.email, PASSWORD)
    assert unknown == refusal(api, "nobody@example.com", "the password of nobody")


def test_a_broken_hash_lets_nobody_in(api: Api, learner: Person) -> None:
    for broken in ("", "x", "$argon2id$", PASSWORD):
        api.server.sql("UPDATE passwords SET hash = %s WHERE user_id = %s", broken, learner.id)
        assert refusal(api, learner.email, PASSWORD)[0] == 401


def test_no_answer_holds_the_hash_or_the_password(api: Api, learner: Person) -> None:
    signed_in = api.post(SIGN_IN, json={"email": learner.email, "password": PASSWORD})
    taken = api.post(SIGN_UP, json=account(email=learner.email))
    for response in (signed_in, taken, learner.get(PROFILE), learner.put(UPDATE, json={})):
        assert "argon2" not in response.text
        assert PASSWORD not in response.text
        assert "hash" not in response.text


def test_a_taken_address_leaves_its_account_alone(api: Api, learner: Person) -> None:
    before = learner.get(PROFILE).json()
    assert code_of(api.post(SIGN_UP, json=account(email=learner.email, password="another password"))) == "EMAIL_TAKEN"
    assert learner.get(PROFILE).json() == before
    assert refusal(api, learner.email, "another password")[0] == 401


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"bio": "x" * 2001}, "bio"),
        ({"bio": 1}, "bio"),
        ({"avatar_url": "javascript:alert(1)"}, "avatar_url"),
        ({"avatar_url": "//example.com/x.png"}, "avatar_url"),
        ({"avatar_url": "https://"}, "avatar_url"),
        ({"avatar_url": "https://example.com/a b"}, "avatar_url"),
        ({"avatar_url": "https://example.com/" + "x" * 2000}, "avatar_url"),
        ({"avatar_url": ""}, "avatar_url"),
        ({"preferences": None}, "preferences"),
        ({"preferences": {"timezone": None}}, "preferences.timezone"),
        ({"preferences": {"timezone": ""}}, "preferences.timezone"),
        ({"preferences": {"timezone": "../UTC"}}, "preferences.timezone"),
        ({"preferences": {"email_notifications": "true"}}, "preferences.email_notifications"),
        ({"preferences": {"email_notifications": 1}}, "preferences.email_notifications"),
        ({"preferences": {"theme": "dark"}}, "preferences.theme"),
    ],
)
def test_a_profile_is_not_changed_by_what_is_invalid(learner: Person, fields: dict[str, Any], named: str) -> None:
    before = learner.get(PROFILE).json()
    response = learner.put(UPDATE, json={"full_name": "Changed", **fields})
    assert (response.status_code, fields_of(response)) == (422, {named})
    assert learner.get(PROFILE).json() == before


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_a_time_zone_is_taken_by_its_name(learner: Person, zone: str) -> None:
    response = learner.put(UPDATE, json={"preferences": {"timezone": zone}})
    assert response.json()["profile"]["preferences"]["timezone"] == zone


@pytest.mark.parametrize(
    "zone", ["europe/berlin", "Europe", "Europe/", "/UTC", "posixrules", "localtime", "tzdata", "zone1970", "__init__"]
)
def test_a_file_that_is_no_time_zone_is_none(learner: Person, zone: str) -> None:
    response = learner.put(UPDATE, json={"full_name": "Changed", "preferences": {"timezone": zone}})
    assert (response.status_code, code_of(response)) == (422, "TIMEZONE_UNKNOWN")
    assert learner.get(PROFILE).json()["full_name"] != "Changed"


@pytest.mark.parametrize("motivation", ["x" * 2001, None, 5])
def test_a_motivation_is_a_text(learner: Person, motivation: Any) -> None:
    assert fields_of(learner.post(APPLY, json={"motivation": motivation})) == {"motivation"}
    assert learner.get(PROFILE).json()["roles"] == ["student"]


def test_applying_many_times_at_once_makes_one_application(learner: Person) -> None:
    server = learner.api.server
    statuses = in_parallel(server, [lambda caller: caller.post(APPLY, json={}, headers=learner.headers).status_code] * 8)
    assert statuses.count(201) == 1
    assert set(statuses) == {201, 409}
    assert server.sql("SELECT count(*) FROM instructor_applications WHERE user_id = %s", learner.id) == [(1,)]
    assert learner.get(PROFILE).json()["roles"] == ["student", "instructor"]
