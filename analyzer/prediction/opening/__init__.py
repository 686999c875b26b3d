"""How connections are opened: listeners, requests, cookies, fast open."""
