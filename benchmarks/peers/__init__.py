"""What ours is held against: the same contract in FastAPI and in stock Connexion, with the same ORM underneath."""
