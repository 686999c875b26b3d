"""What was found in a capture: an Analysis, whose tables are made when they are first asked for."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.account import Account
from analyzer.capture import Damage, FileInfo, Interfaces
from analyzer.capture.bundle import Recording, host_of
from analyzer.checksums import CaptureHost, Checksums
from analyzer.checksums.counted import Fit
from analyzer.choose import EVERYTHING, Choice
from analyzer.correlate import Comparison
from analyzer.counters import Series
from analyzer.described import described, readable
from analyzer.diagnosis.finding import Diagnosis, Finding
from analyzer.diagnosis.frames import findings_frame, not_checked_frame
from analyzer.errors import UsageError
from analyzer.events.gather import frames_of
from analyzer.events.icmp import IcmpErrors
from analyzer.facts import Fact, facts_frame
from analyzer.flows import FlowTracker
from analyzer.follow import Flow, flow_number, flow_row, follow
from analyzer.hosts import KnownHost, hosts_frame, hosts_rows, known_hosts
from analyzer.kernel_counters import KernelCounters, refuse_pipe
from analyzer.passes import FLOWS_AT_ONCE, Progress, recorded_hosts, table_rows
from analyzer.prediction import unfit_settings
from analyzer.schema import Rows, Table
from analyzer.sockets import FlowIndex, SocketLists
from analyzer.sockets.seen import SocketsSeen
from analyzer.sockets.sysctls import sysctls_of
from analyzer.summary import Summary
from analyzer.tables import (
    CAPTURE_FACTS,
    CHECKSUMS,
    COUNTERS,
    EVENTS,
    FINDINGS,
    FLOW_EVENTS,
    FLOWS,
    HOSTS,
    INCREMENTS,
    NOT_CHECKED,
    PACKETS,
    SERIES,
    SOCKETS,
    TABLES,
    TIME_CAUSES,
)
from analyzer.text import length_ns, shown
from analyzer.timing.notes import notes_by_cause, notes_by_side

if TYPE_CHECKING:
    import pandas as pd


# What a capture is asked for; the other attributes are what reports are made of.
PUBLIC = (
    *(
        "capture",
        "capture_facts",
        "capture_hosts",
        "checksums",
        "counters",
        "counters_whole",
        "damages",
        "event_counts",
    ),
    *("events", "finding", "findings", "flow", "flow_events", "flows", "frames", "hosts", "increments", "not_checked"),
    *("packets", "paths", "plot", "series", "socket_frames", "sql", "sockets", "warnings", "_repr_html_"),
)


class Analysis:
    """What a capture holds. Tables are pandas DataFrames, made when first asked for.

    `capture` (a dict, as in `tcpcap analyze --json`), `capture_facts`, `flows`, `packets`, `events`, `event_counts`, `checksums`,
    `capture_hosts`, `counters`, `increments`, `sockets`, `hosts`, `warnings` (sentences), `damages`. `shown` makes the HTML that stands for
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
        shown: Callable[[Analysis], str] | None = None,
        socket_lists: SocketLists | None = None,
        gathered: Rows | None = None,
        icmp_errors: IcmpErrors | None = None,
        diagnose: Callable[[Analysis], Diagnosis] | None = None,
        plots: Callable[[Analysis], Any] | None = None,
        show_flow: Callable[[Flow, bool], str] | None = None,
        choice: Choice = EVERYTHING,
        notes: Sequence[str] = (),
        times: str = "ns",
        ask: Callable[[Analysis], Any] | None = None,
        start_ns: int | None = None,
    ) -> None:
        self.paths = paths
        self._notes = list(notes)
        self.choice = choice  # what of the capture was asked for: whoever reads it again asks for the same
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
        self._plots = plots
        self._show_flow = show_flow
        self._times = times
        self._ask = ask
        self._start_ns = start_ns

    def _table(self, table: Table, frame: pd.DataFrame) -> pd.DataFrame:
        """A table as its readers get it: described, with moments as they asked for."""
        return described(table, frame, self._times)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What the rules say: findings in the order in which they are told, and what could not be checked."""
        return self._diagnose(self) if self._diagnose else Diagnosis([], [], [])

    @cached_property
    def findings(self) -> pd.DataFrame:
        """One row per finding; the columns are those of `tables.FINDINGS`."""
        return self._table(FINDINGS, findings_frame(self.diagnosis))

    @cached_property
    def not_checked(self) -> pd.DataFrame:
        """One row per rule that could not run; the columns are those of `tables.NOT_CHECKED`."""
        return self._table(NOT_CHECKED, not_checked_frame(self.diagnosis))

    @cached_property
    def plot(self) -> Any:
        """Its pictures, such as `plot.time_sequence(flow)`: see `analyzer.plot.plots.Plots`, which comes after this module."""
        return self._plots(self) if self._plots else None

    @readable
    def finding(self, number: int) -> Finding:
        """A finding by its number, from 1. Raises UsageError where there is none."""
        findings = self.diagnosis.findings
        if not 1 <= number <= len(findings):
            raise UsageError("finding", f"no finding {number}", f"there are {len(findings)}")
        return findings[number - 1]

    def flow(self, which: int | str) -> Flow:
        """One connection frame by frame, which shows itself as text: `which` is its number in `flows`, or the `ADDRESS:PORT` of one of its ends.

        Reads the capture again. Raises UsageError where there is no such flow, or several have this end.
        """
        refuse_pipe(self.paths, "flow")
        row = flow_row(self.flow_tracker, flow_number(self.flow_tracker, str(which)))
        found = follow(
            self.paths,
            row,
            max_flows=self.flow_tracker.max_flows,
            checksums=self.checksum_result is not None,
            choice=self.choice,
        )
        found.findings = [each for each in self.diagnosis.findings if found.number in each.flows]
        found.waits = self.notes_of(found.number)
        if self._show_flow is not None:
            found.shown = self._show_flow
        return found

    @readable
    def sql(self, query: str) -> pd.DataFrame:
        """The answer to one SELECT in DuckDB's SQL over the tables of `tcpcap schema`: `a.sql("SELECT event, count(*) FROM events GROUP BY ALL")`.

        Only what the query names is made; moments are dates (`time` beside `time_ns`). Nothing can be changed, and no other file
        be read. Raises UsageError for what is no query, or names what is not there.
        """
        found: pd.DataFrame = self._tables_asked.frame(query)
        return found

    @cached_property
    def _tables_asked(self) -> Any:
        """The tables in SQL, which keep what was made for one query for the next."""
        assert self._ask is not None, "made without analyze()"
        return self._ask(self)

    @cached_property
    def flow_events(self) -> pd.DataFrame:
        """One row per flow, side, event and cause; the columns are those of `tables.FLOW_EVENTS`."""
        texts = {
            name: np.array([json.dumps(frames) for frames in frames_of(self.gathered, which)], object)
            for name, which in (("frames", "frame"), ("related_frames", "related"))
        }
        return self._table(FLOW_EVENTS, FLOW_EVENTS.frame(self.gathered, texts))

    @cached_property
    def capture_facts(self) -> pd.DataFrame:
        """What decides how all else can be read; the columns are those of `tables.CAPTURE_FACTS`."""
        return self._table(CAPTURE_FACTS, facts_frame(self.facts))

    @cached_property
    def flows(self) -> pd.DataFrame:
        """One row per conversation, whose number is also its index; the columns are those of `tables.FLOWS`. Those that left are not there: see `warnings`."""
        found = FLOWS.frame(self.flow_tracker.rows())
        found.index = found["flow"].to_numpy()
        return self._table(FLOWS, found)

    @cached_property
    def packets(self) -> pd.DataFrame:
        """One row per frame; the columns are those of `tables.PACKETS`. Reads the capture again."""
        return self._table(PACKETS, PACKETS.frame(self._again("packets")))

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row per event; the columns are those of `tables.EVENTS`. Reads the capture again."""
        return self._table(EVENTS, EVENTS.frame(self._again("events")))

    @readable
    def frames(self, numbers: Sequence[int]) -> pd.DataFrame:
        """The rows of `packets` of these frames only, which a capture of any size has room for. Reads the capture again, as far as the last of them."""
        wanted = np.array(sorted(set(numbers)), np.int64)
        refuse_pipe(self.paths, "frames")
        found = [np.zeros(0, PACKETS.dtype)]
        for rows in table_rows(self.paths, "packets", max_flows=self.flow_tracker.max_flows, choice=self.choice):
            found.append(rows[np.isin(rows["frame"], wanted)])
            if not len(wanted) or (len(rows) and rows["frame"][-1] >= wanted[-1]):
                break
        return self._table(PACKETS, PACKETS.frame(np.concatenate(found)))

    @readable
    def series(self, flow: int | None = None, every: str = "1s") -> pd.DataFrame:
        """One row per interval of a connection, or of all TCP connections together; the columns are those of `tables.SERIES`. Reads the capture again."""
        refuse_pipe(self.paths, "series")
        parts = table_rows(
            self.paths,
            "series",
            max_flows=self.flow_tracker.max_flows,
            every_ns=length_ns(every, "--every"),
            flow=flow,
            choice=self.choice,
        )
        wanted = -1 if flow is None else flow
        rows = [part[part["flow"] == wanted] for part in parts]
        return self._table(SERIES, SERIES.frame(np.concatenate(rows) if rows else np.zeros(0, SERIES.dtype)))

    @cached_property
    def checksums(self) -> pd.DataFrame:
        """One row per direction; the columns are those of `tables.CHECKSUMS`. Empty if checksums were not verified."""
        found = CHECKSUMS.frame(self.checksum_result.rows()) if self.checksum_result else CHECKSUMS.empty()
        return self._table(CHECKSUMS, found)

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
        return self.kernel.checksum_fits(self.checksum_result) if self.checksum_result else []

    @cached_property
    def kernel(self) -> KernelCounters:
        """The kernel's counters against what the packets predict."""
        return KernelCounters(
            self.paths,
            self._series,
            self._counted,
            self.account,
            lambda: self.local,
            lambda: self.host_name,
            self.choice,
        )

    @property
    def comparison(self) -> Comparison | None:
        """The kernel's counters against what the packets predict; None without snapshots, or where the host is not known."""
        return self.kernel.comparison

    @property
    def counter_series(self) -> Series | None:
        """The snapshots of the host that took the capture, as far as it is known whose they are; None without any."""
        return self.kernel.series

    @cached_property
    def counters(self) -> pd.DataFrame:
        """One row per counter and interval; the columns are those of `tables.COUNTERS`. Empty without snapshots."""
        return self._table(COUNTERS, self.kernel.by_interval)

    @cached_property
    def counters_whole(self) -> pd.DataFrame:
        """The same with one row per counter, from the first snapshot to the last."""
        return self._table(COUNTERS, self.kernel.whole)

    @cached_property
    def increments(self) -> pd.DataFrame:
        """One row per frame and counter that it should have moved; the columns are those of `tables.INCREMENTS`. Reads the capture again.

        Empty where the host that took the capture is not known.
        """
        return self._table(INCREMENTS, self.kernel.increments)

    @property
    def local(self) -> list[str]:
        """Addresses of the host that took the capture: those that were named or recorded, else what the packets tell."""
        return self.host_addresses or [host.address for host in self.capture_hosts]

    @cached_property
    def sockets(self) -> pd.DataFrame:
        """One row per socket and list; the columns are those of `tables.SOCKETS`. Empty without lists of sockets."""
        import pandas as pd

        frames = list(self.socket_frames())
        return self._table(SOCKETS, pd.concat(frames, ignore_index=True) if frames else SOCKETS.empty())

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
        return FlowIndex(self.flow_parts(), self.local)

    def flow_parts(self) -> Iterator[Rows]:
        """The rows of `flows`, some at a time."""
        starts = range(0, len(self.flow_tracker), FLOWS_AT_ONCE)
        return (self.flow_tracker.rows(slice(start, start + FLOWS_AT_ONCE)) for start in starts)

    @cached_property
    def hosts(self) -> pd.DataFrame:
        """One row per host that a bundle or a report describes, and the one that took the capture; the columns are those of `tables.HOSTS`."""
        return self._table(HOSTS, hosts_frame(self.known_hosts(), self.flow_parts()))

    def hosts_rows(self) -> tuple[Rows, dict[str, Any], Any]:
        """The same without pandas: what is stored, the texts, and the MTUs (0 where one is not known)."""
        return hosts_rows(self.known_hosts(), self.flow_parts())

    def known_hosts(self) -> list[KnownHost]:
        """What is known of hosts beside their packets."""
        recorded = recorded_hosts(self.paths)
        named = [address for address in self.host_addresses if address not in recorded]
        told = [host.address for host in self.capture_hosts]
        return known_hosts(self.paths, named, told, self.host_name)

    @property
    def host_name(self) -> str:
        """The host whose counters these are: its name, or its addresses."""
        recorded = [host.name for host in map(host_of, self.paths) if host is not None and host.name]
        return recorded[0] if recorded else ", ".join(host.address for host in self.capture_hosts)

    def _again(self, table: str) -> Rows:
        """The rows of a table that is not kept."""
        rows = list(self.parts(table))
        return np.concatenate(rows) if rows else np.zeros(0, TABLES[table].dtype)

    def parts(self, table: str, progress: Progress | None = None) -> Iterator[Rows]:
        """The same piece by piece. Reads the capture again."""
        refuse_pipe(self.paths, table)
        verified = self.checksum_result is not None
        most = self.flow_tracker.max_flows
        return table_rows(self.paths, table, max_flows=most, checksums=verified, choice=self.choice, progress=progress)

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

        `direction` is who waited, or was silent: 0 the client, 1 the server; where both did, what is told is of who did so longer.
        Empty where others lost so much more that nothing is kept.
        """
        note = self.flow_tracker.notes_of(flow)
        client = self.flow_tracker.states["client"][self.flow_tracker.states["flow"] == flow]
        return {} if note is None or not len(client) else notes_by_cause(note, int(client[0]))

    def slow_notes(self, count: int) -> Iterator[tuple[int, list[tuple[str, dict[str, Any]]]]]:
        """Of the connections that lost most time, each with its number: (cause, the same), of each side."""
        tracker = self.flow_tracker
        known = {int(flow) - 1: at for at, flow in enumerate(tracker.notes["flow"].tolist()) if flow}
        for place in self._accounts[1][:count]:
            flow = int(tracker.states["flow"][place])
            note = tracker.notes[known[flow]] if flow in known else None
            if note is not None and not note["partial"]:
                yield flow, list(notes_by_side(note, int(tracker.states["client"][place])))

    @property
    def account(self) -> Account:
        """Where the frames came from, and how many of them there are."""
        told = [each.dropped for each in self._recordings() if each.dropped >= 0]
        dropped = sum(told) if told else None
        return Account(self.files, self.interfaces, self.damages, self.summary, self.flow_tracker, dropped, self._notes)

    @property
    def start_ns(self) -> int:
        """When the whole capture begins, whatever of it was asked for: texts count from there, as `between` does."""
        return self.summary.total("first_ns") if self._start_ns is None else self._start_ns

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
        return list(map(shown, [*self.account.warnings(), *hosts, *settings, *counters, *self.socket_lists.notes]))

    def __repr__(self) -> str:
        frames = self.summary.total("frames")
        return f"<Analysis of {', '.join(self.paths)}: {frames:,} frames, {self.flow_tracker.total:,} flows>"

    def __dir__(self) -> list[str]:
        """What is for users, before what the reports need."""
        return [name for name in super().__dir__() if name.startswith("__") or name in PUBLIC]

    def _repr_html_(self) -> str:
        return self._shown(self) if self._shown else f"<pre>{html.escape(repr(self))}</pre>"
