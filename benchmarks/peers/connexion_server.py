"""Stock Connexion on the same ORM. For `uvicorn --factory`."""

from typing import Any

from connexion import AsyncApp

from peers import connexion_app, present
from peers.contract import answering
from peers.store import Store
from unpuzzle_server.kernel.exchange import Identity


def create_app() -> AsyncApp:
    store = Store.from_environment()

    async def list_courses(page: int, page_size: int, **_: Any) -> Any:
        return present.page(await store.list_courses(page, page_size))

    async def get_course(course_id: str, identity: Identity | None) -> Any:
        return present.detail(await store.get_course(course_id))

    async def sign_in(body: Any, identity: Identity | None) -> Any:
        return present.session(await store.sign_in(body["email"], body["password"]))

    async def enroll(course_id: str, identity: Identity, **_: Any) -> Any:
        return present.enrollment(await store.enroll(identity, course_id))

    handlers = {"courses.list": list_courses, "courses.get": get_course, "auth.sign_in": sign_in, "enrollments.enroll": enroll}
    return connexion_app.build(lambda operation_id: handlers.get(operation_id) or answering(operation_id), store.identify)
