"""The embedded PostgreSQL: started, restarted, killed, and refused where it must not run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from harness import wait_for
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, running_url

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


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "a home, with spaces and ümlauts"


@pytest.fixture
def embedded(home: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(home) as found:
        yield found


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
