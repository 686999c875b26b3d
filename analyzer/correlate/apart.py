"""Counters of hosts that did not take the capture: what the kernel counted, which nothing is compared with."""

from __future__ import annotations

from analyzer.correlate.compared import AGREE, BOUNDED, EXACT, NOT_COMPARABLE, OVER, UNDER, UNOBSERVABLE, Compared
from analyzer.correlate.comparison import Comparison
from analyzer.counters import Series, deltas

OTHER_HOST = "of another host than the one that took the capture"
ANY_HOST = "of one of several hosts, and nothing tells which of them took the capture"
CONTRADICTION = 3  # agreements that one counter against the packets outweighs


def apart(series: Series, reason: str, *, whole: bool) -> list[Compared]:
    """The counters that moved, by interval in order of time, or over the whole time."""
    found: dict[tuple[str, int], Compared] = {}
    for interval in deltas(series):
        if interval.start_ns is None:
            continue
        for name, amount in interval.values.items():
            if amount:
                key = (name, -1 if whole else interval.end_ns)
                before = found.get(key)
                start, sum_ = (before.start_ns, before.observed) if before else (interval.start_ns, 0)
                found[key] = Compared(
                    name, start, interval.end_ns, sum_ + amount, 0, 0, 0, UNOBSERVABLE, NOT_COMPARABLE, reason
                )
    return list(found.values())


def fitting(comparison: Comparison) -> int:
    """How well counters and packets go together: those that agree, less those that contradict each other."""
    rows = [each for each in comparison.whole() if each.relation in (EXACT, BOUNDED) and (each.observed or each.low)]
    agreeing = sum(each.verdict == AGREE for each in rows)
    return agreeing - CONTRADICTION * sum(each.verdict in (UNDER, OVER) for each in rows)
