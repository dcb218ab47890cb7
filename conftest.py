"""Fixtures that the server's tests, the contract tests and the clients' tests share: a running server and what was seen of it."""

import os

# Every client reads the certificates that it trusts, for 20 ms, and no test talks to anybody outside this machine.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull

pytest_plugins = ["server_fixtures", "matrix"]
