"""PostgreSQL without installing one: the binaries of a wheel, run as a child of this process in a data directory.

Why not the wheel's own launcher: it leaks servers after a kill -9, trusts a pid alone, and opens sockets to every user of
the machine. Here the cluster listens on loopback only, asks for a password (SCRAM), and ends with its parent.
"""

import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil
import psycopg
from psycopg import sql

from unpuzzle_server.kernel.postgres_binaries import MAJOR, EmbeddedPostgresError, account_for, binaries_for, running_as

OWNER, DATABASE = "unpuzzle_owner", "unpuzzle"
LOCK_SECONDS = 0.5
START_SECONDS = 120  # a recovery after a crash takes its time
STOP_SECONDS = 30
REMAINS_SECONDS = 15
LIBC = ctypes.CDLL(None)  # loaded here, because little is safe between fork and exec
# A left-over port may be a stranger's by now: libpq would send him the password in clear, if he only asks for it.
ONLY_SCRAM: dict[str, Any] = {"connect_timeout": 2, "require_auth": "scram-sha-256"}
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


class EmbeddedPostgres:
    """One cluster in `data_dir`, for as long as this process holds its lock."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()  # PostgreSQL works elsewhere, and processes are known by their real directory
        self.cluster = self.data_dir / "postgres"
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
        if self.process is not None and self.process.poll() is None:
            return self.url
        if threading.current_thread() is not threading.main_thread():
            # The system ends PostgreSQL with the thread that started it, not with the process.
            raise EmbeddedPostgresError("PostgreSQL would end with this thread: start it from the main thread.")
        self.stop()  # what is left of one that has crashed
        self.stopping = False
        try:
            _make_folder(self.data_dir)
            self.lock = _hold(self.data_dir)
            self.account = account_for(self.data_dir)
            self.binaries = binaries_for(self.account)
            self._make_cluster()
            _clear_remains(self.cluster)
            self._run()
            self._make_owner()
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresError(f"The data directory {self.data_dir} can't be used: {error}. Choose another.") from None
        except psycopg.Error as error:
            self.stop()
            sentence = f"PostgreSQL in {self.data_dir} can't be prepared: {error}. {self._log_path} may say more."
            raise EmbeddedPostgresError(sentence) from None
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
        for left in self.data_dir.glob("postgres.new*"):
            shutil.rmtree(left, ignore_errors=True)
        if (self.cluster / "PG_VERSION").exists():
            found = (self.cluster / "PG_VERSION").read_text().strip()
            if found != MAJOR:
                sentence = f"{self.cluster} belongs to PostgreSQL {found}, this server brings {MAJOR}: use another --data-dir."
                raise EmbeddedPostgresError(sentence)
            return
        if self.cluster.exists() and any(self.cluster.iterdir()):
            raise EmbeddedPostgresError(f"{self.cluster} holds something else than a PostgreSQL cluster: use another --data-dir.")
        # A new name each time: what a killed start left behind may still be writing into its own.
        workshop = Path(tempfile.mkdtemp(prefix="postgres.new.", dir=self.data_dir))
        fresh, password_file = workshop / "cluster", workshop / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password("superuser"))
        for path in (workshop, password_file):
            self._own(path)
        options = ["-U", "postgres", "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        options += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"]
        command = [str(self.binaries / "initdb"), "-D", str(fresh), *options]
        parent = os.getpid()
        made = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            preexec_fn=lambda: end_with(parent, signal.SIGTERM),
            **self._as_account(),
        )
        if made.returncode:
            raise EmbeddedPostgresError(f"PostgreSQL can't make its cluster in {fresh}: {made.stderr.strip()[-500:]}")
        if self.cluster.exists():
            self.cluster.rmdir()
        fresh.rename(self.cluster)
        shutil.rmtree(workshop, ignore_errors=True)

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
        with open(self._log_path, "ab", opener=_private) as log:
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
        """Whether it answers; False when it has ended instead. Raises when it does neither for START_SECONDS."""
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None:
            try:
                psycopg.connect(self._superuser_url("postgres"), **ONLY_SCRAM).close()
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error) and not self._ends_soon():
                    raise EmbeddedPostgresError(f"The passwords in {self.data_dir} are not those of its cluster.") from None
            else:
                return True
            if time.monotonic() > deadline:
                sentence = f"PostgreSQL is not ready after {START_SECONDS} s. The end of {self._log_path}:\n{self._log_tail()}"
                raise EmbeddedPostgresError(sentence)
            time.sleep(0.02)
        return False

    def _ends_soon(self) -> bool:
        """Whether it is about to end for want of its port, where then another PostgreSQL refused our password."""
        assert self.process is not None
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        return self.process.poll() is not None

    def _make_owner(self) -> None:
        """Each step is there or is made, so a first start that was cut off is finished by the next."""
        with psycopg.connect(self._superuser_url("postgres"), autocommit=True, **ONLY_SCRAM) as connection:
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [OWNER]).rowcount:
                make = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER CREATEROLE NOBYPASSRLS PASSWORD {}")
                # Its hash, because a statement that fails is written to the log.
                hashed = connection.pgconn.encrypt_password(self._password("owner").encode(), OWNER.encode(), b"scram-sha-256")
                connection.execute(make.format(sql.Identifier(OWNER), sql.Literal(hashed.decode())))
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
        return running_as(self.account)


def running_url(data_dir: Path) -> str | None:
    """The owner's URL of a cluster that another process runs in this directory, if one does."""
    pid_file, password = data_dir / "postgres" / "postmaster.pid", data_dir / "postgres.owner.password"
    try:
        url = _url(OWNER, password.read_text(), int(pid_file.read_text().splitlines()[3]), DATABASE)
        psycopg.connect(url, **ONLY_SCRAM).close()
    except (OSError, IndexError, ValueError, psycopg.OperationalError):
        return None
    return url


