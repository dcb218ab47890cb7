"""Health, the description of the API, and the contract itself."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from harness import CONTRACT, Api, Person, code_of, fields_of, running_server
from unpuzzle_server import __version__
from unpuzzle_server.kernel import spec

HEALTH, INFO, JSON, YAML = "/health/", "/api/v1/", "/api/v1/openapi.json", "/api/v1/openapi.yaml"
EVERYTHING = [HEALTH, INFO, JSON, YAML]


def test_health_tells_that_the_server_and_its_database_work(api: Api) -> None:
    health = api.get(HEALTH).json()
    assert {name: health[name] for name in ("status", "database", "version")} == {
        "status": "ok",
        "database": "ok",
        "version": __version__,
    }
    assert abs(datetime.fromisoformat(health["timestamp"]) - datetime.now(UTC)) < timedelta(seconds=5)


def test_health_tells_the_time_of_the_servers_clock(api: Api) -> None:
    api.server.clock.offset = timedelta(days=1)
    try:
        told = datetime.fromisoformat(api.get(HEALTH).json()["timestamp"])
    finally:
        api.server.clock.offset = timedelta()
    assert timedelta(hours=23) < told - datetime.now(UTC) < timedelta(hours=25)


def test_health_asks_nobody_who_they_are(api: Api) -> None:
    for headers in ({"Authorization": "Bearer x"}, {"Cookie": "unpuzzle_access=x"}, {"Authorization": "Basic x"}):
        assert api.get(HEALTH, headers=headers).status_code == 200


def test_the_api_describes_itself(api: Api) -> None:
    base_url = api.server.base_url
    assert api.get(INFO).json() == {
        "name": "Unpuzzle API",
        "version": __version__,
        "api_version": "v1",
        "documentation_url": f"{base_url}/docs/",
        "openapi_url": f"{base_url}/api/v1/openapi.yaml",
        "status_url": "https://status.unpuzzle.com",
    }


def test_its_links_lead_somewhere(api: Api) -> None:
    about = api.get(INFO).json()
    assert api.client.get(about["documentation_url"]).status_code == 200
    assert api.client.get(about["openapi_url"]).content == spec.source()


def test_its_links_start_with_the_public_url(api: Api) -> None:
    with running_server(api.server.owner_url, public_url="https://api.unpuzzle.com") as public, Api(public) as caller:
        about = caller.get(INFO, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}).json()
    assert about["documentation_url"] == "https://api.unpuzzle.com/docs/"
    assert about["openapi_url"] == "https://api.unpuzzle.com/api/v1/openapi.yaml"


def test_the_contract_is_served_as_it_was_written(api: Api) -> None:
    response = api.get(YAML)
    assert response.content == spec.source()
    assert response.headers["content-type"] == "application/yaml"


def test_the_contract_is_the_same_in_json(api: Api) -> None:
    assert api.get(JSON).json() == yaml.safe_load(spec.source())


def test_the_contract_names_every_operation_that_is_served(api: Api) -> None:
    served = {
        operation["operationId"]
        for item in api.get(JSON).json()["paths"].values()
        for operation in item.values()
        if "tags" in operation
    }
    assert served == set(CONTRACT.operations)


@pytest.mark.parametrize("path", [JSON, YAML])
def test_the_contract_is_sent_once(api: Api, path: str) -> None:
    tag = api.get(path).headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = api.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert api.get(path, headers={"If-None-Match": '"x"'}).status_code == 200


def test_the_two_forms_have_tags_of_their_own(api: Api) -> None:
    assert api.get(JSON).headers["etag"] != api.get(YAML).headers["etag"]


@pytest.mark.parametrize("path", [INFO, JSON, YAML])
def test_everybody_may_read_it_but_not_with_a_token_that_is_none(api: Api, learner: Person, path: str) -> None:
    assert api.get(path).status_code == learner.get(path).status_code == 200
    refused = api.get(path, headers={"Authorization": "Bearer x"})
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_INVALID_TOKEN")
    api.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", learner.id)
    refused = learner.get(path)
    assert (refused.status_code, code_of(refused)) == (403, "ACCOUNT_SUSPENDED")


@pytest.mark.parametrize("path", EVERYTHING)
def test_nothing_else_is_asked_for(api: Api, path: str) -> None:
    assert fields_of(api.get(path, params={"format": "xml"})) == {"format"}
    assert code_of(api.get(path, headers={"X-API-Version": "2"})) == "UNSUPPORTED_VERSION"
    assert code_of(api.post(path, json={})) == "METHOD_NOT_ALLOWED"
    head = api.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
