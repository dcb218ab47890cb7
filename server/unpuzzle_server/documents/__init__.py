"""Documents that people print and keep: one renderer for receipts and certificates."""
