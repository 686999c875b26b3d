"""What data that arrives moves, and how it is answered."""
