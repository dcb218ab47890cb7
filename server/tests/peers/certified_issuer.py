"""Signs in by a certified OpenID provider that nobody here wrote (npm's oidc-provider): python certified_issuer.py"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
from browser import APP_URL, hidden, query
from npm import NODE, installed
from server_fixtures import open_folder

from harness import Api, code_of, running_server
from unpuzzle_sdk import PKCE
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres

SCRIPT = Path(__file__).with_name("oidc_provider.mjs")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running_issuer(port: int, redirect_uri: str) -> Iterator[str]:
    folder = installed()
    shutil.copy(SCRIPT, folder)
    command = [str(NODE), SCRIPT.name, str(port), redirect_uri]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as issuer:
        assert issuer.stdout is not None
        while "ready" not in issuer.stdout.readline():
            assert issuer.poll() is None, "the provider has ended"
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            issuer.kill()


def consent(browser: httpx.Client, url: str, login: str) -> str:
    """Goes through the provider's login and consent forms; answers where it leads to in the end."""
    page = browser.get(url)
    for _ in range(12):
        if page.is_redirect:
            url = urljoin(url, page.headers["location"])
            if "/api/v1/auth/oauth/callback/" in url:
                return url
            page = browser.get(url)
            continue
        action = page.text.partition('action="')[2].partition('"')[0] or url
        page = browser.post(urljoin(url, action), data={**hidden_of(page), "login": login, "password": "any"})
    raise AssertionError(page.text[:500])


def hidden_of(page: httpx.Response) -> dict[str, str]:
    """Its hidden fields; the provider writes them in another way than the sandbox."""
    prompt = page.text.partition('name="prompt" value="')[2].partition('"')[0]
    return {**hidden(page), **({"prompt": prompt} if prompt else {})}


def attempt(api: Api, login: str, tamper: str = "") -> httpx.Response:
    pkce = PKCE.new()
    body = {"provider": "certified", "redirect_url": APP_URL, "code_challenge": pkce.challenge}
    started = api.post("/api/v1/auth/oauth/signin/", json=body).json()
    url = httpx.URL(started["auth_url"])
    if tamper:
        url = url.copy_set_param(tamper, "A" * 43)
    with httpx.Client() as browser:
        back = query(consent(browser, str(url), login))
    body = {"provider": "certified", "code": back["code"], "state": started["state"], "code_verifier": pkce.verifier}
    answer = api.post("/api/v1/auth/oauth/callback/", json=body)
    again = api.post("/api/v1/auth/oauth/callback/", json=body)
    assert (again.status_code, code_of(again)) == (400, "OAUTH_FAILED"), "a code was good twice"
    return answer


def check(api: Api) -> None:
    first, second = attempt(api, "alice"), attempt(api, "alice")
    assert (first.status_code, first.json()["is_new_user"]) == (200, True), first.text
    assert (second.json()["is_new_user"], second.json()["user"]["email"]) == (False, "alice@peer.example")
    for tamper in ("code_challenge", "nonce"):
        refused = attempt(api, "bob", tamper)
        assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED"), tamper
    assert code_of(attempt(api, "unconfirmed")) == "EMAIL_NOT_VERIFIED"


def main() -> None:
    port = free_port()
    client = {"client_id": "unpuzzle", "client_secret": "a-secret", "issuer": f"http://127.0.0.1:{port}"}
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres(stack.enter_context(open_folder())))
        providers = {"certified": client}
        server = stack.enter_context(running_server(postgres.url, oauth_sandbox=False, oauth_providers=providers))
        stack.enter_context(running_issuer(port, f"{server.base_url}/api/v1/auth/oauth/callback/"))
        check(stack.enter_context(Api(server)))
    print("certified issuer: signed in twice; another challenge, another nonce, a code twice and an unconfirmed address refused")


if __name__ == "__main__":
    sys.exit(main())
