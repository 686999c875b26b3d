"""Comparison: packets and events stream in, then counters are judged, over the whole time and by interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analyzer.correlate.clock import VOTERS, Fit, Offset, fitted
from analyzer.correlate.coincidence import Activity, Coincidence, coincidences
from analyzer.correlate.compared import (
    AGREE,
    BOUNDED,
    EXACT,
    INFERRED_RELATION,
    NOT_COMPARABLE,
    OVER,
    UNDER,
    UNLIMITED,
    UNOBSERVABLE,
    Compared,
)
from analyzer.correlate.coverage import (
    BEGUN_BEFORE,
    COVERING,
    CUT_HEADERS,
    FILTERED,
    OUTSIDE,
    Coverage,
    assess,
    doubt,
    inside,
    more_than_captured,
    needs_beginning,
)
from analyzer.correlate.facts import Facts
from analyzer.correlate.ledger import EDGE_NS, LONGEST_EDGE_NS, Ledger, Sums
from analyzer.correlate.observed import UNKNOWN, Observed
from analyzer.correlate.slow_start import SLOW_START, SlowStarts
from analyzer.correlate.sums import OTHERS, SHOWN_BY, UNDECIDED, by_sum, said_of, worth_saying
from analyzer.counters import Series
from analyzer.prediction import INFERRED, NUMBER, Predictor, Tally
from analyzer.schema import Rows

REASONS = {
    AGREE: "",
    UNDER: "the packets show more than the kernel counted",
    OVER: "the kernel counted more than the packets show",
}
NOT_PREDICTED = "not predicted from packets"
REPEATS = "TcpRetransSegs"

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Comparison:
    """Sums increments per interval of a series of snapshots; then compares.

    Parameters
    ----------
    facts : what is known of the capture beside its packets
    fit : how the clocks of snapshots and capture hang together, where that is known already

    `add` the whole capture and `close`, then see `realigned`: only where the clocks differ it is to be added once more, to another.
    """

    def __init__(self, series: Series, facts: Facts | None = None, fit: Fit | None = None) -> None:
        self.series = series
        self._known_fit = fit
        self._observed = Observed(series, fit.shift_ns if fit else 0, EDGE_NS, LONGEST_EDGE_NS)
        self._ledger = Ledger(self._observed, VOTERS if fit is None else ())
        self._activity = Activity(self._observed)
        self._given_facts = facts
        self._tell_slow_starts: Callable[[], SlowStarts] | None = None

    @property
    def intervals(self) -> list[tuple[int, int]]:
        """From which time to which time, on the capture's clock."""
        return list(zip(self._observed.starts.tolist(), self._observed.ends.tolist(), strict=True))

    def add(self, rows: Rows, events: Rows, predictor: Predictor) -> None:
        """A part of the capture, and its events: what they add to the counters by that predictor."""
        self.add_events(events)
        predictor.count(rows, events, self.tally)

    def add_events(self, events: Rows) -> None:
        """Take note of the events of a part of the capture."""
        self._activity.add(events)

    def close(self, predictor: Predictor) -> None:
        """The capture is over: what that adds, and what may have happened after the last frames."""
        predictor.count_settled(self.tally)
        self._ledger.add_late(predictor.finish())

    def add_later(self, increments: Rows) -> None:
        """What may have happened after the last frames (INCREMENT), where others have counted the rest into `tally`."""
        self._ledger.add_late(increments)

    def know(self, facts: Facts, slow_starts: Callable[[], SlowStarts] | None = None) -> None:
        """Be told of the capture what is known only at its end, before anything is judged; `slow_starts` is asked where counters of these moved."""
        self._given_facts = facts
        self._tell_slow_starts = slow_starts

    def realigned(self) -> Comparison | None:
        """A comparison with the times of the snapshots corrected, to be filled anew; None where they need not be."""
        return self.anew() if self.fit.shift_ns and not self._known_fit else None

    def anew(self) -> Comparison:
        """One of the same snapshots, with what is known of the clocks, to be filled by another predictor."""
        other = Comparison(self.series, self._given_facts, self.fit)
        other._tell_slow_starts = self._tell_slow_starts
        return other

    @property
    def tally(self) -> Tally:
        """Where all increments are added."""
        return self._ledger.tally

    @cached_property
    def fit(self) -> Fit:
        """What the counters say of the clocks."""
        if self._known_fit is not None:
            return self._known_fit
        return Fit() if self._observed.loose else fitted(self.tally.steps, self._observed)

    @property
    def offset(self) -> Offset | None:
        """What must be added to the times of the snapshots; None where the traffic does not say it within 50 ms."""
        return self.fit.offset

    def coverage(self) -> Coverage:
        """How much of the host's traffic between the snapshots was captured."""
        return self._coverage

    def whole(self) -> list[Compared]:
        """Every counter that moved or should have, over the intervals that the capture covers."""
        return list(self._compared)

    def rows(self) -> list[Compared]:
        """The same for every interval, in order of time."""
        found = [row for name in self._names for row in self._each(name)]
        return [row for _, row in sorted(found, key=lambda each: each[0])]

    def coincidences(self) -> list[Coincidence]:
        """Events that happened when counters moved that packets do not decide, as far as that is no chance."""
        names = [name for name in self._names if name not in NUMBER or name in UNDECIDED]
        increments = {name: np.maximum(self._observed.of(name), 0) for name in names}
        busy = self._covered & self._ledger.busy()
        return coincidences(increments, self._activity, busy) if busy.sum() > 1 else []

    @cached_property
    def _compared(self) -> list[Compared]:
        """What whole() gives, to rules, to the text and to whoever asks next."""
        found = (self._whole(name) for name in self._names)
        return [self._judged(each) for each in found if each is not None]

    @cached_property
    def _names(self) -> list[str]:
        """Counters that moved, or that packets move: first those that are predicted."""
        occurring, moved = self._ledger.names(), self._observed.moved()
        occurring = [*occurring, *(self._slow_starts.names() if self._slow_starts else ())]
        predicted = [name for name in NUMBER if name in moved or ("+" in name and self._is_predicted(name))]
        return [*dict.fromkeys([*sorted({*occurring, *predicted}, key=NUMBER.__getitem__), *sorted(moved)])]

    @cached_property
    def _facts(self) -> Facts:
        """What was told, or else what the increments tell."""
        return self._given_facts or Facts(*self.tally.span())

    @cached_property
    def _covered(self) -> Mask:
        """The intervals that lie within the capture."""
        return inside(self._observed, self._facts, more_than_captured(self._observed, self._ranges))

    @cached_property
    def _coverage(self) -> Coverage:
        observed, covered = self._observed, self._covered
        if observed.loose:
            return Coverage(causes=(observed.loose, *self._facts.causes()), losing=True)
        lengths = observed.ends - observed.starts
        share = float(lengths[covered].sum() / lengths.sum()) if lengths.sum() else float(covered.all())
        compared = [self._unsettled(found) for name in COVERING if (found := self._whole(name)) is not None]
        return assess(compared, self._facts, share, self._whole(REPEATS), self._filtered)

    @cached_property
    def _filtered(self) -> bool:
        """Do packets correct what others should have counted, and these others are not there?"""
        return any(
            (sums := self._ledger.over(name)) is not None and int(sums.most[self._covered].sum()) < 0
            for name in self._ledger.names()
        )

    def _unsettled(self, found: Compared) -> Compared:
        """What is missing in an interval is missing, also where something near the ends of all of them may make up for it."""
        moved, low, high = (each[self._covered] for each in self._ranges(found.counter))
        missing, foreign = int(np.maximum(moved - high, 0).sum()), int(np.maximum(low - moved, 0).sum())
        most = min(found.high, found.observed - missing) if missing else found.high
        least = max(found.low, found.observed + foreign) if foreign else found.low
        return found._replace(low=least, high=most)

    @cached_property
    def _slow_starts(self) -> Ledger | None:
        """What sockets and flows tell of counters of slow start, where any of these moved."""
        if self._tell_slow_starts is None or SLOW_START.isdisjoint(self._observed.moved()):
            return None
        told = self._tell_slow_starts()
        found = Ledger(self._observed)
        shown, possible = told.shown.copy(), told.possible
        shown["time_ns"] += self._known_fit.shift_ns if self._known_fit else 0
        found.tally.add(shown)
        found.add_late(possible)
        return found

    def _over(self, name: str, first: Numbers | None = None, last: Numbers | None = None) -> Sums | None:
        """What packets, or sockets, add to a counter over the intervals; see Ledger.over()."""
        ledger = self._slow_starts if name in SLOW_START else self._ledger
        return ledger.over(name, first, last) if ledger else None

    def _sums(self, name: str, but: str = "") -> Sums | None:
        """What the packets say by interval, with what only other counters tell, one excepted (`but`); None where neither says anything."""
        if name in SHOWN_BY:
            shown = SHOWN_BY[name].counter
            sums = self._sums(shown, but=name)
            moved, low, high = self._ranges(shown, but=name)
            return by_sum(name, moved, low, high, moved if sums is None else sums.amount)
        sums = self._over(name)
        for other, fewer, more in OTHERS.get(name, ()):
            told = np.maximum(self._observed.of(other), 0)
            if told.any() and other != but:
                sums = sums or Sums(*[np.zeros(len(told), np.int64)] * len(fields(Sums)))
                sums = replace(sums, least=sums.least - fewer * told, most=sums.most + more * told)
        return sums

    def _ranges(self, name: str, but: str = "") -> tuple[Numbers, ...]:
        """By interval: observed, the least and the most by the packets; zeros where a counter is not listed."""
        moved = self._observed.of(name)
        known = moved != UNKNOWN
        sums = self._sums(name, but)
        if sums is None:
            zeros = np.zeros(len(moved), np.int64)
            return np.where(known, moved, 0), zeros, zeros
        # What corrects others that were not captured takes away from nothing: a counter never falls.
        low = np.maximum(sums.least - sums.after_start - sums.before_end, 0)
        high = np.maximum(sums.most + sums.late + sums.before_start + sums.after_end, 0)
        return np.where(known, moved, 0), np.where(known, low, 0), np.where(known, high, 0)

    def _whole(self, name: str, but: str = "") -> Compared | None:
        """Observed and predicted over the intervals that are covered; None where nothing moved, or nobody counted. `but` as in _sums()."""
        moved = self._observed.of(name)
        known = np.flatnonzero((moved != UNKNOWN) & self._covered)
        if not len(known):
            return None
        total = int(moved[known].sum())
        start, end = self._span(int(self._observed.starts[known[0]]), int(self._observed.ends[known[-1]]))
        if not self._is_predicted(name):
            return Compared(name, start, end, total, 0, 0, 0, UNOBSERVABLE, AGREE, "") if total else None
        if name in SHOWN_BY:
            return self._whole_by_sum(name, start, end, total)
        sums = self._sums(name, but)
        if sums is None:
            return Compared(name, start, end, total, 0, 0, 0, _relation(name, True), AGREE, "") if total else None
        amount, least, most = (int(each[known].sum()) for each in (sums.amount, sums.least, sums.most))
        if not (total or amount or most) or not worth_saying(name, np.array([total]), np.array([amount])):
            return None
        # Only where a run of intervals begins or ends it matters on which side of the edge something was counted.
        begins = self._observed.starts[known[1:]] != self._observed.ends[known[:-1]]
        firsts, lasts = known[np.append(True, begins)], known[np.append(begins, True)]
        most += int(sums.late[known[-1]])
        relation = _relation(name, least == most and amount >= 0)
        edges = self._over(name, self._observed.first[firsts], self._observed.last[lasts]) or sums
        low = max(0, least - int(edges.after_start.sum() + edges.before_end.sum()))
        high = max(0, most + int(edges.before_start.sum() + edges.after_end.sum()))
        return Compared(name, start, end, total, min(max(amount, low), high), low, high, relation, AGREE, "")

    def _whole_by_sum(self, name: str, start: int, end: int, total: int) -> Compared | None:
        """The same of a counter that only a sum shows."""
        shown = self._whole(SHOWN_BY[name].counter, but=name)
        if shown is None or not total:
            return None if not total else Compared(name, start, end, total, 0, 0, 0, BOUNDED, AGREE, "")
        values = (np.array([value], np.int64) for value in (shown.observed, shown.low, shown.high, shown.predicted))
        found = by_sum(name, *values)
        return Compared(name, start, end, total, int(found.amount[0]), 0, int(found.most[0]), BOUNDED, AGREE, "")

    def _span(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """From when to when, in so far as that is known at all: else over the capture."""
        return (self._facts.first_ns, self._facts.last_ns) if self._observed.loose else (start_ns, end_ns)

    def _judged(self, found: Compared) -> Compared:
        """With its verdict, and with no more of a claim than the coverage allows."""
        moved, amount, low, high = (np.array([value], np.int64) for value in found[3:7])
        exact = bool(self._observed.exact[self._covered].all())
        certain, covered = np.array([found.relation != BOUNDED and exact]), np.ones(1, np.bool_)
        claims = self._claims(found.counter, moved, amount, low, high, certain, covered)
        least, most, relation, verdict = (int(each[0]) for each in claims)
        reason = self._reason(found.counter, verdict, True, found.low > found.high)
        return found._replace(low=least, high=most, relation=relation, verdict=verdict, reason=reason)

    def _each(self, name: str) -> Iterator[tuple[int, Compared]]:
        """A counter in each interval in which it moved or should have, with the interval's number."""
        observed, covered = self._observed, self._covered
        moved, low, high = self._ranges(name)
        known = observed.of(name) != UNKNOWN
        sums = self._sums(name)
        amount = most = np.zeros(len(moved), np.int64)
        certain = np.ones(len(moved), np.bool_)
        if sums is not None:
            certain = (sums.least == sums.most + sums.late) & (sums.amount >= 0)
            amount, most = np.maximum(sums.amount, 0), np.maximum(sums.most, 0)
        told = ((moved != 0) | (amount != 0) | (most != 0)) & worth_saying(name, moved, amount)
        shown = np.flatnonzero(known & told)
        claims = self._claims(name, moved, amount, low, high, certain & observed.exact, covered)
        starts, ends = observed.starts, observed.ends
        if observed.loose:
            starts, ends = (np.full(len(moved), time, np.int64) for time in self._span(0, 0))
        columns = (starts, ends, moved, np.clip(amount, claims[0], claims[1]), *claims, covered, low > high)
        for at, *values, within, crossed in zip(
            shown.tolist(), *(each[shown].tolist() for each in columns), strict=True
        ):
            yield at, Compared._make((name, *values, self._reason(name, values[-1], within, crossed)))

    def _claims(
        self, name: str, moved: Numbers, amount: Numbers, low: Numbers, high: Numbers, certain: Mask, covered: Mask
    ) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Low, high, relation and verdict of a counter in intervals, of which only some may be `covered`."""
        size = len(moved)
        if not self._is_predicted(name):
            return amount, amount, np.full(size, UNOBSERVABLE), np.full(size, NOT_COMPARABLE)
        # What an ICMP error of the host corrects was to be captured before: else more is certain than is possible.
        crossed, low, high = low > high, np.minimum(low, high), np.maximum(low, high)
        relations = np.where(certain & ~crossed, _relation(name, True), _relation(name, False))
        verdicts = np.where(moved < low, UNDER, np.where(moved > high, OVER, AGREE))
        coverage, partly = self._coverage, self._is_known_in_part(name)
        weak = np.full(size, True) if not coverage.complete else ~covered
        if weak.any():
            # What is missing may come on top, what the host did not count may go off.
            less, more = partly or coverage.surplus > 0, partly or coverage.surplus == 0 or coverage.share < 1
            low = np.where(weak & less, np.minimum(low, 0), low)
            high = np.where(weak & more, UNLIMITED, high)
            verdicts = np.where(weak, np.where(moved == np.clip(amount, low, high), AGREE, NOT_COMPARABLE), verdicts)
        if partly:
            # Every segment of a connection that was there before may have moved it, or not.
            unsure = doubt(name, self._facts, self._is_late)
            low = np.where(weak, low, np.maximum(low - unsure, 0))
            high = np.where(weak, high, high + unsure)
            within = np.where((low <= moved) & (moved <= high), AGREE, NOT_COMPARABLE)
            verdicts = np.where(weak, verdicts, within)
        verdicts = np.where(crossed & (verdicts != AGREE), NOT_COMPARABLE, verdicts)
        relations = np.where((weak | partly) & (relations == EXACT), BOUNDED, relations)
        return low, high, relations, verdicts

    def _is_predicted(self, name: str) -> bool:
        """Do packets, or packets and another counter, say anything of it?"""
        if name in SLOW_START:
            return self._tell_slow_starts is not None
        return name in NUMBER or name in SHOWN_BY

    def _is_known_in_part(self, name: str) -> bool:
        """Does it depend on what connections did before a capture that holds some from their middle, or began after the snapshots, or on headers that it cut?"""
        unknown = self._facts.begun_before + self._facts.cut_headers
        return needs_beginning(name) and (self._is_late or unknown > 0)

    @property
    def _is_late(self) -> bool:
        """Did the capture begin after the snapshots?"""
        return len(self._covered) > 0 and not self._covered[0]

    def _reason(self, name: str, verdict: int, covered: bool, crossed: bool) -> str:
        """Why it cannot be compared, or what a disagreement may mean."""
        if verdict != NOT_COMPARABLE:
            return said_of(name) if name in SHOWN_BY and verdict == AGREE else REASONS[verdict]
        if not self._is_predicted(name):
            return NOT_PREDICTED
        if not covered:
            return OUTSIDE
        if crossed and not self._coverage.reason:
            return FILTERED
        cut_only = self._facts.cut_headers and not self._facts.begun_before and not self._is_late
        return self._coverage.reason or (CUT_HEADERS if cut_only else BEGUN_BEFORE)


def _relation(name: str, certain: bool) -> int:
    """How packets and counter hang together."""
    if name in SHOWN_BY:
        return BOUNDED
    return INFERRED_RELATION if name in INFERRED else EXACT if certain else BOUNDED
