"""Browsers: the cookies they are given, and the proof that a page of ours asks."""

from http.cookies import Morsel, SimpleCookie
from typing import Any
from uuid import uuid4

import httpx
import pytest

from harness import PASSWORD, Api, Person, code_of, running_server
from unpuzzle_server.auth.tokens import Cookies

SIGN_IN, SIGN_OUT, REFRESH = "/api/v1/auth/signin/", "/api/v1/auth/signout/", "/api/v1/auth/refresh/"
PROFILE, UPDATE, CSRF = "/api/v1/auth/profile/", "/api/v1/auth/profile/update/", "/api/v1/auth/csrf-token/"
LIST, INFO, OWN = "/api/v1/courses/", "/api/v1/", "/api/v1/instructor/courses/"
DAY = 24 * 60 * 60


def sent(person: Person, *, access: str | None = None, **headers: str) -> dict[str, str]:
    """What a browser sends along by itself."""
    tokens = person.tokens
    return {"Cookie": f"theme=dark; unpuzzle_access={access or tokens['access_token']}; other", **headers}


def csrf(api: Api, person: Person) -> str:
    token: str = api.get(CSRF, headers=sent(person)).json()["csrf_token"]
    return token


def cookies(response: httpx.Response) -> dict[str, Morsel[str]]:
    jar: SimpleCookie = SimpleCookie()
    for header in response.headers.get_list("set-cookie"):
        jar.load(header)
    return dict(jar)


def check_cookies(response: httpx.Response, values: dict[str, str], ages: dict[str, int]) -> None:
    found = cookies(response)
    assert {name: morsel.value for name, morsel in found.items()} == values
    assert {name: int(morsel["max-age"]) for name, morsel in found.items()} == ages
    assert {name: morsel["path"] for name, morsel in found.items()} == {
        "unpuzzle_access": "/",
        "unpuzzle_refresh": "/api/v1/auth/",
    }
    for morsel in found.values():
        assert (morsel["httponly"], morsel["samesite"], morsel["secure"], morsel["domain"]) == (True, "Lax", "", "")


def test_signing_up_in_and_refreshing_give_the_cookies_of_their_tokens(api: Api) -> None:
    ages = {"unpuzzle_access": 3600, "unpuzzle_refresh": 30 * DAY}
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "full_name": "Ada"}
    signed_up = api.post("/api/v1/auth/signup/", json=body)
    signed_in = api.post(SIGN_IN, json={"email": body["email"], "password": PASSWORD})
    refreshed = api.post(REFRESH, headers={"Cookie": f"unpuzzle_refresh={signed_in.json()['refresh_token']}"})
    for response in (signed_up, signed_in, refreshed):
        tokens = response.json()
        values = {"unpuzzle_access": tokens["access_token"], "unpuzzle_refresh": tokens["refresh_token"]}
        check_cookies(response, values, ages)


def test_signing_out_takes_them_away(api: Api, learner: Person) -> None:
    response = api.post(SIGN_OUT, headers=sent(learner, **{"X-CSRF-Token": csrf(api, learner)}))
    check_cookies(response, {"unpuzzle_access": "", "unpuzzle_refresh": ""}, {"unpuzzle_access": 0, "unpuzzle_refresh": 0})
    assert code_of(api.get(PROFILE, headers=sent(learner))) == "AUTH_INVALID_TOKEN"


def test_other_answers_and_refusals_set_none(api: Api, learner: Person) -> None:
    for response in (
        learner.get(PROFILE),
        learner.put(UPDATE, json={}),
        api.post(SIGN_IN, json={"email": learner.email, "password": "wrong password"}),
        api.post(REFRESH, headers={"Cookie": "unpuzzle_refresh=x"}),
    ):
        assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    ("public_url", "secure"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://localhost", False),
        ("http://[::1]:8000", False),
        ("http://192.168.1.5:8000", True),
        ("http://localhost.example", True),
        ("http://127.0.0.1.example", True),
        ("https://api.unpuzzle.com", True),
    ],
)
def test_cookies_are_secure_wherever_a_network_is_between(public_url: str, secure: bool) -> None:
    for cookie in Cookies(public_url).cleared():
        assert ("; Secure" in cookie) is secure


