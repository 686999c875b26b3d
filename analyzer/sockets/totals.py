"""What `ss -s` prints: how many sockets there are of each kind."""

from __future__ import annotations

import re
from typing import Any

from analyzer.patterns import regex

_TOTAL = regex(r"Total:\s+(\d{1,18})(?:\s+\(kernel\s+(\d{1,18})\))?$")
_TCP = regex(r"TCP:\s+(\d{1,18})\s+\(([^)]*)\)(?:,\s+ports\s+(\d{1,18}))?$")
_HEADER = regex(r"Transport\s+Total\s+IP\s+IPv6$")
_ROW = regex(r"(\*|[A-Z]+\d?)\s+(\d{1,18}|-)\s+(\d{1,18}|-)\s+(\d{1,18}|-)$")
_STATE = regex(r"(\w+)\s+(\d{1,18})(?:/(\d{1,18}))?$")
MOST = 10_000

Summary = dict[str, Any]


class Totals:
    """Lines of `ss -s` in, `summaries` out: `total`, `kernel`, `tcp` (states and ports) and `transports` (total, IPv4, IPv6)."""

    def __init__(self) -> None:
        self.summaries: list[Summary] = []
        self.left_out = 0
        self._open: Summary | None = None

    def take(self, text: str, time_ns: int) -> bool:
        """Is it a line of a summary?"""
        if found := _TOTAL.match(text):
            self._open = {"time_ns": time_ns} if time_ns else {}
            self._open["total"] = int(found[1])
            if found[2]:
                self._open["kernel"] = int(found[2])
            if len(self.summaries) < MOST:
                self.summaries.append(self._open)
            else:
                self.left_out += 1
            return True
        if self._open is None:
            return False
        if found := _TCP.match(text):
            self._open["tcp"] = _tcp(found)
        elif _HEADER.match(text):
            self._open["transports"] = {}
        elif "transports" in self._open and (found := _ROW.match(text)):
            numbers = [None if number == "-" else int(number) for number in found.groups()[1:]]
            self._open["transports"][found[1]] = numbers
        else:
            return False
        return True


def _tcp(found: re.Match[str]) -> dict[str, int]:
    counts = {"total": int(found[1])}
    for each in found[2].split(","):
        if state := _STATE.match(each.strip()):
            counts[state[1]] = int(state[2])
            if state[3]:
                counts[f"{state[1]}_kernel"] = int(state[3])
    if found[3]:
        counts["ports"] = int(found[3])
    return counts
