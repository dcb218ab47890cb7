"""Operations of the tag `system`."""

from functools import cache
from typing import Any

import orjson

from unpuzzle_server import __version__
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.operations import Context

STATUS_PAGE = "https://status.unpuzzle.com"


async def health(ctx: Context) -> dict[str, Any]:
    await ctx.kernel.database.ping()
    return {"status": "ok", "version": __version__, "database": "ok", "timestamp": rfc3339(ctx.kernel.clock.now())}


async def info(ctx: Context) -> dict[str, Any]:
    public_url = ctx.kernel.settings.public_url
    about = spec.document()["info"]
    return {
        "name": about["title"],
        "version": about["version"],
        "api_version": "v1",
        "documentation_url": f"{public_url}/docs/",
        "openapi_url": f"{public_url}/api/v1/openapi.yaml",
        "status_url": STATUS_PAGE,
    }


async def openapi(ctx: Context) -> Result:
    return Result(_contract_as_json())


async def openapi_yaml(ctx: Context) -> Result:
    return Result(spec.source(), media_type="application/yaml")


@cache
def _contract_as_json() -> bytes:
    return orjson.dumps(spec.document())
