"""What a program may put around every attempt of a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from attrs import evolve

from .flow import Send
from .operation import Request
from .response import Answer

Next: TypeAlias = Callable[[Request], Answer]
AsyncNext: TypeAlias = Callable[[Request], Awaitable[Answer]]
Middleware: TypeAlias = Callable[[Request, Next], Answer]
AsyncMiddleware: TypeAlias = Callable[[Request, AsyncNext], Awaitable[Answer]]


def around(middleware: Sequence[Middleware], wire: Next) -> Next:
    """Put middleware around the wire: the first is the outermost."""
    for each in reversed(middleware):
        wire = _with(each, wire)
    return wire


def async_around(middleware: Sequence[AsyncMiddleware], wire: AsyncNext) -> AsyncNext:
    """Put middleware around the wire: the first is the outermost."""
    for each in reversed(middleware):
        wire = _async_with(each, wire)
    return wire


def own_request(need: Send) -> Request:
    """Give the request of an attempt as a copy, whose headers may be changed."""
    return evolve(need.request, headers=dict(need.request.headers), attempt=need.attempt)


def _with(middleware: Middleware, call_next: Next) -> Next:
    return lambda request: middleware(request, call_next)


def _async_with(middleware: AsyncMiddleware, call_next: AsyncNext) -> AsyncNext:
    return lambda request: middleware(request, call_next)
