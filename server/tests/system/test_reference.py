"""The pages of the API reference: they are there, ask no other host for anything, and refuse like everything else."""

import re

import pytest

from harness import Api, code_of

PAGES = ["/docs/", "/docs/start.js", "/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js"]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_browser_is_led_to_the_reference_and_to_no_other_host(api: Api, path: str) -> None:
    response = api.client.get(path, headers={"Host": "evil.example"})
    assert (response.status_code, response.headers["location"]) == (307, "/docs/")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_there(api: Api, path: str) -> None:
    response = api.client.get(path)
    assert (response.status_code, bool(response.content)) == (200, True)
    assert response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    again = api.client.get(path, headers={"If-None-Match": response.headers["etag"]})
    assert again.status_code in (200, 304)
    assert api.client.head(path).content == b""


def test_the_page_holds_nothing_of_other_hosts_and_names_what_is_there(api: Api) -> None:
    page = api.client.get("/docs/")
    links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert links
    for link in links:
        assert "//" not in link
        assert api.client.get(link if link.startswith("/") else f"/docs/{link}").status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "path",
    [
        "/docs/nothing",
        "/docs/nothing/",
        "/docs/assets",
        "/docs/assets/",
        "/docs/assets/nothing.js",
        "/docs/assets/%2e%2e/index.html",
        "/docs/assets/..%2f..%2f__init__.py",
        "/docs/assets/%2Fetc%2Fpasswd",
        "/docs/%00",
        "/docs/assets/%00.js",
        "/docs/assets/" + "x" * 5000,
        "/docsx",
    ],
)
def test_what_is_no_page_is_refused_like_everything_else(api: Api, path: str) -> None:
    response = api.get(path)
    assert (response.status_code, code_of(response)) == (404, "NOT_FOUND")
    assert response.json()["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("path", [*PAGES, "/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_page_can_only_be_read(api: Api, path: str, method: str) -> None:
    response = api.request(method, path)
    assert (response.status_code, code_of(response)) == (405, "METHOD_NOT_ALLOWED")
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}