def test_a_public_server_gives_secure_cookies(api: Api, learner: Person) -> None:
    with running_server(api.server.owner_url, public_url="https://api.unpuzzle.com") as public, Api(public) as caller:
        found = cookies(caller.post(SIGN_IN, json={"email": learner.email, "password": PASSWORD}))
        out = cookies(caller.post(SIGN_OUT, headers=learner.headers))
    assert all(morsel["secure"] for morsel in [*found.values(), *out.values()])
    assert len(found) == len(out) == 2


def test_every_unsafe_method_needs_the_proof(api: Api, instructor: Person) -> None:
    course = f"{OWN}{instructor.course()['id']}/"
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", UPDATE, {"json": {"bio": "written"}}),
        ("POST", f"{OWN}create/", {"json": {"title": "written"}}),
        ("PATCH", course, {"json": {"title": "written"}}),
        ("DELETE", course, {}),
        ("POST", SIGN_OUT, {}),
    ]
    for method, path, body in writes:
        refused = api.request(method, path, headers=sent(instructor), **body)
        assert (refused.status_code, code_of(refused)) == (403, "CSRF_FAILED")
    assert api.get(course, headers=sent(instructor)).json()["title"] != "written"
    proof = {"X-CSRF-Token": csrf(api, instructor)}
    for method, path, body in writes:
        assert api.request(method, path, headers=sent(instructor, **proof), **body).status_code < 300


def test_the_proof_is_of_one_session(api: Api, learner: Person) -> None:
    second = Person(api, learner.id, learner.email, api.post(SIGN_IN, json={"email": learner.email, "password": PASSWORD}).json())
    mine, other, somebodys = csrf(api, learner), csrf(api, second), csrf(api, api.sign_up())
    assert len({mine, other, somebodys}) == 3
    for wrong in (other, somebodys, mine.upper(), mine[:-1], f"{mine}0", f'"{mine}"', "0" * 64, "null"):
        assert code_of(api.put(UPDATE, json={}, headers=sent(learner, **{"X-CSRF-Token": wrong}))) == "CSRF_FAILED"
    assert api.put(UPDATE, json={}, headers=sent(learner, **{"X-CSRF-Token": mine})).status_code == 200


def test_the_proof_lasts_as_long_as_the_session(api: Api, learner: Person) -> None:
    before = csrf(api, learner)
    new = api.post(REFRESH, json={"refresh_token": learner.tokens["refresh_token"]}).json()["access_token"]
    assert api.put(UPDATE, json={}, headers=sent(learner, access=new, **{"X-CSRF-Token": before})).status_code == 200
    assert learner.get(CSRF).json()["csrf_token"] == before  # by a bearer too: it is the session's


def test_a_bearer_needs_no_proof_even_beside_a_cookie(api: Api, learner: Person) -> None:
    other = api.sign_up()
    response = api.put(UPDATE, json={"bio": "by bearer"}, headers={**sent(other), **learner.headers})
    assert response.json()["profile"]["id"] == learner.id
    assert other.get(PROFILE).json()["bio"] is None


@pytest.mark.parametrize("empty", ["", "Bearer", "bearer"])
def test_an_empty_bearer_is_none(api: Api, learner: Person, empty: str) -> None:
    headers = {"Authorization": empty}
    assert api.get(PROFILE, headers=sent(learner, **headers)).json()["id"] == learner.id
    assert code_of(api.put(UPDATE, json={}, headers=sent(learner, **headers))) == "CSRF_FAILED"
    assert code_of(api.get(PROFILE, headers=headers)) == "AUTH_REQUIRED"
    assert api.get(LIST, headers=headers).status_code == 200


