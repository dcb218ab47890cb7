"""The real server in this process, where it is installed.

All that has to be known of it stands in its own `unpuzzle_server.testing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from attrs import field, frozen

from .. import AsyncUnpuzzle, MemoryTokenStore, Unpuzzle

_PACKAGE = "unpuzzle_server"


@frozen
class Account:
    """Somebody who can sign in.

    Attributes:
        role: What they are: `student`, `instructor` or `admin`.
        email: Their address.
        password: Their password.

    Example:
        ```python
        from unpuzzle_sdk.testing import local_server

        with local_server() as server, server.client() as client:
            account = server.accounts["student"]
            client.auth.sign_in(email=account.email, password=account.password)
        ```
    """

    role: str
    email: str
    password: str = field(repr=False)


@frozen
class LocalServer:
    """A server that answers.

    Attributes:
        url: Its address.
        accounts: Those of the demo data, by role.

    Example:
        ```python
        from unpuzzle_sdk.testing import local_server

        with local_server() as server:
            print(server.url, [*server.accounts])
        ```
    """

    url: str
    accounts: dict[str, Account]

    def client(self, role: str | None = None, **options: Any) -> Unpuzzle:
        """Give a client of the server.

        Args:
            role: Who it is signed in as, of `accounts`; nobody if absent.
            options: What `Unpuzzle` takes.

        Returns:
            A client, which is signed in if a role is given.

        Raises:
            ValueError: There is no account of this role.

        Example:
            ```python
            from unpuzzle_sdk.testing import local_server

            with local_server() as server, server.client("instructor") as client:
                print(client.courses.list_own().count)
            ```
        """
        client = Unpuzzle(**self._options(options))
        if role is not None:
            account = self._account(role)
            client.auth.sign_in(email=account.email, password=account.password)
        return client

    def async_client(self, role: str | None = None, **options: Any) -> AsyncUnpuzzle:
        """Give a client of the server for asyncio.

        Args:
            role: Who it is signed in as, of `accounts`; nobody if absent.
            options: What `AsyncUnpuzzle` takes.

        Returns:
            A client, which is signed in if a role is given.

        Raises:
            ValueError: There is no account of this role.

        Example:
            ```python
            from unpuzzle_sdk.testing import local_server

            with local_server() as server:
                async with server.async_client("student") as client:
                    print((await client.auth.get_profile()).full_name)
            ```
        """
        options = self._options(options)
        if role is not None:
            # They share the session, so that this one goes on when its token ends.
            with self.client(role, token_store=options["token_store"]):
                pass
        return AsyncUnpuzzle(**options)

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        signed_in = options.keys() & {"token", "api_key", "token_store"}
        return {"base_url": self.url, **({} if signed_in else {"token_store": MemoryTokenStore()}), **options}

    def _account(self, role: str) -> Account:
        if role not in self.accounts:
            there = ", ".join(self.accounts) or "none: start it with demo=True"
            raise ValueError(f"the server has no account of the role {role!r}; there are {there}")
        return self.accounts[role]


@contextmanager
def local_server(*, demo: bool = True) -> Iterator[LocalServer]:
    """Run the real server in this process: a database and files of its own on a free port, gone at the end.

    What it leaves to a worker, such as sending mail and looking into files, is not done. It starts in the main thread.

    Args:
        demo: Whether it has the demo data: courses, and an account of each role.

    Raises:
        ModuleNotFoundError: The server is not installed.

    Example:
        ```python
        from unpuzzle_sdk.testing import local_server

        with local_server() as server, server.client() as client:
            for course in client.courses.list():
                print(course.title)
        ```
    """
    with _server().running(demo=demo) as server:
        accounts = {account.role: Account(**vars(account)) for account in server.accounts}
        yield LocalServer(server.url, accounts)


def _server() -> Any:
    try:
        return import_module(f"{_PACKAGE}.testing")
    except ModuleNotFoundError as error:
        if error.name not in (_PACKAGE, f"{_PACKAGE}.testing"):
            raise
    raise ModuleNotFoundError("local_server() needs the server: pip install unpuzzle-server", name=_PACKAGE)
