"""Health, version and the contract itself."""
