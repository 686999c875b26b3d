"""A snapshot while it is read, and the error of files that hold none."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from analyzer.counters.stamps import Stamp
from analyzer.errors import TcpcapError


class SnapshotError(TcpcapError):
    """A file without counters, or with values that no counter can have."""


@dataclass(slots=True)
class Draft:
    """A snapshot while it is read. `form`: nstat, json, raw, prose, exporter or series."""

    form: str
    line: int
    stamp: Stamp | None
    values: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    fell: dict[str, None] = field(default_factory=dict)
    """Names that nstat marks with (overflow): their increments are not known."""
    daemon: bool = False
    first: str = ""
    """The name or heading that begins another snapshot when it comes again; empty where a line of its own does."""
    twice: int = 0
    first_twice: str = ""

    def put(self, name: str, value: int) -> None:
        """Add a counter; one that comes again wins."""
        name = sys.intern(name)
        if name in self.values:
            self.twice += 1
            self.first_twice = self.first_twice or name
        self.values[name] = value
