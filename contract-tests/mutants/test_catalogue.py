"""The catalogue does not rot: every fault still has its place, and no two are the same."""

from collections import Counter

import pytest

from mutants.catalogue import KINDS, ROOT, MisfitError, Mutant
from mutants.catalogue import load as load_mutants
from unpuzzle_cli.conformance.contract import FILE, Contract, load

MUTANTS = load_mutants()
LEAST = 70


def test_every_fault_has_just_one_place() -> None:
    for mutant in MUTANTS:
        text = (ROOT / mutant.file).read_text(encoding="utf-8")
        assert mutant.applied_to(text) != text, mutant.name


def test_a_fault_of_the_schema_is_where_it_counts() -> None:
    """In what no later migration says again."""
    for mutant in MUTANTS:
        planted = ROOT / mutant.file
        later = [path for path in planted.parent.glob("0*.py") if path.name > planted.name]
        assert not [path.name for path in later if mutant.old in path.read_text(encoding="utf-8")], mutant.name


def test_a_fault_without_its_place_is_refused() -> None:
    mutant = Mutant("name", "spec", "file", "old", "new", "", ())
    for text in ("", "old old"):
        with pytest.raises(MisfitError, match=f"{text.count('old')} times"):
            mutant.applied_to(text)


def test_the_catalogue_is_of_every_kind_and_tag() -> None:
    contract = Contract(load(FILE.read_text()))
    operations = {operation.id for operation in contract.operations}
    shown_by = {name for mutant in MUTANTS for name in mutant.operations}
    assert shown_by <= operations
    assert {name.partition(".")[0] for name in shown_by} == {tag["name"] for tag in contract.document["tags"]}
    assert {mutant.kind for mutant in MUTANTS} == set(KINDS)
    assert len(MUTANTS) >= LEAST


def test_no_two_faults_are_the_same() -> None:
    for of in ("name", "mark"):
        assert [found for found, times in Counter(getattr(mutant, of) for mutant in MUTANTS).items() if times > 1] == []
