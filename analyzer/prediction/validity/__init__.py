"""What a socket refuses, and its limited answers."""
