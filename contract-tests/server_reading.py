"""What the server reads of a request, without a server."""

from typing import Any
from urllib.parse import unquote

import httpx

from harness import CONTRACT
from unpuzzle_server.kernel.exchange import Exchange
from unpuzzle_server.kernel.validation import Reader


async def read(request: httpx.Request) -> tuple[str, dict[str, Any]]:
    """The operation that the server takes a request for, and what its handler would be given."""
    path = unquote(request.url.raw_path.partition(b"?")[0].decode())
    found = CONTRACT.tree.find(path)
    assert found is not None
    operation_id, names = found[0].methods[request.method]
    scope = {
        "path_params": dict(zip(names, found[1], strict=True)),
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.content}

    exchange = Exchange(scope, receive, request_id="")
    return operation_id, await Reader(CONTRACT.operations[operation_id], 2**20).read(exchange)
