"""`unpuzzle-server serve`, as a person or a supervisor runs it: a process of its own, killed at the worst of times."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from server_fixtures import open_folder

from harness import PASSWORD, wait_for
from unpuzzle_server.kernel.embedded_postgres import running_url
from unpuzzle_server.kernel.settings import Settings

COMMAND = [sys.executable, "-W", "ignore", "-c", "from unpuzzle_server.main import app; app()"]
START_SECONDS = 60
WORKER = "unpuzzle_server.worker"


@dataclass
class Serving:
    process: subprocess.Popen[bytes]
    ready: dict[str, Any]

    @property
    def base_url(self) -> str:
        url: str = self.ready["base_url"]
        return url

    def children(self, word: str) -> list[psutil.Process]:
        """Processes of this server whose command line holds a word."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in family if alive(child) and word in " ".join(child.cmdline())]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


Serve = Callable[..., Serving]


@pytest.fixture
def data_dir(folder: Path) -> Path:
    return folder / "data"


@pytest.fixture
def serve(data_dir: Path) -> Iterator[Serve]:
    """Starts one in the data directory, without a worker unless it is about one."""
    with starting(data_dir) as start:
        yield start


@pytest.fixture(scope="module")
def one_for_all() -> Iterator[tuple[Serving, Path]]:
    """One that has no worker and its data directory, for what leaves both as they are."""
    with open_folder() as folder, starting(folder / "data") as start:
        yield start(), folder / "data"


@contextmanager
def starting(data_dir: Path) -> Iterator[Serve]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, seed: str = "none", worker: bool = False) -> Serving:
        command = [*COMMAND, "serve", "--port", "0", "--json", "--seed", seed, "--data-dir", str(data_dir), *arguments]
        command += [] if worker else ["--no-worker"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "it ended without being ready"
        return Serving(process, json.loads(line))

    yield start
    for process in started:
        process.terminate()
        process.wait(START_SECONDS)
        assert process.stdout is not None
        process.stdout.close()


def environment(**changes: str) -> dict[str, str]:
    cheap = {"PASSWORD_MEMORY_KIB": "8", "PASSWORD_PASSES": "1", "RATE_LIMIT_SIGN_UP": "1000"}
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **cheap, **changes}


def refused(*arguments: str, **changes: str) -> str:
    """The one sentence with which a command refuses to run."""
    outcome = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=environment(**changes), timeout=START_SECONDS, check=False
    )
    assert outcome.returncode == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("unpuzzle-server: ")]
    assert len(lines) == 1, outcome.stderr
    return lines[0].removeprefix("unpuzzle-server: ")


def sign_up(base_url: str, email: str) -> None:
    body = {"email": email, "password": PASSWORD, "full_name": "Ada"}
    assert httpx.post(f"{base_url}/api/v1/auth/signup/", json=body).status_code == 201


def can_sign_in(base_url: str, email: str) -> bool:
    return httpx.post(f"{base_url}/api/v1/auth/signin/", json={"email": email, "password": PASSWORD}).status_code == 200


def test_the_first_start_loads_the_demo_catalogue_and_its_accounts_can_sign_in(serve: Serve) -> None:
    serving = serve(seed="demo")
    courses = httpx.get(f"{serving.base_url}/api/v1/courses/").json()
    categories = httpx.get(f"{serving.base_url}/api/v1/categories/").json()
    assert (courses["count"], categories["count"]) == (40, 8)
    assert {account["role"] for account in serving.ready["accounts"]} == {"instructor", "student", "admin"}
    for account in serving.ready["accounts"]:
        credentials = {"email": account["email"], "password": account["password"]}
        response = httpx.post(f"{serving.base_url}/api/v1/auth/signin/", json=credentials)
        assert account["role"] in response.json()["user"]["roles"]


def test_what_was_acknowledged_survives_the_kill_of_every_process(serve: Serve) -> None:
    victims: list[Callable[[Serving], list[psutil.Process]]] = [
        lambda serving: [psutil.Process(serving.process.pid)],
        lambda serving: serving.children("postgres -D") or serving.children("postgres"),
        lambda serving: [*serving.children(""), psutil.Process(serving.process.pid)],
    ]
    for number, choose in enumerate(victims):
        serving = serve("--workers", "2", worker=True)
        for earlier in range(number):
            assert can_sign_in(serving.base_url, f"survivor{earlier}@example.com")
        sign_up(serving.base_url, f"survivor{number}@example.com")
        for process in choose(serving):
            process.kill()
        serving.process.wait(START_SECONDS)
    serving = serve()
    assert all(can_sign_in(serving.base_url, f"survivor{number}@example.com") for number in range(len(victims)))


