"""How connections end: TIME_WAIT and aborts."""
