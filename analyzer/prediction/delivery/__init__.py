"""What acknowledgments deliver, and by which path they are taken."""