def test_a_killed_web_process_is_replaced(serve: Serve) -> None:
    serving = serve("--workers", "2")
    before = {child.pid for child in serving.children("spawn_main")}
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: len({child.pid for child in serving.children("spawn_main")} - before) == 1, seconds=20)
    wait_for(lambda: httpx.get(f"{serving.base_url}/health/").status_code == 200, seconds=20)


def test_web_processes_end_with_their_supervisor_and_free_the_port(serve: Serve) -> None:
    serving = serve("--workers", "2")
    left_behind = serving.children("")
    serving.kill()
    wait_for(lambda: not any(alive(process) for process in left_behind), seconds=20)


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_ends_with_exit_code_0_when_it_is_told_to(serve: Serve) -> None:
    serving = serve(worker=True)
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(START_SECONDS) == 0


def test_it_ends_with_exit_code_1_when_its_postgresql_ends(serve: Serve) -> None:
    serving = serve(worker=True)
    serving.children("postgres")[0].kill()
    assert serving.process.wait(START_SECONDS) == 1


def test_tokens_outlive_a_restart(serve: Serve) -> None:
    serving = serve()
    body = {"email": "stay@example.com", "password": PASSWORD, "full_name": "Ada"}
    token = httpx.post(f"{serving.base_url}/api/v1/auth/signup/", json=body).json()["access_token"]
    serving.kill()
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{serve().base_url}/api/v1/auth/profile/", headers=headers).status_code == 200


def test_a_data_directory_in_use_is_refused_by_name_of_its_holder(one_for_all: tuple[Serving, Path]) -> None:
    serving, data_dir = one_for_all
    sentence = refused("serve", "--port", "0", "--data-dir", str(data_dir))
    assert str(data_dir) in sentence
    assert f"in use by process {serving.process.pid}" in sentence


def test_a_taken_port_is_refused_before_anything_is_started(one_for_all: tuple[Serving, Path], tmp_path: Path) -> None:
    port = httpx.URL(one_for_all[0].base_url).port
    unused = tmp_path / "unused"
    assert f"port {port}" in refused("serve", "--port", str(port), "--data-dir", str(unused))
    assert not unused.exists()


def test_a_database_of_a_newer_server_is_refused_and_left_as_it_is(one_for_all: tuple[Serving, Path]) -> None:
    serving, data_dir = one_for_all
    owner_url = running_url(data_dir)
    assert owner_url
    with psycopg.connect(owner_url, autocommit=True) as connection:
        known = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        sentence = refused(
            "serve", "--port", "0", "--seed", "demo", "--data-dir", str(data_dir / "other"), "--database-url", owner_url
        )
        assert "newer than this server" in sentence
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
        connection.execute("UPDATE alembic_version SET version_num = %s", known)
    assert httpx.get(f"{serving.base_url}/health/").status_code == 200


def test_an_unreachable_database_is_one_sentence_without_its_password() -> None:
    sentence = refused("serve", "--port", "0", "--database-url", "postgresql://somebody:s3cr3t@127.0.0.1:1/none")
    assert "can't be reached" in sentence
    assert "s3cr3t" not in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE_LIMIT_ANONYMOUS", "many"),
        ("PUBLIC_URL", "example.com"),
        ("ENVIRONMENT", "moon"),
        ("SECRET_KEY", "short"),
        ("INSTRUCTOR_AUTO_APPROVE", "perhaps"),
        ("DATABASE_URL", "mysql://user:s3cr3t@host/db"),
    ],
)
def test_a_wrong_setting_is_named_and_never_quoted(name: str, value: str) -> None:
    sentence = refused("serve", "--port", "0", **{name: value})
    assert sentence.startswith(name)
    assert value not in sentence


