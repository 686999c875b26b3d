"""What was found -> terminal text, JSON and files."""
