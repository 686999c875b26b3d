"""Samples, each with its own name, host and time -> snapshots, one a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from analyzer.counters.drafts import Draft, Drafts, SnapshotError
from analyzer.counters.pieces import shown
from analyzer.counters.samples import Sample
from analyzer.counters.stamps import Stamp


class Where(Protocol):
    """Who reads them: of which file, at which line, into which drafts."""

    path: str
    number: int
    drafts: Drafts

    def under(self, form: str, name: str) -> Draft: ...
    def skip(self, what: str, example: str) -> None: ...


class Scrapes:
    """Sorts samples into snapshots, whatever their order; those of another host are refused."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._labels: str | None = None
        self._by_time: dict[int, Draft] = {}
        self._latest = 0

    def put(self, found: Iterable[Sample | None]) -> None:
        """Take samples; None stands for a damaged one."""
        where = self._where
        for sample in found:
            if sample is None or sample.value is None:
                where.skip("samples that are no whole numbers", f"line {where.number}")
                continue
            if self._labels not in (None, sample.labels):
                raise SnapshotError(
                    f"{where.path}:{where.number}",
                    f"counters of several hosts, {{{shown(self._labels or '')}}} and {{{shown(sample.labels)}}}",
                    "keep those of one",
                )
            self._labels = sample.labels
            if sample.stamp is None:
                where.under("exporter", sample.name).put(sample.name, sample.value)
            elif draft := self._of(sample.stamp):
                draft.put(sample.name, sample.value)

    def _of(self, stamp: Stamp) -> Draft | None:
        """The snapshot of a time; None for one that is left out."""
        known = self._by_time.get(stamp.time_ns)
        if known is not None:
            return known
        drafts = self._where.drafts
        if drafts.left_out and stamp.time_ns < self._latest:
            return None
        left_out = drafts.left_out
        draft = self._by_time[stamp.time_ns] = drafts.begin("exporter", self._where.number, stamp)
        self._latest = max(self._latest, stamp.time_ns)
        if drafts.left_out != left_out:
            self._by_time = {each.stamp.time_ns: each for each in drafts.all if each.stamp}
        return draft
