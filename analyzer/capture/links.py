"""The interfaces of a host in text of `ip addr` or ifconfig, as support tools keep it."""

from __future__ import annotations

import re
from dataclasses import field

from analyzer.fields import of_fields
from analyzer.patterns import regex

_BEGIN = regex(r"\d+:\s+([^\s:@]+)(?:@\S+)?:?\s|([A-Za-z][^\s:]*(?::\d+)?):?\s+(?:flags=|Link encap:)")
_MTU = regex(r"\bmtu[ :](\d{1,10})\b", re.IGNORECASE)
_ADDRESS = regex(r"\binet6? (?:addr: ?)?([0-9a-fA-F:.]+)")


@of_fields(slots=True)
class Link:
    """One interface: its MTU, 0 where it is not said, and what stands as addresses of it."""

    mtu: int = 0
    addresses: list[str] = field(default_factory=list)


def interfaces_in(text: str) -> dict[str, Link]:
    """By name, each address once."""
    found: dict[str, Link] = {}
    link = None
    for line in text.splitlines():
        if begin := _BEGIN.match(line):
            link = found.setdefault(begin[1] or begin[2].partition(":")[0], Link())
        if link is None:
            continue
        if mtu := _MTU.search(line):
            link.mtu = int(mtu[1])
        if (address := _ADDRESS.search(line)) and address[1] not in link.addresses:
            link.addresses.append(address[1])
    return found
