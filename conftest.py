"""Fixtures that the server's tests, the contract tests and the clients' tests share: one running server."""

pytest_plugins = ["server_fixtures"]
