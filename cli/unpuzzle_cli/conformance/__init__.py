"""Holds any server to the contract: `unpuzzle conformance`. Our own gate in contract-tests rests on the same laws."""
