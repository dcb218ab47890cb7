"""The laws that every answer obeys, derived from the contract alone: a law added to `LAWS` is in force."""

from unpuzzle_cli.conformance.laws.closed_world import closed_world
from unpuzzle_cli.conformance.laws.echo import echo
from unpuzzle_cli.conformance.laws.limits import limits
from unpuzzle_cli.conformance.laws.lists import lists
from unpuzzle_cli.conformance.laws.locations import locations
from unpuzzle_cli.conformance.laws.ownership import ownership
from unpuzzle_cli.conformance.laws.sums import sums

LAWS = [closed_world, echo, limits, lists, locations, ownership, sums]
