"""The catalogue, and the courses that instructors write."""
