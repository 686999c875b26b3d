"""What was seen of a capture at all, in words: what decides, before any table is made, which rules need to run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from analyzer.fields import of_fields
from analyzer.kinds import KINDS, NAMES
from analyzer.tables import CHECKSUM_VERDICTS, FACTS, FLOW_STATES, SOCKET_STATES, TIME_CAUSES

BETWEEN = "several_points"  # for rules about what happens between capture points
SIGNALS: dict[str, tuple[str, ...]] = {
    "events": (*NAMES, *(f"{kind.name}/{cause}" for kind in KINDS for cause in kind.causes)),
    "counters": (),  # any name: those that moved
    "states": tuple(filter(None, FLOW_STATES)),
    "sockets": (*filter(None, SOCKET_STATES), "accept_queue", "unread", "unacknowledged"),
    "facts": FACTS,
    "checksums": tuple(filter(None, CHECKSUM_VERDICTS)),
    "times": TIME_CAUSES,
    "seen": (
        "flows",
        "super_segments",
        "icmp_errors",
        "missing_data",
        "many_ports",
        "odd_counters",
        "differing_counters",
        "foreign_sockets",
        BETWEEN,
    ),
}
"""The kinds of signals that `when` of a rule may name, with the words of each.

`events` are verdicts, or verdicts of one cause (`retransmission/fast`); `sockets` are states that a list shows, `accept_queue` connections that wait to be accepted, `unread` and `unacknowledged` bytes in a
queue; `times` what connections lost 10 ms or more to, or thought or paused for 100 ms; `seen` anything of that sort, `many_ports` more connections than half of the
ports that a client may choose from, `odd_counters` that moved and healthy traffic does not move, `differing_counters` that
moved otherwise than the packets say, `foreign_sockets` three connections or more in the last list, and none of them in the capture, `several_points` the same
traffic captured at several places: what such a rule reads are `paths` and `passages`.
"""


@of_fields(frozen=True)
class Signals:
    """By kind, the words that hold."""

    words: Mapping[str, Collection[str]]

    def has(self, kind: str, words: Iterable[str]) -> bool:
        """Does one of these hold?"""
        there = self.words.get(kind, ())
        return any(word in there for word in words)
