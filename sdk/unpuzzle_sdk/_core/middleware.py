"""What a program may put around every attempt of a call."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from attrs import evolve

from .flow import Send
from .headers import canonical
from .operation import Request
from .response import Answer

Next: TypeAlias = Callable[[Request], Answer]
AsyncNext: TypeAlias = Callable[[Request], Awaitable[Answer]]
Middleware: TypeAlias = Callable[[Request, Next], Answer]
AsyncMiddleware: TypeAlias = Callable[[Request, AsyncNext], Awaitable[Answer]]


def send_through(middleware: Sequence[Middleware], need: Send, wire: Next) -> Answer:
    """Send the request of an attempt through middleware: the first is the outermost."""
    came: list[Answer] = []

    def send(request: Request) -> Answer:
        came.append(wire(_one_spelling(request)))
        return came[-1]

    call_next: Next = send
    for each in reversed(middleware):
        call_next = _with(each, call_next)
    try:
        return call_next(_own_request(need))
    except BaseException:
        for answer in came:
            if answer.chunks is not None:
                answer.chunks.close()
        raise


async def async_send_through(middleware: Sequence[AsyncMiddleware], need: Send, wire: AsyncNext) -> Answer:
    """Send the request of an attempt through middleware: the first is the outermost."""
    came: list[Answer] = []

    async def send(request: Request) -> Answer:
        came.append(await wire(_one_spelling(request)))
        return came[-1]

    call_next: AsyncNext = send
    for each in reversed(middleware):
        call_next = _async_with(each, call_next)
    try:
        return await call_next(_own_request(need))
    except BaseException:
        for answer in came:
            if answer.chunks is not None:
                await answer.chunks.close()
        raise


def _own_request(need: Send) -> Request:
    # A copy, whose headers may be changed.
    return evolve(need.request, headers=dict(need.request.headers), attempt=need.attempt)


def _one_spelling(request: Request) -> Request:
    return evolve(request, headers=canonical(request.headers))


def _with(middleware: Middleware, call_next: Next) -> Next:
    return lambda request: _checked(middleware, middleware(request, call_next))


def _async_with(middleware: AsyncMiddleware, call_next: AsyncNext) -> AsyncNext:
    async def call(request: Request) -> Answer:
        given = middleware(request, call_next)
        return _checked(middleware, await given if inspect.isawaitable(given) else given)

    return call


def _checked(middleware: Callable[..., Any], given: Any) -> Answer:
    if isinstance(given, Answer):
        return given
    if inspect.iscoroutine(given):
        # Python would complain that nobody waits for it.
        given.close()
    name = getattr(middleware, "__qualname__", type(middleware).__qualname__)
    raise TypeError(f"the middleware {name} must give a Response, not {type(given).__name__}")
