"""The files of a bundle: what each is called. A bundle is a folder with a capture and what was recorded beside it."""

from __future__ import annotations

CAPTURE_PATTERNS = (
    "capture*.pcap", "capture*.pcapng", "capture*.pcap.*", "capture*.pcapng.*",
    "capture*.pcap[0-9]*",  # of a set that tcpdump made with -C
)  # fmt: skip
HOST_FILE, COUNTERS_FILE, SOCKETS_FILE = "host.json", "counters.jsonl", "sockets.jsonl"
COUNTERS_TEXT, SOCKETS_TEXT = "counters.txt", "sockets.txt"
"""What a script without JSON writes: lines with a time, each before what /proc/net or ss said then."""
BESIDE = (HOST_FILE, COUNTERS_FILE, SOCKETS_FILE, COUNTERS_TEXT, SOCKETS_TEXT)
