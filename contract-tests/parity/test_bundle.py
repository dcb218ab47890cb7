"""Nothing that is written into `openapi/src` is left out of the contract in silence."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

OPENAPI = Path(__file__).parents[2] / "openapi"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundle", OPENAPI / "bundle.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OPENAPI / "src", tmp_path / "src"))


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


@pytest.mark.parametrize("written", ["  - name: 'ai'\n", "  - name: ai  # the tutor\n", "  -\n    name: ai\n"])
def test_however_a_tag_is_written_its_operations_are_there(maker: ModuleType, source: Path, written: str) -> None:
    replace(source / "_root.yaml", "  - name: ai\n", written)
    assert "operationId: ai.send_message\n" in maker.bundle(source)


def test_a_file_without_a_tag_is_refused(maker: ModuleType, source: Path) -> None:
    (source / "forum.yaml").write_text("paths:\n")
    with pytest.raises(SystemExit, match="not so: forum"):
        maker.bundle(source)


def test_a_tag_without_a_file_is_refused(maker: ModuleType, source: Path) -> None:
    (source / "ai.yaml").unlink()
    with pytest.raises(SystemExit, match="not so: ai"):
        maker.bundle(source)


def test_a_tag_that_stands_there_twice_is_refused(maker: ModuleType, source: Path) -> None:
    replace(source / "_root.yaml", "tags:\n", "tags:\n  - name: ai\n")
    with pytest.raises(SystemExit, match="not so: ai"):
        maker.bundle(source)


def test_a_key_that_would_be_left_out_is_refused(maker: ModuleType, source: Path) -> None:
    replace(source / "ai.yaml", "paths:\n", "x-more: {}\npaths:\n")
    with pytest.raises(SystemExit, match=r"ai\.yaml has x-more"):
        maker.bundle(source)


def test_a_kind_of_component_that_would_be_left_out_is_refused(maker: ModuleType, source: Path) -> None:
    replace(source / "ai.yaml", "components:\n", "components:\n  examples:\n    Tutor: {value: 1}\n")
    with pytest.raises(SystemExit, match="components has examples"):
        maker.bundle(source)