@pytest.mark.parametrize("wrong", ["Bearer x", "Bearer null", "Basic dTpw", "Token x", "x"])
def test_a_wrong_one_is_refused_even_beside_a_good_cookie(api: Api, learner: Person, wrong: str) -> None:
    for path in (PROFILE, LIST, INFO):
        response = api.get(path, headers=sent(learner, Authorization=wrong))
        assert (response.status_code, code_of(response)) == (401, "AUTH_INVALID_TOKEN")
        assert response.headers["www-authenticate"].startswith('Bearer realm="unpuzzle"')


def test_a_good_bearer_beside_a_wrong_cookie_is_enough(api: Api, learner: Person) -> None:
    assert api.get(PROFILE, headers={**sent(learner, access="x"), **learner.headers}).status_code == 200


def test_a_wrong_cookie_is_refused_wherever_one_is_read(api: Api, learner: Person) -> None:
    for path in (PROFILE, LIST, INFO):
        assert code_of(api.get(path, headers=sent(learner, access="x"))) == "AUTH_INVALID_TOKEN"
    assert api.get("/health/", headers=sent(learner, access="x")).status_code == 200
    body = {"email": learner.email, "password": PASSWORD}
    assert api.post(SIGN_IN, json=body, headers=sent(learner, access="x")).status_code == 200


def test_the_cookie_of_a_session_that_has_ended_is_taken_back(api: Api, learner: Person) -> None:
    """No page can remove it, and with it even the catalogue is refused."""
    learner.post("/api/v1/auth/signout/", json={"refresh_token": learner.tokens["refresh_token"]})
    refused = api.get("/api/v1/courses/", headers=sent(learner))
    assert refused.status_code == 401
    assert refused.headers["set-cookie"] == "unpuzzle_access=; HttpOnly; Path=/; Max-Age=0; SameSite=Lax"
    assert "set-cookie" not in learner.get("/api/v1/courses/").headers


def test_cookies_that_were_taken_away_are_no_cookies(api: Api) -> None:
    cleared = {"Cookie": "unpuzzle_access=; unpuzzle_refresh="}
    assert api.get(LIST, headers=cleared).status_code == 200
    assert code_of(api.get(PROFILE, headers=cleared)) == "AUTH_REQUIRED"
    assert code_of(api.post(REFRESH, headers=cleared)) == "AUTH_REQUIRED"


@pytest.mark.parametrize("body", [{}, {"json": {}}])
def test_a_browser_refreshes_without_knowing_its_token(api: Api, learner: Person, body: dict[str, Any]) -> None:
    response = api.post(REFRESH, headers={"Cookie": f"unpuzzle_refresh={learner.tokens['refresh_token']}"}, **body)
    assert response.status_code == 200
    assert api.get(PROFILE, headers=sent(learner, access=response.json()["access_token"])).status_code == 200


def test_a_token_in_the_body_wins_over_the_cookie(api: Api, learner: Person) -> None:
    other = api.sign_up()
    headers = {"Cookie": f"unpuzzle_refresh={other.tokens['refresh_token']}"}
    response = api.post(REFRESH, headers=headers, json={"refresh_token": learner.tokens["refresh_token"]})
    assert api.get(PROFILE, headers=sent(learner, access=response.json()["access_token"])).json()["id"] == learner.id
    assert api.post(REFRESH, headers=headers, json={"refresh_token": "x"}).status_code == 401


def test_the_cookie_of_an_access_token_refreshes_nothing(api: Api, learner: Person) -> None:
    assert code_of(api.post(REFRESH, headers=sent(learner))) == "AUTH_REQUIRED"
    crossed = {"Cookie": f"unpuzzle_refresh={learner.tokens['access_token']}"}
    assert code_of(api.post(REFRESH, headers=crossed)) == "AUTH_INVALID_TOKEN"