def test_every_setting_is_listed_as_it_is_written() -> None:
    environ = environment(PLAN_PRICES="premium=5/50,enterprise=9/90", STRIPE_API_KEY="sk_test_s3cr3t")
    command = [*COMMAND, "settings"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, timeout=START_SECONDS).stdout
    shown = {line.split()[0]: line[31:].split("  ")[0] for line in listed.splitlines()}
    assert shown.keys() == {item.metadata.get("variable", item.name.upper()) for item in fields(Settings)}
    assert shown["PLAN_PRICES"].startswith("premium=5/50,enterprise=9/90")
    assert shown["STRIPE_API_KEY"] == "set"


def test_an_admin_is_made_while_the_server_runs_and_while_it_does_not(serve: Serve, data_dir: Path) -> None:
    serving = serve()
    sign_up(serving.base_url, "promoted@example.com")
    assert "promoted@example.com is an admin now" in create_admin(data_dir, "promoted@example.com")
    serving.process.terminate()
    serving.process.wait(START_SECONDS)
    assert "Made the admin new@example.com" in create_admin(data_dir, "new@example.com", "--password", PASSWORD)
    base_url = serve().base_url
    for email in ("promoted@example.com", "new@example.com"):
        session = httpx.post(f"{base_url}/api/v1/auth/signin/", json={"email": email, "password": PASSWORD}).json()
        assert "admin" in session["user"]["roles"]


def create_admin(data_dir: Path, email: str, *arguments: str) -> str:
    return said("admin", "create", "--data-dir", str(data_dir), "--email", email, *arguments)


def said(*arguments: str) -> str:
    """What a command prints that succeeds."""
    command = [*COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment(), timeout=START_SECONDS).stdout


def test_a_worker_runs_beside_the_web_processes_is_replaced_and_ends_with_them(serve: Serve) -> None:
    serving = serve("--workers", "2", worker=True)
    wait_for(lambda: serving.children(WORKER), seconds=20)
    first = serving.children(WORKER)
    assert len(first) == 1
    first[0].kill()
    wait_for(lambda: serving.children(WORKER) and serving.children(WORKER) != first, seconds=20)
    second = serving.children(WORKER)
    serving.kill()
    wait_for(lambda: not any(alive(process) for process in second), seconds=20)


def test_a_server_without_a_worker_leaves_tasks_to_one_that_runs_alone(one_for_all: tuple[Serving, Path]) -> None:
    serving, data_dir = one_for_all
    owner_url = running_url(data_dir)
    assert owner_url
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SELECT app.enqueue('system.purge', '{}', '0', '1 s')")
        assert serving.children(WORKER) == []
        worker = subprocess.Popen([*COMMAND, "worker", "--data-dir", str(data_dir)], env=environment())
        try:
            wait_for(lambda: not connection.execute("SELECT FROM tasks").rowcount, seconds=20)
            worker.terminate()
            assert worker.wait(START_SECONDS) == 0
        finally:
            worker.kill()


def test_a_worker_needs_the_database_of_a_server(data_dir: Path) -> None:
    assert f"No server runs in {data_dir}" in refused("worker", "--data-dir", str(data_dir))


def test_given_up_tasks_are_listed_and_retried(one_for_all: tuple[Serving, Path]) -> None:
    _, data_dir = one_for_all
    home = ("--data-dir", str(data_dir))
    owner_url = running_url(data_dir)
    assert owner_url
    assert said("tasks", "failed", *home) == "No task was given up.\n"
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("""
            INSERT INTO failed_tasks (id, name, args, attempts, error, created_at)
            VALUES ('00000000-0000-0000-0000-000000000001', 'system.purge', '{}', 10, 'RuntimeError: no luck', now())
        """)
    assert "system.purge  10" in said("tasks", "failed", *home)
    assert "give the id of a task, or --all" in refused_usage("tasks", "retry", *home)
    assert "is not the id of a task" in refused("tasks", "retry", "1", *home)
    assert said("tasks", "retry", "00000000-0000-0000-0000-000000000001", *home) == "1 task will be done by the workers.\n"
    assert said("tasks", "retry", "--all", *home) == "0 tasks will be done by the workers.\n"


def refused_usage(*arguments: str) -> str:
    command = [*COMMAND, *arguments]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=START_SECONDS)
    assert outcome.returncode == 2
    return outcome.stderr
