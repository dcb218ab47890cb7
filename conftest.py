"""Fixtures that the server's tests, the contract tests and the clients' tests share: a running server and what was seen of it."""

pytest_plugins = ["server_fixtures", "matrix"]
