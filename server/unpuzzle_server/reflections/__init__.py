"""A learner's own notes on the moments where they got stuck."""
