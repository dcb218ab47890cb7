"""The contract obeys every rule, and every rule can find what it is there for."""

import json
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from connexion.spec import create_spec_validator

from unpuzzle_cli.conformance.contract import FILE, Contract, Node, load

from .rules import RULES

CASES = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text())
EACH_CASE = [
    pytest.param(rule, case, id=f"{rule}-{number}") for rule, cases in CASES.items() for number, case in enumerate(cases)
]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract(load(FILE.read_text()))


@pytest.mark.parametrize("rule", RULES)
def test_the_contract_obeys(rule: str, contract: Contract) -> None:
    assert [f"{finding.where}: {finding.what}" for finding in RULES[rule](contract)] == []


def test_the_contract_is_what_openapi_allows(contract: Contract) -> None:
    """With its defaults; the server takes it as it is."""
    schema = json.loads((files("connexion") / "resources" / "schemas" / "v3.0" / "schema.json").read_text())
    create_spec_validator(contract.document)(schema).validate(contract.document)


@pytest.mark.parametrize(("rule", "case"), EACH_CASE)
def test_a_rule_finds_what_it_is_there_for(rule: str, case: Node) -> None:
    found = {finding.what for finding in RULES[rule](Contract(case["in"]))}
    assert case["finds"] in found or (case["finds"] == "nothing" and not found), found


def test_every_rule_has_something_to_find() -> None:
    findable = {rule for rule, cases in CASES.items() for case in cases if case["finds"] != "nothing"}
    assert findable == RULES.keys()


def test_a_key_that_stands_twice_is_refused() -> None:
    """Two parts of the contract that define the same name do not swallow each other when they are joined."""
    with pytest.raises(yaml.YAMLError, match="stands twice"):
        load("schemas:\n  A: {type: string}\n  A: {type: object}\n")


@pytest.mark.parametrize(
    ("guide", "is_there"),
    [("/guide", True), ("/guide#to-v2", True), ("/guide#to-v3", False), ("/elsewhere", False), ("", False)],
)
def test_a_guide_resolves_with_its_heading(guide: str, is_there: bool, tmp_path: Path) -> None:
    """The guide of a deprecation is a page of the documentation and, where it names one, a heading on it."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "guide.md").write_text("# Guides\n\n## To v2\n")
    (tmp_path / "elsewhere.md").write_text("# Elsewhere\n")
    notice = {"deprecated_at": "2026-08-31", "sunset_at": "2027-03-01", "use": "a.new", "guide": f"https://docs{guide}"}
    operation = {"deprecated": True, "x-unpuzzle-deprecation": notice}
    paths = {"/a/": {"get": operation, "put": {"operationId": "a.new"}}}
    found = RULES["deprecations_give_notice"](Contract({"paths": paths, "externalDocs": {"url": "https://docs"}}, root=tmp_path))
    assert bool(found) != is_there
