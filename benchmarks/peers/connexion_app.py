"""The whole contract in Connexion as it comes: `AsyncApp`, with its validation of requests and of answers switched on."""

import copy
from collections.abc import Awaitable, Callable
from typing import Any

from connexion import AsyncApp
from connexion.exceptions import Forbidden
from connexion.security import BearerSecurityHandler

from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.exchange import Identity

Handler = Callable[..., Awaitable[Any]]
Identify = Callable[[str], Awaitable[Identity]]


def build(handler_of: Callable[[str], Handler], identify: Identify) -> AsyncApp:
    operations = {operation.id: operation for operation in spec.operations()}

    class Bearer(BearerSecurityHandler):
        """Connexion's own, told its function directly instead of by a name in the spec."""

        def _resolve_func(self, security_scheme: dict[str, Any]) -> Any:
            async def info(token: str) -> dict[str, Any]:
                return {"identity": await identify(token)}

            return info

    def resolve(operation_id: str) -> Handler:
        return endpoint(operations[operation_id], handler_of(operation_id))

    app = AsyncApp(__name__)
    app.add_api(
        plainer(copy.deepcopy(spec.document())),
        base_path="",
        resolver=resolve,
        strict_validation=True,
        validate_responses=True,
        security_map={"bearer": Bearer},
    )
    return app


def plainer(document: dict[str, Any]) -> dict[str, Any]:
    """The contract without what only our kernel serves: the cookie, and the headers of answers."""
    for operation in (item[method] for item in document["paths"].values() for method in spec.METHODS if method in item):
        operation["security"] = [scheme for scheme in operation.get("security", []) if "cookie" not in scheme]
        for answer in operation["responses"].values():
            answer.pop("headers", None)
    for answer in document["components"]["responses"].values():
        answer.pop("headers", None)
    return document


def endpoint(operation: spec.Operation, handler: Handler) -> Handler:
    async def call(token_info: dict[str, Any] | None = None, user: Any = None, **arguments: Any) -> Any:
        identity = (token_info or {}).get("identity")
        if operation.role != "public" and not identity.may(operation.role):
            raise Forbidden
        return await handler(identity=identity, **arguments), operation.success

    return call
