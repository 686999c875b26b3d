"""Looks whether the addresses that were named as those of the capturing host stand in the capture at all."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from analyzer.errors import UsageError
from analyzer.flows.addresses import halves
from analyzer.schema import Rows, address_text
from analyzer.text import printable

MOST_NAMED = 3
ENDS = ("src", "dst", "outer_src", "outer_dst")


class Presence:
    """Looks for addresses in packet rows until each was seen."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._missing = {address: halves(address) for address in addresses}
        self._looked = 0

    def add(self, rows: Rows) -> None:
        """Look into rows of `packets`."""
        self._looked += len(rows)
        for address, (high, low) in [*self._missing.items()]:
            if any(((rows[f"{end}_lo"] == low) & (rows[f"{end}_hi"] == high)).any() for end in ENDS):
                del self._missing[address]

    def know(self, missing: Sequence[Sequence[str]], frames: int) -> None:
        """That others have looked into all frames, each into some, and what each has missed."""
        self._looked += frames
        for address in [*self._missing]:
            if not all(address in each for each in missing):
                del self._missing[address]

    def missing(self) -> list[str]:
        """Those that were in no frame; none where there was no frame."""
        return [*self._missing] if self._looked else []


def refuse_missing(presence: Presence, named: Sequence[str], directions: Rows, flows: Rows) -> list[str]:
    """What to say of addresses that are in no frame. Raises UsageError where none of those that were named is in one.

    `directions` (checksums.state.DIRECTION) and `flows` have the addresses that are there.
    """
    missing = presence.missing()
    if not missing:
        return []
    known = {address_text(int(row[f"{end}_hi"]), int(row[f"{end}_lo"]), int(row["version"])) for row in directions for end in ("src", "dst")}  # fmt: skip
    known |= {address_text(int(row[f"{end}_hi"]), int(row[f"{end}_lo"]), int(row["ip_version"])) for row in flows for end in ("client", "server")}  # fmt: skip
    told = []
    for address in missing:
        near = nearest(address, known)
        told.append((address, f"the nearest are {' and '.join(near)}" if near else "the capture has no addresses"))
    if len(missing) == len(named):
        address, near_text = told[0]
        raise UsageError("--host", f"{printable(address)} is in no frame", near_text)
    return [f"--host {address} is in no frame; {near_text}" for address, near_text in told]


def nearest(address: str, known: Iterable[str]) -> list[str]:
    """The known addresses that share most bits with an address from the left, or most digits; nearest first."""
    import difflib

    own = ipaddress.ip_address(address)

    def distance(other: str) -> tuple[bool, float, int]:
        theirs = ipaddress.ip_address(other)
        alike = difflib.SequenceMatcher(None, address, other).ratio()
        return theirs.version != own.version, -alike, (int(own) ^ int(theirs)).bit_length()

    return sorted(known, key=lambda other: (*distance(other), other))[:MOST_NAMED]
