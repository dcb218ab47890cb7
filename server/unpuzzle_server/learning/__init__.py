"""What a learner does in a course, and how far they are."""
