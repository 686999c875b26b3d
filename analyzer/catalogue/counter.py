"""What the catalogue says of one counter: the fields, and the words that some of them are restricted to."""

from __future__ import annotations

from dataclasses import KW_ONLY

from analyzer.counters.names import group_of
from analyzer.fields import of_fields

UNITS = {
    "wire_segments": "segments or packets as they are on the wire",
    "merged_segments": "packets as GRO hands them up: one may be dozens of frames on the wire",
    "super_segments": "packets as the stack sends them, before segmentation offload cuts them",
    "packets": "packets",
    "datagrams": "datagrams",
    "messages": "messages or options",
    "episodes": "times that something happened, however many packets it took",
    "transitions": "changes from one state to another",
    "bytes": "bytes",
    "connections": "connections",
    "sockets": "sockets",
    "gauge": "a value or setting: it does not only grow, and nothing is gained by its difference",
    "milliseconds": "milliseconds",
    "other": "work within the kernel",
}
"""What one step of a counter is."""

OBSERVABILITY = {
    "exact": "the packets of a complete capture at this host decide it",
    "bounded": "packets give a range",
    "inferred": "a model of the sender or receiver decides",
    "unobservable": "packets say nothing",
}
"""How well packets determine a counter."""

CONFIDENCE = {
    "high": "read in the kernel's source, and simple or measured",
    "medium": "read in the kernel's source; not every path that leads there was followed",
    "low": "the code is gone from today's kernels: from older sources and commit messages",
}
"""How sure the entry is."""


@of_fields(frozen=True, slots=True)
class Counter:
    """One counter of the kernel.

    Parameters
    ----------
    name : as nstat prints it
    meaning : what it counts, and the trap if there is one
    unit : one of UNITS
    moves : at which side, and in which state or at what moment
    points_at : what a rise usually means, and what to look at next
    since, until : the kernel version that brought it, the last one that had it; empty if not known, or always
    renamed_to : the counter that counts the same today
    reference : kernel functions and file; the RFC section where one rules it
    observability : one of OBSERVABILITY
    why : which frames decide it; or why they do not, and what bounds it or which model does
    confidence : one of CONFIDENCE
    """

    name: str
    _: KW_ONLY
    meaning: str
    unit: str
    moves: str
    points_at: str
    since: str = ""
    until: str = ""
    renamed_to: str = ""
    reference: str
    observability: str
    why: str
    confidence: str = "high"

    @property
    def group(self) -> str:
        """The line of /proc/net that it stands in."""
        return group_of(self.name)

    @property
    def short(self) -> str:
        """Its name without the group."""
        return self.name.removeprefix(self.group)
