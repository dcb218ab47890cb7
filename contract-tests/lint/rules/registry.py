"""A rule looks at one thing of the contract after the other and yields what is wrong with each."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

from unpuzzle_cli.conformance.contract import Contract

Places = Callable[[Contract], Iterable[tuple[str, Any]]]
Check = Callable[[Any], Iterable[str]]


class Finding(NamedTuple):
    where: str
    what: str


@dataclass(frozen=True)
class Rule:
    places: Places
    check: Check

    def __call__(self, contract: Contract) -> list[Finding]:
        return [Finding(where, what) for where, thing in self.places(contract) for what in self.check(thing)]


def rule(places: Places) -> Callable[[Check], Rule]:
    """Makes a check a rule, to be held against each of the `places` of a contract."""
    return lambda check: Rule(places, check)


def rules_of(*modules: ModuleType) -> dict[str, Rule]:
    """The rules of some modules, by name."""
    return {name: found for module in modules for name, found in vars(module).items() if isinstance(found, Rule)}


def contracts(contract: Contract) -> Iterator[tuple[str, Any]]:
    yield "the contract", contract


def operations(contract: Contract) -> Iterator[tuple[str, Any]]:
    yield from ((operation.id, operation) for operation in contract.operations)


def answers(contract: Contract) -> Iterator[tuple[str, Any]]:
    yield from ((f"{answer.operation.id} {answer.status}", answer) for answer in contract.answers)


def successes(contract: Contract) -> Iterator[tuple[str, Any]]:
    yield from ((where, answer) for where, answer in answers(contract) if answer.is_success)


def parameters(contract: Contract) -> Iterator[tuple[str, Any]]:
    yield from contract.parameters


def schemas(contract: Contract) -> Iterator[tuple[str, Any]]:
    yield from contract.schemas


def asked(contract: Contract) -> Iterator[tuple[str, Any]]:
    """Schemas that requests are held against."""
    yield from contract.asked


def components(contract: Contract) -> Iterator[tuple[str, Any]]:
    """Schemas with a name."""
    yield from contract.components("schemas").items()
