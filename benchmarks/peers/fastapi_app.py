"""The whole contract in FastAPI: every operation, its parameters, bodies, answers and roles; no middleware at all."""

from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, HTTPException, Path, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from peers.contract import Models
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.exchange import Identity

Handler = Callable[..., Awaitable[Any]]
Identify = Callable[[str], Awaitable[Identity]]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
SOURCES = {"query": Query, "path": Path}


def build(handler_of: Callable[[str], Handler], identify: Identify) -> FastAPI:
    app, models = FastAPI(), Models()
    for operation in spec.operations():
        schema = operation.responses[operation.success]
        app.add_api_route(
            operation.path,
            endpoint(operation, handler_of(operation.id), admission(operation.role, identify), models),
            methods=[operation.method],
            status_code=operation.success,
            response_model=models.type_of(schema, operation.id) if schema else None,
            operation_id=operation.id,
        )
    return app


def endpoint(operation: spec.Operation, handler: Handler, admitted: Handler, models: Models) -> Handler:
    """A function with the signature that a hand-written one would have; FastAPI reads nothing else of it."""

    async def call(**arguments: Any) -> Any:
        answer = await handler(**arguments)
        return Response(status_code=204) if answer is None else answer

    parameters = [_parameter(item, models) for item in operation.parameters if item.location in SOURCES]
    parameters.append(_argument("identity", Annotated[Identity | None, Depends(admitted)]))
    if operation.body:
        body = models.type_of(operation.body, operation.id)
        needed = Parameter.empty if operation.body_required else None
        parameters.append(_argument("body", Annotated[body if operation.body_required else body | None, Body()], needed))
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return call


def _parameter(item: spec.Parameter, models: Models) -> Parameter:
    kind, source = models.type_of(item.schema, item.name), SOURCES[item.location]
    if item.required:
        return _argument(item.argument, Annotated[kind, source()])
    default = spec.resolve(item.schema).get("default")
    return _argument(item.argument, Annotated[kind if default is not None else kind | None, source()], default)


def _argument(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def admission(role: str, identify: Identify) -> Handler:
    async def admitted(credentials: Credentials) -> Identity | None:
        identity = await identify(credentials.credentials) if credentials else None
        if role != "public":
            if identity is None:
                raise HTTPException(401)
            if not identity.may(role):
                raise HTTPException(403)
        return identity

    return admitted
