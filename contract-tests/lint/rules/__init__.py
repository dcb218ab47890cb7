"""The rules of the contract, by name: those that no tool off the shelf has."""

from . import answers, document, operations, parameters, schemas, streams
from .registry import rules_of

RULES = rules_of(document, operations, answers, parameters, schemas, streams)
