"""The laws that every answer obeys, derived from the contract alone: a law added to `LAWS` is in force."""

from gate.laws.closed_world import closed_world
from gate.laws.echo import echo
from gate.laws.limits import limits
from gate.laws.lists import lists
from gate.laws.locations import locations
from gate.laws.ownership import ownership
from gate.laws.sums import sums

LAWS = [closed_world, echo, limits, lists, locations, ownership, sums]
