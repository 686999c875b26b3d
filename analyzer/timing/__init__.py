"""State -> where the time of each connection went, and how its ends talked: requests, answers and the rate of both."""

from analyzer.timing.account import TimeAccount

__all__ = ["TimeAccount"]
