"""Samples, each with its own name, host and time -> snapshots, one a time and host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from analyzer.counters.drafts import Draft, Drafts, SnapshotError
from analyzer.counters.samples import Sample
from analyzer.counters.stamps import Stamp

MAX_HOSTS = 256


class Where(Protocol):
    """Who reads them: of which file, at which line, into which drafts."""

    path: str
    number: int
    drafts: Drafts

    def under(self, form: str, name: str) -> Draft: ...
    def skip(self, what: str, example: str) -> None: ...


class Scrapes:
    """Sorts samples into snapshots, whatever their order; those of each host into snapshots of its own."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._open: dict[str, Draft] = {}  # by host, the one that takes samples without a time
        self._by_time: dict[tuple[str, int], Draft] = {}
        self._latest = 0

    def put(self, found: Iterable[Sample | None]) -> None:
        """Take samples; None stands for a damaged one."""
        where = self._where
        for sample in found:
            if sample is None or sample.value is None:
                where.skip("samples that are no whole numbers", f"line {where.number}")
                continue
            draft = self._timeless(sample) if sample.stamp is None else self._of(sample.labels, sample.stamp)
            if draft is not None:
                draft.put(sample.name, sample.value)

    def _timeless(self, sample: Sample) -> Draft:
        """The snapshot of a sample without a time: a name that comes again begins another."""
        where, known = self._where, self._open.get(sample.labels)
        if len(self._open) + (known is None) <= 1:
            draft = where.under("exporter", sample.name)
        elif known is not None and sample.name not in known.values:
            return known
        else:
            self._limit()
            draft = where.drafts.begin("exporter", where.number)
            draft.stamp = where.drafts.stamp
        draft.host = sample.labels
        self._open[sample.labels] = draft
        return draft

    def _limit(self) -> None:
        where = self._where
        if len(self._open) > MAX_HOSTS:
            found = f"counters of more than {MAX_HOSTS} hosts"
            raise SnapshotError(f"{where.path}:{where.number}", found, "keep those of the one that took the capture")

    def _of(self, host: str, stamp: Stamp) -> Draft | None:
        """The snapshot of a host and a time; None for one that is left out."""
        known = self._by_time.get((host, stamp.time_ns))
        if known is not None:
            return known
        drafts = self._where.drafts
        if drafts.left_out and stamp.time_ns < self._latest:
            return None
        left_out = drafts.left_out
        draft = self._by_time[host, stamp.time_ns] = drafts.begin("exporter", self._where.number, stamp)
        draft.host = host
        self._latest = max(self._latest, stamp.time_ns)
        if drafts.left_out != left_out:
            self._by_time = {(each.host, each.stamp.time_ns): each for each in drafts.all if each.stamp}
        return draft
