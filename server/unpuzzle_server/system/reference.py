"""The API reference at `/docs/`: Swagger UI from its package, so that no page asks another host for anything."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from swagger_ui_bundle import swagger_ui_path

PAGES = Path(__file__).parent / "docs"
POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


class Reference:
    """Serves `/docs/`, to which `/` leads, and hands everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        assets = StaticFiles(directory=swagger_ui_path)
        self.pages = Starlette(
            routes=[Route("/", home), Route("/docs/", page), Route("/docs/start.js", script), Mount("/docs/assets", assets)],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mine = scope["type"] == "http" and (scope["path"] in ("/", "/docs") or scope["path"].startswith("/docs/"))
        await (self.pages if mine else self.app)(scope, receive, send)


async def home(request: Request) -> Response:
    """Whoever opens the server's bare address in a browser wants to read."""
    return RedirectResponse("/docs/")


async def page(request: Request) -> Response:
    return FileResponse(PAGES / "index.html", headers={"Content-Security-Policy": POLICY})


async def script(request: Request) -> Response:
    return FileResponse(PAGES / "start.js")
