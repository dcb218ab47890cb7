"""The page of a certificate in headless Chromium, on a desk and a phone, valid and revoked: python certificate_page.py [FOLDER]

Pictures of it are left in the folder, where one is named.
"""

import sys
from pathlib import Path

from chromium import CHROMIUM, QUIET
from playwright.sync_api import Browser, Page, sync_playwright
from server_fixtures import open_folder

from harness import Api, Server, running_server
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres

DESK, PHONE = (1280, 900), (360, 740)
TITLE = "Łódź & <b>Ὀδυσσεύς</b>: a journey without a destination"


def issued(server: Server) -> str:
    """The code of a certificate for a course with a difficult title."""
    with Api(server) as api:
        teacher, learner = api.sign_up_instructor(), api.sign_up(full_name="Maximiliane Wilhelmine von Habsburg-Lothringen")
        course = teacher.published_course(title=TITLE)
        learner.post(f"/api/v1/courses/{course['id']}/enroll/")
        tree = learner.get(f"/api/v1/student/courses/{course['id']}/learn/").json()
        learner.post(f"/api/v1/student/lessons/{tree['sections'][0]['lessons'][0]['id']}/complete/")
        code: str = learner.get("/api/v1/student/certificates/").json()["results"][0]["code"]
        return code


def opened(chromium: Browser, address: str, size: tuple[int, int]) -> Page:
    """The page; it asks for nothing else, logs nothing and fits the window."""
    page = chromium.new_page(viewport={"width": size[0], "height": size[1]})
    asked: list[str] = []
    trouble: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: trouble.append(message.text))
    page.goto(address)
    assert [url for url in asked if not url.endswith("/favicon.ico")] == [address], asked
    assert [text for text in trouble if "favicon" not in text] == [], trouble
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert TITLE in page.inner_text("article")
    return page


def main() -> None:
    if not CHROMIUM:
        sys.exit("There is no Chromium: install one (apt install chromium), or name it in CHROMIUM.")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with open_folder() as home, EmbeddedPostgres(home) as postgres, running_server(postgres.url) as server:
        code = issued(server)
        address = f"{server.base_url}/certificates/{code}/"
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            for standing, said in (("valid", "This certificate is valid."), ("revoked", "This certificate was revoked on")):
                for name, size in (("desk", DESK), ("phone", PHONE)):
                    page = opened(chromium, address, size)
                    assert said in page.get_by_role("status").inner_text()
                    assert page.get_by_role("link").count() == (standing == "valid")
                    if folder:
                        page.screenshot(path=folder / f"{standing}-{name}.png", full_page=True)
                    print(f"chromium: a {standing} certificate on a {name}", flush=True)
                server.sql("UPDATE certificates SET revoked_at = now() WHERE code = %s", code)
            chromium.close()


if __name__ == "__main__":
    sys.exit(main())
