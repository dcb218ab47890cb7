"""Two processes with one session, on the real server."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from loopback import get_email

from harness import PASSWORD, Api, Server, running_server
from unpuzzle_sdk import FileTokenStore, Unpuzzle

ROUNDS = 4


@pytest.fixture
def server(postgres: str) -> Iterator[Server]:
    """A server of its own, as the test moves its clock."""
    with running_server(postgres) as found:
        yield found


def test_processes_that_share_a_store_rotate_its_tokens_once_each_time_they_end(server: Server, tmp_path: Path) -> None:
    """Were a spent token sent again, the server would hand out another pair, or end the session as stolen."""
    path = tmp_path / "tokens.json"
    with Api(server) as api, Unpuzzle(base_url=server.base_url, token_store=FileTokenStore(path)) as client:
        email = api.sign_up().email
        client.auth.sign_in(email=email, password=PASSWORD)
    with ExitStack() as stack:
        processes = [stack.enter_context(ProcessPoolExecutor(1, get_context("spawn"))) for _ in range(2)]
        for number in range(ROUNDS):
            server.clock.offset = timedelta(hours=2 * number)
            calls = [process.submit(get_email, server.base_url, path) for process in processes for _ in range(3)]
            assert {call.result(60) for call in calls} == {email}
    handed_out = server.sql("SELECT count(*) FROM refresh_tokens JOIN users ON id = user_id WHERE email = %s", email)
    assert handed_out == [(len(("sign-up", "sign-in")) + ROUNDS - 1,)]