def _url(user: str, password: str, port: int, database: str) -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"


def _private(path: str, flags: int) -> int:
    """Opens a file that, if it is new, is for its owner alone: the log quotes statements."""
    return os.open(path, flags, 0o600)


def _make_folder(folder: Path) -> None:
    """Folders that root makes here can be entered by PostgreSQL, whatever the umask; those that were there stay as they are."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            missing.chmod(missing.stat().st_mode | 0o011)
    folder.mkdir(exist_ok=True)  # fails where it is a file


def _hold(data_dir: Path) -> IO[str]:
    """The lock of a data directory; it goes with the process that holds it, however that ends."""
    lock = (data_dir / "lock").open("a+")
    if not _locked(lock):
        lock.seek(0)
        holder = lock.read().strip() or "another"
        lock.close()
        sentence = f"The data directory {data_dir} is in use by process {holder}. Stop it, or choose another --data-dir."
        raise EmbeddedPostgresError(sentence)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _locked(lock: IO[str]) -> bool:
    """Whether it is ours now. A process that was killed as it started another leaves the lock to that one for a moment."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end_with(parent: int, how: signal.Signals) -> None:
    """Called in a child: has the system send it a signal when the parent dies, even by kill -9 (on Linux)."""
    if sys.platform == "linux":
        LIBC.prctl(1, how)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)  # it died before the system knew


def _clear_remains(cluster: Path) -> None:
    """Waits for what a killed server left running, which on Linux ends by itself, then removes its lock file.

    PostgreSQL would trust the pid in that file, which by now may be a zombie or another program. Whoever holds the lock of
    the data directory knows better: no process works in the cluster, so none can be running on it.
    """
    pid_file = cluster / "postmaster.pid"
    if not pid_file.exists():
        return
    deadline = time.monotonic() + REMAINS_SECONDS
    asked = False
    while left := _working_in(cluster):
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in left)
            raise EmbeddedPostgresError(f"An earlier PostgreSQL still works in {cluster}, as process {pids}. Stop it first.")
        if not asked:
            _ask_to_stop(pid_file, left)
            asked = True
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def _ask_to_stop(pid_file: Path, processes: list[psutil.Process]) -> None:
    """Tells the postmaster among them, and it alone.

    Its checkpointer, told the same, closes the write-ahead log while sessions still commit to it: what they were answered
    is lost. And without a postmaster the others end by themselves.
    """
    with suppress(OSError, IndexError, ValueError, psutil.Error):  # it ends at this moment, or the file is half written
        postmaster = int(pid_file.read_text().splitlines()[0])
        for process in processes:
            if process.pid == postmaster:
                process.send_signal(signal.SIGINT)


def _working_in(cluster: Path) -> list[psutil.Process]:
    """The processes of PostgreSQL that run on this cluster: each works in its directory."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            alive = process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
            if alive and process.cwd() == str(cluster):
                found.append(process)
    return found
