"""Clicks through the sandbox's consent page in headless Chromium, for every provider, back to an app: python chromium.py"""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Page, sync_playwright
from server_fixtures import open_folder

from harness import running_server
from unpuzzle_server.auth.oauth.providers import PROVIDERS
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
APP = """<!doctype html><html lang=en><title>An app</title><p id=said>…</p><script>
const api = API, told = new URLSearchParams(location.search), said = document.getElementById('said');
const send = (path, body, more) => fetch(api + path, {method: 'POST', credentials: 'include', body: JSON.stringify(body),
  headers: {'Content-Type': 'application/json', ...more}}).then(answer => answer.json());
const csrf = async () => {
  const answer = await fetch(api + '/api/v1/auth/csrf-token/', {credentials: 'include'});
  return {'X-CSRF-Token': (await answer.json()).csrf_token};
};
(async () => {
  if (location.pathname === '/begin') {
    const here = location.origin + (told.has('link') ? '/link' : '/back');
    location = (await send('/api/v1/auth/oauth/signin/', {provider: told.get('provider'), redirect_url: here})).auth_url;
    return;
  }
  const body = {provider: told.get('provider'), code: told.get('code'), state: told.get('state')};
  const answer = location.pathname === '/link' ? await send('/api/v1/auth/oauth/identities/', body, await csrf())
    : await send('/api/v1/auth/oauth/callback/', body);
  said.textContent = answer.user ? 'signed in as ' + answer.user.email
    : answer.email ? 'linked ' + answer.email : JSON.stringify(answer);
})();
</script>"""


class AppHandler(BaseHTTPRequestHandler):
    def __init__(self, api: list[str], *args: object) -> None:
        self.api = api
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        content = APP.replace("API", repr(self.api[0])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@contextmanager
def running_app(api: list[str]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(AppHandler, api)) as app:
        threading.Thread(target=app.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{app.server_port}"
        app.shutdown()


def go(page: Page, app: str, provider: str, email: str, more: str = "") -> str:
    """What the app shows in the end."""
    page.goto(f"{app}/begin?provider={provider}{more}")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Name", exact=True).fill("Click Er")
    page.get_by_role("button", name="Allow").click()
    page.wait_for_function("document.getElementById('said')?.textContent.length > 1")
    return page.inner_text("#said")


def main() -> None:
    if not CHROMIUM:
        sys.exit("There is no Chromium: install one (apt install chromium), or name it in CHROMIUM.")
    api: list[str] = []
    with open_folder() as home, EmbeddedPostgres(home) as postgres, running_app(api) as app, sync_playwright() as playwright:
        settings = {"oauth_redirect_urls": (f"{app}/back", f"{app}/link"), "cors_origins": (app,)}
        with running_server(postgres.url, **settings) as server:
            api.append(server.base_url)
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            for provider in PROVIDERS:
                context = chromium.new_context()
                page, email = context.new_page(), f"{provider}@example.com"
                if provider == "spotify":  # it confirms no address: it is linked first
                    go(page, app, "google", "listener@example.com")
                    assert go(page, app, provider, email, "&link") == f"linked {email}"
                    email, context = "listener@example.com", chromium.new_context()
                    said = go(context.new_page(), app, provider, "spotify@example.com")
                else:
                    said = go(page, app, provider, email)
                assert said == f"signed in as {email}", f"{provider}: {said}"
                print(f"chromium: {provider} {said}", flush=True)
            chromium.close()


if __name__ == "__main__":
    sys.exit(main())
