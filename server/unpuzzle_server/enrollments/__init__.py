"""Taking a course."""
