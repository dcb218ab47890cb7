"""`nox -s compat` in small repositories: before the first release, after it, and with a break or without."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from compatibility import __main__ as compatibility
from compatibility.sdk import breaking_changes

CONTRACT = """
info: {version: 1.0.0}
paths:
  /notes/:
    get: {operationId: notes.list, responses: {'200': {content: {}}}}
"""
FILES = {
    "openapi/unpuzzle.yaml": CONTRACT,
    "sdk/unpuzzle_sdk/__init__.py": (
        "from ._client import Client\nfrom ._version import __version__\nfrom . import errors\n"
        "_MODULES = {'Client': '._client', '__version__': '._version', 'errors': ''}\n"
        "__all__ = ['Client', '__version__', 'errors']\n"
    ),
    "sdk/unpuzzle_sdk/_version.py": "__version__ = '1.0.0'\n",
    "sdk/unpuzzle_sdk/_base.py": (
        "class Base:\n    def request(self, path: str, *, json: object = None) -> None: ...\n    def _send(self): ...\n"
    ),
    "sdk/unpuzzle_sdk/_client.py": (
        "from ._base import Base\nclass Client(Base):\n    name: str\n    def close(self) -> None: ...\n"
        "    def find(self, text: str, *, by: Sequence[int | str] = ()) -> Page[str] | bytes: ...\n"
    ),
    "sdk/unpuzzle_sdk/_codes.py": "class APIError(Exception): ...\nclass NotFound(APIError): ...\n",
    "cli/tests/golden/commands.json": '{"notes watch": {"--every": {"type": "int"}}}',
    "sdk/unpuzzle_sdk/errors.py": "from ._codes import *\n",
}

Edit = Callable[[str, str, str], None]
Checked = Callable[[], tuple[int, str]]
CLIENT, BASE, CODES, PACKAGE = (f"sdk/unpuzzle_sdk/{name}.py" for name in ("_client", "_base", "_codes", "__init__"))
SPEC = "openapi/unpuzzle.yaml"
AS_SOMEBODY = ("-c", "user.name=T", "-c", "user.email=t@example.com")


def write(folder: Path) -> None:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    write(tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, *AS_SOMEBODY, "commit", "--quiet", "-m", "First")
    return tmp_path


@pytest.fixture
def edit(repository: Path) -> Edit:
    return lambda name, old, new: replace(repository / name, old, new)


@pytest.fixture
def checked(repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Checked:
    def check() -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["compatibility", str(repository)])
        code = compatibility.main()
        said = capsys.readouterr()
        # Servers of other tests in this process may complain beside it.
        complaint = [line for line in said.err.splitlines(keepends=True) if line.startswith("That breaks")]
        return code, said.out + "".join(complaint)

    return check


def git(repository: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(repository), *arguments], check=True)


def test_before_the_first_release_nothing_breaks(checked: Checked, edit: Edit, repository: Path) -> None:
    git(repository, "tag", "before-1.0")
    edit(SPEC, "notes.list", "notes.find")
    assert checked() == (0, "There is no release yet, so nothing that could break.\n")


def test_a_tree_without_history_has_no_release(tmp_path: Path) -> None:
    assert compatibility.last_release(tmp_path / "nowhere") is None


def test_what_git_refuses_is_no_history_without_releases(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(repository, "tag", "v1.0.0")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with pytest.raises(SystemExit) as refused:
        compatibility.last_release(repository)
    says = str(refused.value)
    assert "dubious ownership" in says
    assert "git config --global --add safe.directory" in says
    assert f"git -C {repository} tag --list" in says


def test_without_git_nobody_knows_what_was_released(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="git, which is not installed"):
        compatibility.last_release(repository)


def test_a_shallow_clone_must_have_the_tags(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    git(repository, *AS_SOMEBODY, "commit", "--allow-empty", "--quiet", "-m", "Second")
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "--quiet", "--depth", "1", "--no-tags", repository.as_uri(), ".")
    with pytest.raises(SystemExit) as refused:
        compatibility.last_release(clone)
    says = str(refused.value)
    assert says.endswith(f"git -C {clone} fetch --unshallow --tags")
    git(clone, "fetch", "--quiet", "--unshallow", "--tags")
    assert compatibility.last_release(clone) is None
    git(repository, "tag", "v1.0.0")
    git(clone, "fetch", "--quiet", "--tags")
    assert compatibility.last_release(clone) == "v1.0.0"


def test_a_version_before_the_last_release_is_a_mistake(checked: Checked, edit: Edit, repository: Path) -> None:
    git(repository, "tag", "v1.0.1")
    with pytest.raises(SystemExit, match=r"1\.0\.0 comes before v1\.0\.1"):
        checked()


def test_the_last_release_is_the_highest_version(repository: Path) -> None:
    for tag in ("v1.10.0", "v1.9.0", "v0.20.0", "v2.0.0-rc.1", "2.0.0"):
        git(repository, "tag", tag)
    assert compatibility.last_release(repository) == "v1.10.0"


def test_a_break_of_the_contract_needs_a_major_version(checked: Checked, edit: Edit, repository: Path) -> None:
    git(repository, "tag", "v1.0.0")
    edit(SPEC, "notes.list", "notes.find")
    says = "notes.list is gone\nThat breaks v1.0.0: 1.0.0 must be 2.0.0, or better, keep it: docs/releasing.md\n"
    assert checked() == (1, says)
    edit(SPEC, "1.0.0", "1.1.0")
    assert checked()[0] == 1
    edit(SPEC, "1.1.0", "2.0.0")
    assert checked() == (0, "notes.list is gone\nThat breaks v1.0.0, as 2.0.0 may.\n")


def test_a_break_of_the_sdk_needs_a_major_version(checked: Checked, edit: Edit, repository: Path) -> None:
    git(repository, "tag", "v1.0.0")
    edit(CLIENT, "def close", "def shut")
    code, says = checked()
    assert (code, says.splitlines()[0]) == (1, "unpuzzle_sdk._client.Client.close: public object was removed")
    edit(SPEC, "1.0.0", "2.0.0")
    assert checked()[0] == 0


def test_a_break_of_the_command_line_needs_a_major_version(checked: Checked, edit: Edit, repository: Path) -> None:
    git(repository, "tag", "v1.0.0")
    edit("cli/tests/golden/commands.json", "notes watch", "notes follow")
    code, says = checked()
    assert (code, says.splitlines()[0]) == (1, "unpuzzle notes watch is gone")


def test_what_breaks_nothing_needs_no_major_version(checked: Checked, edit: Edit, repository: Path) -> None:
    git(repository, "tag", "v1.0.0")
    edit(SPEC, "version: 1.0.0", "version: 1.1.0")
    edit("sdk/unpuzzle_sdk/_version.py", "1.0.0", "1.1.0")
    edit(BASE, "json: object = None", "json: object = None, params: object = None")
    assert checked() == (0, "Nothing that v1.0.0 has is broken by 1.1.0.\n")


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        (PACKAGE, "import Client", "import Client as Speaker", "unpuzzle_sdk._client.Client: public object was removed"),
        (PACKAGE, "['Client', ", "[", "unpuzzle_sdk._client.Client: it is not public any more"),
        (PACKAGE, "'Client': '._client', ", "", "unpuzzle_sdk: Client can't be imported any more"),
        (CLIENT, "    def find", "    async def find", "unpuzzle_sdk._client.Client.find: it must be awaited"),
        (CLIENT, "name: str", "name: int", "unpuzzle_sdk._client.Client.name: it is int, was str"),
        (CLIENT, "text: str", "text: int", "unpuzzle_sdk._client.Client.find: text takes int, took str"),
        (CLIENT, " | str]", "]", "unpuzzle_sdk._client.Client.find: by takes Sequence[int], took Sequence[int | str]"),
        (
            CLIENT,
            "Page[str] |",
            "Page[int] |",
            "unpuzzle_sdk._client.Client.find: it gives Page[int] | bytes, gave Page[str] | bytes",
        ),
        (BASE, "request", "ask", "unpuzzle_sdk._base.Base.request: public object was removed"),
        (BASE, ", *, json: object = None", "", "unpuzzle_sdk._base.Base.request: parameter was removed, json"),
        (BASE, "path: str", "path: str, way: str", "unpuzzle_sdk._base.Base.request: parameter was added as required, way"),
        (BASE, " = None", "", "unpuzzle_sdk._base.Base.request: parameter is now required, json"),
        (BASE, "path: str, *", "*, path: str", "unpuzzle_sdk._base.Base.request: parameter kind was changed, path"),
        (CODES, "class NotFound(APIError): ...", "", "unpuzzle_sdk._codes.NotFound: public object was removed"),
        (CODES, "NotFound(APIError)", "NotFound", "unpuzzle_sdk._codes.NotFound: base class was removed"),
    ],
)
def test_a_break_of_the_sdk_is_found(name: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    assert sdk_breaks(tmp_path, name, old, new) == [says]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (BASE, "_send", "_transmit"),
        (CLIENT, "def close", "def more(self): ...\n    def close"),
        (BASE, "-> None", "-> int"),
        (CLIENT, " | bytes", ""),
        (CLIENT, "text: str", "text: None | str"),
        (CLIENT, "int | str]", "bytes | str | int]"),
        (CLIENT, "name: str", "name: str | None"),
    ],
)
def test_a_change_of_the_sdk_that_breaks_nothing_is_not_found(name: str, old: str, new: str, tmp_path: Path) -> None:
    assert sdk_breaks(tmp_path, name, old, new) == []


def sdk_breaks(folder: Path, name: str, old: str, new: str) -> list[str]:
    """What breaks where one thing is replaced by another."""
    for tree in (folder / "before", folder / "after"):
        write(tree)
    replace(folder / "after" / name, old, new)
    return breaking_changes(folder / "before/sdk", folder / "after/sdk")
