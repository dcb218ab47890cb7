"""Whether what was released still works with what would be released now."""
