"""The laws that every answer obeys, derived from the contract alone: a law added to `LAWS` is in force."""

from unpuzzle_cli.conformance.laws.caching import caching
from unpuzzle_cli.conformance.laws.closed_world import closed_world
from unpuzzle_cli.conformance.laws.codes import codes
from unpuzzle_cli.conformance.laws.conditions import conditions
from unpuzzle_cli.conformance.laws.deletion import deletion
from unpuzzle_cli.conformance.laws.echo import echo
from unpuzzle_cli.conformance.laws.limits import limits
from unpuzzle_cli.conformance.laws.lists import lists
from unpuzzle_cli.conformance.laws.locations import locations
from unpuzzle_cli.conformance.laws.ownership import ownership
from unpuzzle_cli.conformance.laws.repetition import repetition
from unpuzzle_cli.conformance.laws.roles import roles
from unpuzzle_cli.conformance.laws.services import services
from unpuzzle_cli.conformance.laws.sums import sums

LAWS = [
    caching, closed_world, codes, conditions, deletion, echo, limits, lists, locations,
    ownership, repetition, roles, services, sums,
]  # fmt: skip
