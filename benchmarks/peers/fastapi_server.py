"""FastAPI on the ORM; pydantic reads the answers from the mapped objects. For `uvicorn --factory`."""

from typing import Any

from fastapi import FastAPI

from peers import fastapi_app
from peers.contract import answering
from peers.store import Store
from unpuzzle_server.kernel.exchange import Identity


def create_app() -> FastAPI:
    store = Store.from_environment()

    async def list_courses(page: int, page_size: int, **_: Any) -> Any:
        return await store.list_courses(page, page_size)

    async def get_course(course_id: str, identity: Identity | None) -> Any:
        return await store.get_course(course_id)

    async def sign_in(body: Any, identity: Identity | None) -> Any:
        return await store.sign_in(body.email, body.password)

    async def enroll(course_id: str, identity: Identity, body: Any) -> Any:
        return await store.enroll(identity, course_id)

    handlers = {"courses.list": list_courses, "courses.get": get_course, "auth.sign_in": sign_in, "enrollments.enroll": enroll}
    return fastapi_app.build(lambda operation_id: handlers.get(operation_id) or answering(operation_id), store.identify)
