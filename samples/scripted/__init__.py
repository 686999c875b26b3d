"""Captures that no kernel could be made to produce, each from a script in the notation of `tests/pkt.py`."""
