"""The API reference at `/docs/`: Swagger UI from its package, so that no page asks another host for anything."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from swagger_ui_bundle import swagger_ui_path

from unpuzzle_server.kernel.errors import Problem

PAGES = Path(__file__).parent / "docs"
POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


class Reference:
    """Serves `/docs/`, to which `/` leads, and hands everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        assets = StaticFiles(directory=swagger_ui_path)
        routes = [Route("/", home), Route("/docs", home), Route("/docs/", page), Route("/docs/start.js", script)]
        # Starlette's own redirect to the slash would lead to whatever host the request names.
        self.pages = Router([*routes, Mount("/docs/assets", assets)], redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mine = scope["type"] == "http" and (scope["path"] in ("/", "/docs") or scope["path"].startswith("/docs/"))
        if not mine:
            await self.app(scope, receive, send)
            return
        try:
            await self.pages({**scope, "app": self}, receive, send)  # under an app, Starlette raises what it refuses
        except HTTPException as error:
            raise refused(error) from None


def refused(error: HTTPException) -> Problem:
    """A page that is not there is told as everywhere else."""
    if error.status_code == 405:
        return Problem("METHOD_NOT_ALLOWED", "This page can only be read.", headers=error.headers)
    return Problem("NOT_FOUND", "There is no such page.")


async def home(request: Request) -> Response:
    """Whoever opens the server's bare address in a browser wants to read."""
    return RedirectResponse("/docs/")


async def page(request: Request) -> Response:
    return FileResponse(PAGES / "index.html", headers={"Content-Security-Policy": POLICY})


async def script(request: Request) -> Response:
    return FileResponse(PAGES / "start.js")
