"""The kernel's counters of a capture: whose they are, what the packets say they must be, and how the two compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.account import Account
from analyzer.capture.bundle import host_of
from analyzer.capture.pipes import is_pipe, refuse_pipe
from analyzer.capture.sysctls import sysctls_of
from analyzer.checksums import Checksums
from analyzer.checksums.counted import Fit, fits
from analyzer.choose import EVERYTHING, Choice
from analyzer.correlate import ANY_HOST, OTHER_HOST, Compared, Comparison, apart, facts_of, fitting
from analyzer.correlate import table as counter_table
from analyzer.correlate import texts as counter_texts
from analyzer.correlate.slow_start import LEAST_SEGMENT, SlowStarts, slow_starts
from analyzer.counters import Series, deltas, with_chosen
from analyzer.errors import UsageError
from analyzer.passes import increment_rows, judged_rows
from analyzer.prediction import DEFAULT_MTU, NUMBER, Predictor, increment_table, increment_texts
from analyzer.schema import Rows
from analyzer.tables import COUNTERS, INCREMENTS

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.cluster.tabled import Parts
    from analyzer.sockets.listed import Listed

MOST_HOSTS = 8  # whose counters are tried, where nothing tells whose are meant


class KernelCounters:
    """The snapshots of one capture against its packets.

    `choice` is what of the capture is asked for. `series` are the snapshots, `counted` what was counted while the capture was read, `local` gives the addresses of the host
    that took it (empty where that is not known), `name` is what that host is called, `listed` are its sockets.
    """

    def __init__(
        self,
        paths: list[str],
        series: Series | None,
        counted: Comparison | None,
        account: Account,
        local: Callable[[], list[str]],
        name: str,
        choice: Choice = EVERYTHING,
        listed: Listed | None = None,
    ) -> None:
        self._paths = paths
        self._choice = choice
        self._series = series
        self._counted = counted
        self._account = account
        self._local = local
        self._name = name
        self._listed = listed
        self._network_doubles = False  # what was taken for captured twice; known once the counters were compared

    @cached_property
    def comparison(self) -> Comparison | None:
        """The kernel's counters against what the packets predict; None without snapshots, or where the host is not known.

        Reads the capture again where only its end has told which host took it, or that the clocks of snapshots and
        capture differ.
        """
        return self._decided[1]

    @cached_property
    def _decided(self) -> tuple[Series | None, Comparison | None]:
        """Whose counters are compared: of several hosts those that go together with the packets, where others do less."""
        series = self._series
        if series is None or not self._local():
            return series, None
        if series.snapshots or not series.others:
            return series, self._compared_with(series, self._counted)
        if len(series.others) <= MOST_HOSTS and not any(map(is_pipe, self._paths)):
            found = [self._compared_with(each) for each in series.others]
            by_fit = sorted(range(len(found)), key=lambda at: -fitting(found[at]))
            best, next_best = (fitting(found[at]) for at in by_fit[:2])
            if best > 0 and best > next_best:
                one = with_chosen(series, series.others[by_fit[0]], "they go together with the packets best")
                return one, found[by_fit[0]]
        return series, None

    @property
    def series(self) -> Series | None:
        """The snapshots of the host that took the capture, as far as it is known whose they are; None without any."""
        series = self._series
        undecided = series is not None and series.others and not series.snapshots
        return self._decided[0] if undecided else series

    def _compared_with(self, series: Series, found: Comparison | None = None) -> Comparison:
        """The comparison of a series, with what was counted already."""
        if found is None:
            found = Comparison(series)
            self._count_into(found)
        recorded = [host for host in map(host_of, self._paths) if host is not None]
        found.know(
            facts_of(
                self._account.summary,
                self._account.interfaces,
                self._account.drops,
                recorded,
                self._account.flows,
                self._local(),
                self._choice.words(),
            ),
            partial(_slow_starts, self._account, self._local, self._listed),
        )
        moved = found.realigned()
        if moved is not None:
            self._count_into(moved)
        return self._by_network(moved or found)

    def _by_network(self, found: Comparison) -> Comparison:
        """Who doubled packets, the capture or the network, where the packets leave that open? What the host counted tells.

        Where it counted more than was captured, and as much as with all copies, they are the network's.
        """
        share = found.coverage().share
        if share == 1 or not self._account.summary.total("copies") or any(map(is_pipe, self._paths)):
            return found
        other = found.anew()
        self._count_into(other, copies=True)
        self._network_doubles = other.coverage().complete
        return other if self._network_doubles else found

    def _count_into(self, comparison: Comparison, *, copies: bool = False) -> None:
        """Read the capture again for a comparison."""
        refuse_pipe(self._paths, "counters")
        predictor = predictor_of(self._local(), self._paths, copies=copies)
        for rows, events in judged_rows(self._paths, max_flows=self._account.flows.max_flows, choice=self._choice):
            comparison.add(rows, events, predictor)
        comparison.close(predictor)

    def checksum_fits(self, found: Checksums) -> list[Fit]:
        """The counters of checksum errors against the capture; empty without snapshots, or where the host is not known."""
        intervals = [each for each in deltas(self.series) if each.start_ns is not None] if self.series else []
        if not intervals:
            return []
        expected = found.expected_errors()
        names = [name for name in expected if any(name in interval.values for interval in intervals)]
        moved = {name: sum(interval.values.get(name, 0) for interval in intervals) for name in names}
        start = min(interval.start_ns for interval in intervals if interval.start_ns is not None)
        return list(fits(expected, moved, start, max(each.end_ns for each in intervals)))

    def need_host(self, what: str) -> None:
        """Raise UsageError where it is not known whose counters these are, or `what` needs snapshots and there are none."""
        if what != INCREMENTS.name and self.series is None:
            raise UsageError(what, "no snapshots of counters", "name them with --snapshots, or analyse a bundle")
        if not self._local():
            raise UsageError(
                what, "the host that took the capture is not known", "name one of its addresses with --host"
            )

    @cached_property
    def increments(self) -> pd.DataFrame:
        """One row per frame and counter that it should have moved; the columns are those of `tables.INCREMENTS`. Reads the capture again.

        Empty where the host that took the capture is not known.
        """
        import pandas as pd

        frames = list(self.increment_frames())
        return pd.concat(frames, ignore_index=True) if frames else INCREMENTS.empty()

    def increment_frames(self, counters: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """The same piece by piece, of all counters or of some (their names as nstat prints them)."""
        if not self._local():
            return
        refuse_pipe(self._paths, "increments")
        copies = self.comparison is not None and self._network_doubles
        predictor = predictor_of(self._local(), self._paths, copies=copies)

        def parts() -> Iterator[Rows]:
            yield from increment_rows(
                self._paths, predictor, max_flows=self._account.flows.max_flows, choice=self._choice
            )
            yield predictor.finish()

        numbers = None if counters is None else [NUMBER[name] for name in counters]
        for found in parts():
            wanted = found if numbers is None else found[np.isin(found["counter"], numbers)]
            if len(wanted):
                yield INCREMENTS.frame(increment_table(wanted), increment_texts(self._name, wanted))

    def frames_behind(self, counters: Sequence[str]) -> dict[str, list[int]]:
        """The frames that should have moved these counters. Reads the capture again; empty for a pipe, which cannot be."""
        if not counters or any(map(is_pipe, self._paths)):
            return {}
        found: dict[str, list[int]] = {name: [] for name in counters}
        for part in self.increment_frames(counters):
            part = part[part["amount"] != 0]
            for name in counters:
                found[name] += part["frame"][part["counter"] == name].tolist()
        return found

    @cached_property
    def by_interval(self) -> pd.DataFrame:
        """One row per counter and interval; the columns are those of `tables.COUNTERS`. Empty without snapshots."""
        return self._frame(self.comparison.rows() if self.comparison else [], whole=False)

    @cached_property
    def whole(self) -> pd.DataFrame:
        """The same with one row per counter, from the first snapshot to the last."""
        return self._frame(self.comparison.whole() if self.comparison else [], whole=True)

    def _frame(self, found: Sequence[Compared], *, whole: bool) -> pd.DataFrame:
        """The rows of the host that took the capture, then those of each other one whose counters stand beside them."""
        import pandas as pd

        series = self.series
        reason = OTHER_HOST if series is not None and series.snapshots else ANY_HOST
        parts = [(self._name, found)]
        parts += [(each.host, apart(each, reason, whole=whole)) for each in (series.others if series else ())]
        frames = [COUNTERS.frame(counter_table(rows), counter_texts(host, rows)) for host, rows in parts if rows]
        return pd.concat(frames, ignore_index=True) if frames else COUNTERS.empty()


def _slow_starts(account: Account, local: Callable[[], list[str]], listed: Listed | None) -> SlowStarts:
    """What sockets and flows tell of the ends of slow start. No method: a comparison keeps it, and is kept by who would be meant."""
    total = account.summary.total
    left = sum(account.flows.left.values()), total("frames") + total("bytes") // LEAST_SEGMENT
    return slow_starts(listed.seen.slow_starts.ended if listed else [], account.flows.row_parts(), local(), left)


def predictor_of(local: Sequence[str], paths: Sequence[str], *, copies: bool = False) -> Predictor:
    """For the host with these addresses, with the links and settings that its host.json names; `copies` as of Predictor."""
    mtu, sysctls = _settings_of(paths)
    return Predictor(local, mtu, sysctls, copies=copies)


def counting_of(comparison: Comparison, local: Sequence[str], paths: Sequence[str]) -> dict[str, Any]:
    """What who counts for a comparison must know (see `cluster.counted`), in what JSON can say."""
    mtu, sysctls = _settings_of(paths)
    tally = comparison.tally
    cuts: list[int] = tally.cuts.tolist()
    return {
        "addresses": list(local),
        "mtu": mtu,
        "sysctls": sysctls,
        "cuts": cuts,
        "followed": list(tally.steps),
    }


def take_counts(comparison: Comparison, parts: Parts) -> None:
    """Have a comparison know what others have counted for it."""
    for events in parts.events(also_last=False):
        comparison.add_events(events)
    comparison.add_later(parts.count_into(comparison.tally))


def _settings_of(paths: Sequence[str]) -> tuple[int, dict[str, str]]:
    """The largest packet of its links, and the settings below /proc/sys."""
    recorded = [host for host in map(host_of, paths) if host is not None]
    mtu = max((host.mtu for host in recorded), default=0) or DEFAULT_MTU
    return mtu, {name: value for path in paths for name, value in sysctls_of(path).items()}
