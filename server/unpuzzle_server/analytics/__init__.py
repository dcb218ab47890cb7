"""What was learnt, what a course comes to, and achievements: read from what triggers have counted."""
