"""Plans, and subscribing to them."""
