"""The session of a client: who is signed in, and how it stays so."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

from attrs import frozen

from .auth import FileTokenStore, MemoryTokenStore, Tokens, TokenStore
from .errors import APIConnectionError, AuthenticationError, PermissionDeniedError, UnpuzzleError
from .flow import Block, Flow, Sender, Shield
from .operation import Arguments, Operation, build_request
from .response import Answer, error_code

T = TypeVar("T")

# After these a refresh token is worthless.
_REFUSED = (AuthenticationError, PermissionDeniedError)


@frozen
class SessionOperations:
    """The operations that change the session, by operationId, as the contract tells them apart.

    Attributes:
        begin: Those whose answer hands out tokens.
        refresh: The one that exchanges a refresh token.
        end: Those after which the tokens are worthless.
        refusals: The error codes of a 401 that are about the tokens, and not about a password.
    """

    begin: frozenset[str]
    refresh: Operation[Any]
    end: frozenset[str]
    refusals: frozenset[str]


class Session:
    """The tokens of a client. Views of the client and clients with the same store share them."""

    def __init__(self, store: TokenStore, operations: SessionOperations) -> None:
        """Keep the tokens in a store."""
        self._store = store
        self._operations = operations
        self._tokens: Tokens | None = None
        self._stored: Tokens | None = None

    def tokens(self, send: Sender) -> Flow[Tokens | None]:
        """Give the tokens to use now, exchanged if they are about to end."""
        tokens = yield from self._load()
        if tokens is None or tokens.refresh_token is None or not tokens.ends_soon:
            return tokens
        try:
            return (yield from self.refreshed(tokens, send))
        except UnpuzzleError as error:
            # Early is a precaution: as long as the old token lives, its request may well succeed.
            if tokens.ended or isinstance(error, _REFUSED):
                raise
            return tokens

    def after_401(self, answer: Answer, used: Tokens | None, send: Sender) -> Flow[Tokens | None]:
        """Give other tokens to try again with; None if there are none, or if it was not about those that were used."""
        if error_code(answer) not in (None, *self._operations.refusals):
            return None
        # They may have been revoked, or somebody may have signed in or exchanged them meanwhile.
        tokens = yield from self._load()
        if tokens is None or used is None or tokens.access_token != used.access_token:
            return tokens
        return (yield from self.refreshed(used, send)) if used.refresh_token else None

    def refreshed(self, used: Tokens, send: Sender) -> Flow[Tokens | None]:
        """Give other tokens than those, None if nobody is signed in; whoever comes first exchanges them for all."""
        tokens: Tokens | None = yield Shield(lambda: self._locked(self._exchange(used, send)), key=(self, used))
        return tokens

    def explicit_refresh(self, body: Any) -> Flow[Any]:
        """Complete the body of a refresh that the program calls itself with the token of the session."""
        if body.get("refresh_token"):
            return body
        tokens = yield from self._load()
        return {**body, "refresh_token": tokens.refresh_token} if tokens and tokens.refresh_token else body

    def follow(self, operation: Operation[Any], answer: Answer) -> Flow[None]:
        """Take note of what an operation did to the session."""
        if operation.name in self._operations.end:
            yield Shield(lambda: self._locked(self._change(None)))
        elif operation.name in self._operations.begin or self.is_refresh(operation):
            tokens = answer.decode(Tokens.from_answer)
            if tokens is not None:
                yield Shield(lambda: self._locked(self._change(tokens)))

    def is_refresh(self, operation: Operation[Any]) -> bool:
        """Tell whether this is the operation that exchanges a refresh token."""
        return operation.name == self._operations.refresh.name

    def _exchange(self, used: Tokens, send: Sender) -> Flow[Tokens | None]:
        present = yield from self._load()
        if present is None or present.access_token != used.access_token:
            # Another thread, task or process was faster, to exchange them or to forget them.
            return present
        request = build_request(self._operations.refresh, Arguments(body={"refresh_token": used.refresh_token}))
        try:
            answer = yield from send(request)
        except APIConnectionError:
            # The token may be spent although its answer was lost: the API repeats that answer for some seconds.
            answer = yield from send(request)
        try:
            answer.raise_for_status()
        except _REFUSED:
            yield from self._change(None)
            raise
        tokens = answer.decode(Tokens.from_answer)
        if tokens is None:
            raise answer.invalid("has no access token")
        yield from self._change(tokens)
        return tokens

    def _locked(self, flow: Flow[T]) -> Flow[T]:
        lock = self._store.lock()
        leave = partial(lock.__exit__, None, None, None)
        yield Block(lock.__enter__, undo=leave)
        try:
            return (yield from flow)
        finally:
            yield Block(leave)

    def _change(self, tokens: Tokens | None) -> Flow[None]:
        # First here: should the store fail, they go on being those of this client until the store has others.
        self._tokens = tokens
        yield Block(self._store.clear if tokens is None else partial(self._store.save, tokens))
        self._stored = tokens

    def _load(self) -> Flow[Tokens | None]:
        """Give the tokens, which others who share the store may have changed."""
        # A thread costs asyncio more than a look into memory, or at the times of a file.
        quick = type(self._store).load in (MemoryTokenStore.load, FileTokenStore.load)
        stored: Tokens | None = self._store.load() if quick else (yield Block(self._store.load, is_short=True))
        if stored != self._stored:
            self._stored = self._tokens = stored
        return self._tokens
