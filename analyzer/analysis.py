"""What was found in a capture: an Analysis, whose tables are made when they are first asked for."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.account import Account
from analyzer.capture import Damage, FileInfo, Interfaces
from analyzer.capture.bundle import Recording, host_of
from analyzer.checksums import CaptureHost, Checksums
from analyzer.checksums.counted import Fit, fits
from analyzer.correlate import ANY_HOST, OTHER_HOST, Compared, Comparison, apart, facts_of, fitting
from analyzer.correlate import table as counter_table
from analyzer.correlate import texts as counter_texts
from analyzer.counters import Series, deltas, with_chosen
from analyzer.diagnosis.finding import Diagnosis, Finding
from analyzer.diagnosis.frames import findings_frame, not_checked_frame
from analyzer.errors import UsageError
from analyzer.events.gather import frames_of
from analyzer.events.icmp import IcmpErrors
from analyzer.facts import Fact, facts_frame
from analyzer.flows import FlowTracker
from analyzer.hosts import KnownHost, hosts_frame, hosts_rows, known_hosts
from analyzer.passes import FLOWS_AT_ONCE, increment_rows, judged_rows, recorded_hosts, table_rows
from analyzer.prediction import DEFAULT_MTU, NUMBER, Predictor, increment_table, increment_texts, unfit_settings
from analyzer.schema import Rows
from analyzer.sockets import FlowIndex, SocketLists
from analyzer.sockets.seen import SocketsSeen
from analyzer.sockets.sysctls import sysctls_of
from analyzer.summary import Summary
from analyzer.tables import (
    CHECKSUMS,
    COUNTERS,
    EVENTS,
    FLOW_EVENTS,
    FLOWS,
    INCREMENTS,
    PACKETS,
    SERIES,
    SOCKETS,
    TABLES,
    TIME_CAUSES,
)
from analyzer.text import length_ns

if TYPE_CHECKING:
    import pandas as pd

MOST_HOSTS = 8  # whose counters are tried, where nothing tells whose are meant


class Analysis:
    """What a capture holds. Tables are pandas DataFrames, made when first asked for.

    `capture` (a dict, as in `tcpcap analyze --json`), `capture_facts`, `flows`, `packets`, `events`, `event_counts`, `checksums`,
    `capture_hosts`, `counters`, `increments`, `sockets`, `hosts`, `warnings` (sentences), `damages`. `shown` makes the text that stands for
    it in a notebook: reports know what they report on, not the other way round.
    """

    def __init__(
        self,
        paths: list[str],
        files: list[FileInfo],
        interfaces: Interfaces,
        damages: list[Damage],
        summary: Summary,
        flows: FlowTracker,
        event_counts: dict[str, int],
        facts: Sequence[Fact] = (),
        checksum_result: Checksums | None = None,
        counters: Series | None = None,
        host_addresses: Sequence[str] = (),
        counted: Comparison | None = None,
        shown: Callable[[Analysis], str] = repr,
        socket_lists: SocketLists | None = None,
        gathered: Rows | None = None,
        icmp_errors: IcmpErrors | None = None,
        diagnose: Callable[[Analysis], Diagnosis] | None = None,
    ) -> None:
        self.paths = paths
        self.files = files
        self.interfaces = interfaces
        self.damages = damages
        self.summary = summary
        self.flow_tracker = flows
        self.event_counts = event_counts
        self.facts = list(facts)
        self.checksum_result = checksum_result
        self._series = counters
        self.host_addresses = list(host_addresses)
        self._counted = counted
        self._shown = shown
        self._socket_lists = socket_lists or SocketLists([])
        self.gathered = np.zeros(0, FLOW_EVENTS.dtype) if gathered is None else gathered
        self.icmp_errors = icmp_errors or IcmpErrors()
        self._diagnose = diagnose

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What the rules say: findings in the order in which they are told, and what could not be checked."""
        return self._diagnose(self) if self._diagnose else Diagnosis([], [], [])

    @cached_property
    def findings(self) -> pd.DataFrame:
        """One row per finding; the columns are those of `tables.FINDINGS`."""
        return findings_frame(self.diagnosis)

    @cached_property
    def not_checked(self) -> pd.DataFrame:
        """One row per rule that could not run; the columns are those of `tables.NOT_CHECKED`."""
        return not_checked_frame(self.diagnosis)

    def finding(self, number: int) -> Finding:
        """A finding by its number, from 1. Raises UsageError where there is none."""
        findings = self.diagnosis.findings
        if not 1 <= number <= len(findings):
            raise UsageError("finding", f"no finding {number}", f"there are {len(findings)}")
        return findings[number - 1]

    @cached_property
    def flow_events(self) -> pd.DataFrame:
        """One row per flow, side, event and cause; the columns are those of `tables.FLOW_EVENTS`."""
        frames = [json.dumps(frames) for frames in frames_of(self.gathered)]
        return FLOW_EVENTS.frame(self.gathered, {"frames": np.array(frames, object)})

    @cached_property
    def capture_facts(self) -> pd.DataFrame:
        """What decides how all else can be read; the columns are those of `tables.CAPTURE_FACTS`."""
        return facts_frame(self.facts)

    @cached_property
    def flows(self) -> pd.DataFrame:
        """One row per conversation; the columns are those of `tables.FLOWS`. Those that left are not there: see `warnings`."""
        return FLOWS.frame(self.flow_tracker.rows())

    @cached_property
    def packets(self) -> pd.DataFrame:
        """One row per frame; the columns are those of `tables.PACKETS`. Reads the capture again."""
        return PACKETS.frame(self._again("packets"))

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row per event; the columns are those of `tables.EVENTS`. Reads the capture again."""
        return EVENTS.frame(self._again("events"))

    def series(self, flow: int | None = None, every: str = "1s") -> pd.DataFrame:
        """One row per interval of a connection, or of all TCP connections together; the columns are those of `tables.SERIES`. Reads the capture again."""
        self._refuse_pipe("series")
        parts = table_rows(
            self.paths, "series", max_flows=self.flow_tracker.max_flows, every_ns=length_ns(every, "--every"), flow=flow
        )
        wanted = -1 if flow is None else flow
        rows = [part[part["flow"] == wanted] for part in parts]
        return SERIES.frame(np.concatenate(rows) if rows else np.zeros(0, SERIES.dtype))

    @cached_property
    def checksums(self) -> pd.DataFrame:
        """One row per direction; the columns are those of `tables.CHECKSUMS`. Empty if checksums were not verified."""
        return CHECKSUMS.frame(self.checksum_result.rows()) if self.checksum_result else CHECKSUMS.empty()

    @property
    def checksum_counts(self) -> dict[str, int]:
        """Frames per state of `packets.checksum`."""
        return self.checksum_result.counts if self.checksum_result else {}

    @property
    def capture_hosts(self) -> list[CaptureHost]:
        """Addresses of the host that took the capture, surest first, each with its evidence."""
        return self.checksum_result.hosts if self.checksum_result else []

    @cached_property
    def checksum_fits(self) -> list[Fit]:
        """The counters of checksum errors against the capture; empty without snapshots, or where the host is not known."""
        if self.checksum_result is None or self.counter_series is None:
            return []
        intervals = [interval for interval in deltas(self.counter_series) if interval.start_ns is not None]
        if not intervals:
            return []
        expected = self.checksum_result.expected_errors()
        names = [name for name in expected if any(name in interval.values for interval in intervals)]
        moved = {name: sum(interval.values.get(name, 0) for interval in intervals) for name in names}
        start = min(interval.start_ns for interval in intervals if interval.start_ns is not None)
        return list(fits(expected, moved, start, max(each.end_ns for each in intervals)))

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
        if series is None or not self.local:
            return series, None
        if series.snapshots or not series.others:
            return series, self._compared_with(series, self._counted)
        if len(series.others) <= MOST_HOSTS and not any(map(_is_pipe, self.paths)):
            found = [self._compared_with(each) for each in series.others]
            by_fit = sorted(range(len(found)), key=lambda at: -fitting(found[at]))
            best, next_best = (fitting(found[at]) for at in by_fit[:2])
            if best > 0 and best > next_best:
                one = with_chosen(series, series.others[by_fit[0]], "they go together with the packets best")
                return one, found[by_fit[0]]
        return series, None

    @property
    def counter_series(self) -> Series | None:
        """The snapshots of the host that took the capture, as far as it is known whose they are; None without any."""
        series = self._series
        undecided = series is not None and series.others and not series.snapshots
        return self._decided[0] if undecided else series

    def _compared_with(self, series: Series, found: Comparison | None = None) -> Comparison:
        """The comparison of a series, with what was counted already."""
        if found is None:
            found = Comparison(series)
            self._count_into(found)
        recorded = [host for host in map(host_of, self.paths) if host is not None]
        found.know(facts_of(self.summary, self.interfaces, self.drops, recorded, self.flow_tracker))
        moved = found.realigned()
        if moved is not None:
            self._count_into(moved)
        return moved or found

    def _count_into(self, comparison: Comparison) -> None:
        """Read the capture again for a comparison."""
        self._refuse_pipe("counters")
        predictor = predictor_of(self.local, self.paths)
        for rows, events in judged_rows(self.paths, max_flows=self.flow_tracker.max_flows):
            comparison.add(rows, events, predictor)
        comparison.close(predictor)

    def need_host(self, what: str) -> None:
        """Raise UsageError where it is not known whose counters these are, or `what` needs snapshots and there are none."""
        if what != INCREMENTS.name and self.counter_series is None:
            raise UsageError(what, "no snapshots of counters", "name them with --snapshots, or analyse a bundle")
        if not self.local:
            raise UsageError(
                what, "the host that took the capture is not known", "name one of its addresses with --host"
            )

    @property
    def local(self) -> list[str]:
        """Addresses of the host that took the capture: those that were named or recorded, else what the packets tell."""
        return self.host_addresses or [host.address for host in self.capture_hosts]

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
        if not self.local:
            return
        self._refuse_pipe("increments")
        predictor = predictor_of(self.local, self.paths)

        def parts() -> Iterator[Rows]:
            yield from increment_rows(self.paths, predictor, max_flows=self.flow_tracker.max_flows)
            yield predictor.finish()

        numbers = None if counters is None else [NUMBER[name] for name in counters]
        for found in parts():
            wanted = found if numbers is None else found[np.isin(found["counter"], numbers)]
            if len(wanted):
                yield INCREMENTS.frame(increment_table(wanted), increment_texts(self.host_name, wanted))

    def frames_behind(self, counters: Sequence[str]) -> dict[str, list[int]]:
        """The frames that should have moved these counters. Reads the capture again; empty for a pipe, which cannot be."""
        if not counters or any(map(_is_pipe, self.paths)):
            return {}
        found: dict[str, list[int]] = {name: [] for name in counters}
        for part in self.increment_frames(counters):
            part = part[part["amount"] != 0]
            for name in counters:
                found[name] += part["frame"][part["counter"] == name].tolist()
        return found

    @cached_property
    def counters(self) -> pd.DataFrame:
        """One row per counter and interval; the columns are those of `tables.COUNTERS`. Empty without snapshots."""
        return self._counter_frame(self.comparison.rows() if self.comparison else [], whole=False)

    @cached_property
    def counters_whole(self) -> pd.DataFrame:
        """The same with one row per counter, from the first snapshot to the last."""
        return self._counter_frame(self.comparison.whole() if self.comparison else [], whole=True)

    @cached_property
    def sockets(self) -> pd.DataFrame:
        """One row per socket and list; the columns are those of `tables.SOCKETS`. Empty without lists of sockets."""
        import pandas as pd

        frames = list(self.socket_frames())
        return pd.concat(frames, ignore_index=True) if frames else SOCKETS.empty()

    def socket_frames(self) -> Iterator[pd.DataFrame]:
        """The same piece by piece: there may be millions."""
        for host, batch in self._socket_lists.read(self._flow_index):
            yield batch.frame(host)

    @property
    def socket_lists(self) -> SocketLists:
        """What the lists of sockets show in all; they are read when this is first asked for."""
        self.sockets_seen  # noqa: B018 # reads them
        return self._socket_lists

    @property
    def has_sockets(self) -> bool:
        """Were lists of sockets recorded?"""
        return bool(self._socket_lists)

    @cached_property
    def sockets_seen(self) -> SocketsSeen:
        """Of each socket the rows worth keeping."""
        seen = SocketsSeen()
        if self._socket_lists:
            for _, batch in self._socket_lists.read(self._flow_index):
                seen.add(batch)
        return seen

    @cached_property
    def sysctls(self) -> dict[str, str]:
        """Settings of the host, from host.json of its bundle."""
        return {name: value for path in self.paths for name, value in sysctls_of(path).items()}

    @cached_property
    def _flow_index(self) -> FlowIndex:
        return FlowIndex(self._flow_parts(), self.local)

    def _flow_parts(self) -> Iterator[Rows]:
        """The rows of `flows`, some at a time."""
        starts = range(0, len(self.flow_tracker), FLOWS_AT_ONCE)
        return (self.flow_tracker.rows(slice(start, start + FLOWS_AT_ONCE)) for start in starts)

    @cached_property
    def hosts(self) -> pd.DataFrame:
        """One row per host that a bundle or a report describes, and the one that took the capture; the columns are those of `tables.HOSTS`."""
        return hosts_frame(self.known_hosts(), self._flow_parts())

    def hosts_rows(self) -> tuple[Rows, dict[str, Any], Any]:
        """The same without pandas: what is stored, the texts, and the MTUs (0 where one is not known)."""
        return hosts_rows(self.known_hosts(), self._flow_parts())

    def known_hosts(self) -> list[KnownHost]:
        """What is known of hosts beside their packets."""
        recorded = recorded_hosts(self.paths)
        named = [address for address in self.host_addresses if address not in recorded]
        told = [host.address for host in self.capture_hosts]
        return known_hosts(self.paths, named, told, self.host_name)

    def _counter_frame(self, found: Sequence[Compared], *, whole: bool) -> pd.DataFrame:
        """The rows of the host that took the capture, then those of each other one whose counters stand beside them."""
        import pandas as pd

        series = self.counter_series
        reason = OTHER_HOST if series is not None and series.snapshots else ANY_HOST
        parts = [(self.host_name, found)]
        parts += [(each.host, apart(each, reason, whole=whole)) for each in (series.others if series else ())]
        frames = [COUNTERS.frame(counter_table(rows), counter_texts(host, rows)) for host, rows in parts if rows]
        return pd.concat(frames, ignore_index=True) if frames else COUNTERS.empty()

    @property
    def host_name(self) -> str:
        """The host whose counters these are: its name, or its addresses."""
        recorded = [host.name for host in map(host_of, self.paths) if host is not None and host.name]
        return recorded[0] if recorded else ", ".join(host.address for host in self.capture_hosts)

    def _refuse_pipe(self, what: str) -> None:
        if any(map(_is_pipe, self.paths)):
            raise UsageError(what, "a pipe can be read only once", "save the capture to a file first")

    def _again(self, table: str) -> Rows:
        """The rows of a table that is not kept."""
        self._refuse_pipe(table)
        rows = list(table_rows(self.paths, table, max_flows=self.flow_tracker.max_flows))
        return np.concatenate(rows) if rows else np.zeros(0, TABLES[table].dtype)

    @cached_property
    def troubled(self) -> int:
        """How many connections had trouble."""
        return self.flow_tracker.troubled(0)[1]

    @cached_property
    def time_spent(self) -> dict[str, int]:
        """How much of the time of all TCP connections went to each cause, in ns: the columns `time_..._ns` of `flows` together."""
        return dict(zip(TIME_CAUSES, map(int, self._accounts[0]), strict=True))

    @cached_property
    def _accounts(self) -> Any:
        return self.flow_tracker.accounts()

    def slow_flows(self, count: int) -> tuple[Rows, int]:
        """The rows of the connections that lost most time, and how many lost a part worth telling."""
        places = self._accounts[1]
        return self.flow_tracker.rows_at(places[:count]), len(places)

    def notes_of(self, flow: int) -> dict[str, dict[str, Any]]:
        """By cause: how often a connection lost time to it (a millisecond or more), in all, and the frames that ended the first and the longest time.

        `direction` is who waited, or was silent: 0 the client, 1 the server. Empty where others lost so much more that nothing is kept.
        """
        note = self.flow_tracker.notes_of(flow)
        client = self.flow_tracker.states["client"][self.flow_tracker.states["flow"] == flow]
        return {} if note is None or not len(client) else _notes(note, int(client[0]))

    def slow_notes(self, count: int) -> Iterator[tuple[int, dict[str, dict[str, Any]]]]:
        """The same of the connections that lost most time, each with its number."""
        tracker = self.flow_tracker
        known = {int(flow) - 1: at for at, flow in enumerate(tracker.notes["flow"].tolist()) if flow}
        for place in self._accounts[1][:count]:
            flow = int(tracker.states["flow"][place])
            note = tracker.notes[known[flow]] if flow in known else None
            if note is not None and not note["partial"]:
                yield flow, _notes(note, int(tracker.states["client"][place]))

    @property
    def account(self) -> Account:
        """Where the frames came from, and how many of them there are."""
        told = [each.dropped for each in self._recordings() if each.dropped >= 0]
        dropped = sum(told) if told else None
        return Account(self.files, self.interfaces, self.damages, self.summary, self.flow_tracker, dropped)

    @property
    def is_damaged(self) -> bool:
        """Was the input cut short or damaged, or recorded to an early end?"""
        return bool(self.damages or any(each.unfinished for each in self._recordings()))

    def _recordings(self) -> list[Recording]:
        """How the bundles were recorded, as far as they say it."""
        return [host.recording for host in map(host_of, self.paths) if host is not None and host.recording is not None]

    @cached_property
    def capture(self) -> dict[str, Any]:
        """Files, interfaces, counts, protocols, drops and damages."""
        return self.account.as_dict()

    @property
    def drops(self) -> dict[str, int | None]:
        """Packets that the capture itself lost, as far as the file says; None where it says nothing."""
        return self.account.drops

    @cached_property
    def warnings(self) -> list[str]:
        """What the reader should know before trusting the rest, a sentence each."""
        recorded = [host for host in map(host_of, self.paths) if host is not None]
        settings = [f"{host.path}: {text}" for host in recorded for text in unfit_settings(host.sysctls)]
        counters = self.counter_series.notes if self.counter_series else []
        hosts = [note for host in recorded for note in host.notes]
        return [*self.account.warnings(), *hosts, *settings, *counters, *self.socket_lists.notes]

    def __repr__(self) -> str:
        frames = self.summary.total("frames")
        return f"<Analysis of {', '.join(self.paths)}: {frames:,} frames, {self.flow_tracker.total:,} flows>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self._shown(self))}</pre>"


def _notes(note: Rows, client: int) -> dict[str, dict[str, Any]]:
    """What is remembered (NOTE) of a connection whose client is that end."""
    found: dict[str, dict[str, Any]] = {}
    for number, cause in enumerate(TIME_CAUSES[:-1]):
        thinking = cause in ("client_think", "server_think")
        place = 1 + (client ^ (cause == "server_think")) if thinking else number
        if note["count"][place]:
            found[cause] = {
                "count": int(note["count"][place]),
                "ns": int(note["ns"][place]),
                "direction": int(note["end"][place]) ^ client,
                "first_frame": int(note["first"][place]),
                "longest_ns": int(note["most_ns"][place]),
                "longest_frame": int(note["most"][place]),
            }
    return found


def predictor_of(local: Sequence[str], paths: Sequence[str]) -> Predictor:
    """For the host with these addresses, with the links and settings that its host.json names."""
    recorded = [host for host in map(host_of, paths) if host is not None]
    mtu = max((host.mtu for host in recorded), default=0) or DEFAULT_MTU
    return Predictor(local, mtu, {name: value for path in paths for name, value in sysctls_of(path).items()})


def _is_pipe(path: str) -> bool:
    return path == "-" or Path(path).is_fifo()
