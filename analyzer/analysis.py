"""analyze(): the one place where all stages meet. Analysis holds what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.accelerate import announced
from analyzer.capture import Capture, Damage, FileInfo, Interface, Interfaces, open_capture
from analyzer.capture.bundle import COUNTERS_FILE, host_of, part_of
from analyzer.capture.records import RECORDS, RecordBatch
from analyzer.checksums import CaptureHost, Checker, Checksums
from analyzer.checksums.counted import Fit, fits
from analyzer.correlate import Comparison
from analyzer.correlate import table as counter_table
from analyzer.correlate import texts as counter_texts
from analyzer.counters import Series, deltas, series_of
from analyzer.counters.prediction import DEFAULT_MTU, Predictor
from analyzer.decode import decode
from analyzer.decode.link import is_decoded, link_name
from analyzer.errors import UsageError, suggest
from analyzer.events.judge import Judge
from analyzer.events.wireshark import WiresharkLabeller
from analyzer.flows import FlowTracker
from analyzer.flows.tracker import MAX_FLOWS
from analyzer.kinds import NAMES
from analyzer.schema import Rows
from analyzer.summary import Summary
from analyzer.tables import CHECKSUMS, COUNTERS, EVENTS, FLOWS, PACKETS, TABLES

if TYPE_CHECKING:
    import pandas as pd

Paths = str | Path | Sequence[str | Path]
Progress = Callable[[Capture], None]
EXPORT_BATCH_FRAMES = 1 << 14
FLOWS_AT_ONCE = 10_000
SHOWN_DAMAGES = 3
TIMED_FLOWS = 1000  # the busiest: their round-trip times tell which host is near


class Analysis:
    """What a capture holds. Tables are pandas DataFrames, made when first asked for.

    `capture` (a dict, as in `tcpcap analyze --json`), `flows`, `packets`, `events`, `event_counts`, `checksums`,
    `capture_hosts`, `warnings` (sentences), `damages`.
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
        checksum_result: Checksums | None = None,
        counters: Series | None = None,
    ) -> None:
        self.paths = paths
        self.files = files
        self.interfaces = interfaces
        self.damages = damages
        self.summary = summary
        self.flow_tracker = flows
        self.event_counts = event_counts
        self.checksum_result = checksum_result
        self.counter_series = counters

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
        names = set().union(*(interval.values for interval in intervals))
        moved = {name: sum(interval.values.get(name, 0) for interval in intervals) for name in names}
        start = min(interval.start_ns for interval in intervals if interval.start_ns is not None)
        return list(fits(self.checksum_result.expected_errors(), moved, start, max(each.end_ns for each in intervals)))

    @cached_property
    def comparison(self) -> Comparison | None:
        """The kernel's counters against what the packets predict; None without snapshots, or where the host is not known.

        Reads the capture again: which host took it is known only at its end.
        """
        recorded = [host for host in map(host_of, self.paths) if host is not None]
        local = [host.address for host in self.capture_hosts]
        local += [address for host in recorded for address in host.addresses]
        if self.counter_series is None or not local:
            return None
        self._refuse_pipe("counters")
        found = Comparison(self.counter_series)
        mtu = max((host.mtu for host in recorded), default=0) or DEFAULT_MTU
        predictor = Predictor(local, mtu)
        for increments in increment_rows(self.paths, predictor, max_flows=self.flow_tracker.max_flows):
            found.add(increments)
        found.add_late(predictor.finish())
        return found

    @cached_property
    def counters(self) -> pd.DataFrame:
        """One row per counter and interval; the columns are those of `tables.COUNTERS`. Empty without snapshots."""
        if self.comparison is None:
            return COUNTERS.frame(np.zeros(0, COUNTERS.dtype), counter_texts("", []))
        found = self.comparison.rows()
        return COUNTERS.frame(counter_table(found), counter_texts(self.host_name, found))

    @property
    def host_name(self) -> str:
        """The host whose counters these are: its name, or its addresses."""
        recorded = [host.name for host in map(host_of, self.paths) if host is not None and host.name]
        return recorded[0] if recorded else ", ".join(host.address for host in self.capture_hosts)

    def _refuse_pipe(self, what: str) -> None:
        if any(path == "-" or Path(path).is_fifo() for path in self.paths):
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
    def capture(self) -> dict[str, Any]:
        """Files, interfaces, counts, protocols, drops and damages."""
        return {
            "files": [_file_dict(file) for file in self.files],
            "interfaces": [
                _interface_dict(index, interface, self.summary.interface_frames(index))
                for index, interface in enumerate(self.interfaces)
            ],
            **self.summary.as_dict(),
            "drops": self.drops,
            "flows": self.flow_tracker.total,
            "left": dict(self.flow_tracker.left),
            "damages": [
                {"path": d.path, "offset": d.offset, "frame": d.frame, "what": d.what, "lost": d.lost}
                for d in self.damages
            ],
        }

    @property
    def drops(self) -> dict[str, int | None]:
        """Packets that the capture itself lost, as far as the file says; None where it says nothing."""
        counted = [interface.drops for interface in self.interfaces if interface.drops]
        statistics = [interface.statistics for interface in self.interfaces]
        by_name = {name: [s[name] for s in statistics if name in s] for name in ("dropped", "os_dropped", "received")}
        result: dict[str, int | None] = {"packet_blocks": sum(counted) if counted else None}
        for name, values in by_name.items():
            result[f"interface_{name}"] = sum(values) if values else None
        return result

    @cached_property
    def warnings(self) -> list[str]:
        """What the reader should know before trusting the rest, a sentence each."""
        return list(_warnings(self))

    def __repr__(self) -> str:
        frames = self.summary.total("frames")
        return f"<Analysis of {', '.join(self.paths)}: {frames:,} frames, {self.flow_tracker.total:,} flows>"

    def _repr_html_(self) -> str:
        import html

        from analyzer.report.console import console_text

        return f"<pre>{html.escape(console_text(self))}</pre>"


def analyze(
    paths: Paths,
    *,
    snapshots: Sequence[str | Path] = (),
    hosts: Sequence[str] = (),
    checksums: bool = True,
    max_flows: int = MAX_FLOWS,
    batch_frames: int | None = None,
    window_bytes: int | None = None,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> Analysis:
    """Read, decode and follow a capture.

    Parameters
    ----------
    paths : a file, `-` for standard input, a bundle directory, or several of them as one capture
    snapshots : files of kernel counters, as `analyzer.counters.read_snapshots` reads; those of a bundle are found
    hosts : addresses of the host that took the capture, where they are known better than the packets tell
    checksums : verify them; without, `checksums` and `capture_hosts` stay empty
    max_flows : how many conversations are followed at most
    batch_frames, window_bytes : how much is worked on at once; the result does not depend on it
    progress : called with the Capture after each batch
    notify : called with a sentence when the kernels must be compiled first

    Raises `analyzer.errors.CaptureError` where nothing can be read. Damage inside a capture is data: see `damages`.
    """
    names = [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    given, recorded = addresses(hosts), _recorded_hosts(names)
    counters = _counters(names, snapshots)
    summary, tracker, checker = Summary(), FlowTracker(max_flows), Checker() if checksums else None
    judge = Judge(tracker)
    with open_capture(names, batch_frames=batch_frames, window_bytes=window_bytes) as capture:
        with announced(notify or (lambda _: None)):
            _load_kernels(summary, tracker, judge, checker)
        for rows in _decoded(capture, checker):
            summary.add(rows, len(capture.interfaces))
            for part in tracker.follow(rows):
                judge.add(part)
            if progress is not None:
                progress(capture)
    for _ in judge.finish():
        pass
    counts = {name: int(count) for name, count in zip(NAMES, judge.counts, strict=True) if count}
    result = Checksums(checker, tracker.busiest(TIMED_FLOWS), recorded, given) if checker is not None else None
    return Analysis(
        names, capture.files, capture.interfaces, capture.damages, summary, tracker, counts, result, counters
    )


def table_rows(
    paths: list[str],
    table: str,
    *,
    batch_frames: int = EXPORT_BATCH_FRAMES,
    max_flows: int = MAX_FLOWS,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
    damages: list[Damage] | None = None,
) -> Iterator[Rows]:
    """The rows of a table, piece by piece while the capture is read; what could not be read is added to `damages`.

    In `packets`, `flow` and `direction` are what was known when the frame passed. `flows` come when they leave or the
    capture ends.
    """
    tracker, labeller = FlowTracker(max_flows, keep_left=table == "flows"), WiresharkLabeller()
    judge, checker = Judge(tracker, keep=table == "events"), Checker() if table in ("packets", "checksums") else None
    recorded = _recorded_hosts(paths)
    with open_capture(paths, batch_frames=batch_frames) as capture:
        with announced(notify or (lambda _: None)):
            labeller.add(_load_kernels(Summary(), tracker, judge, checker))
        for rows in _decoded(capture, checker):
            for part in tracker.follow(rows):
                for events in judge.judge(part):
                    if table == "events" and len(events):
                        yield events.copy()
                if table == "packets":
                    labeller.add(part)
                while tracker.rows_left:
                    yield tracker.rows_left.pop(0)
            if table == "packets":
                yield rows
            if progress is not None:
                progress(capture)
        for events in judge.finish():
            if table == "events":
                yield events
        if table == "flows":
            for start in range(0, len(tracker), FLOWS_AT_ONCE):
                yield tracker.rows(slice(start, start + FLOWS_AT_ONCE))
        if table == "checksums" and checker is not None:
            yield Checksums(checker, tracker.busiest(TIMED_FLOWS), recorded).rows()
        if damages is not None:
            damages.extend(capture.damages)


def increment_rows(paths: list[str], predictor: Predictor, *, max_flows: int = MAX_FLOWS) -> Iterator[Rows]:
    """What each frame must add to the counters of the predictor's host (INCREMENT), piece by piece.

    What is yielded is overwritten by the next.
    """
    tracker, checker = FlowTracker(max_flows), Checker()
    judge = Judge(tracker)
    with open_capture(paths, batch_frames=EXPORT_BATCH_FRAMES) as capture:
        for rows in _decoded(capture, checker):
            for part in tracker.follow(rows):
                events = [found.copy() for found in judge.judge(part)]
                yield from predictor.add(part, np.concatenate([np.zeros(0, EVENTS.dtype), *events]))
    yield from predictor.settle()


def _decoded(capture: Capture, checker: Checker | None) -> Iterator[Rows]:
    """The packet rows of each batch, with their checksums verified.

    The next batch is read and decoded in a thread of its own while the caller works on this one: compiled code does not
    hold Python's lock. A pipe is read when the caller asks, so that an interrupt need not wait for its sender.
    """
    batches = iter(capture)

    def rows_of_next() -> Rows | None:
        batch = next(batches, None)
        if batch is None:
            return None
        rows = decode(batch, capture.interfaces)
        if checker is not None:
            checker.check(batch, rows, capture.interfaces)
        return rows

    if capture.size is None:
        while (rows := rows_of_next()) is not None:
            yield rows
        return
    with ThreadPoolExecutor(1, "decode") as thread:
        ahead = thread.submit(rows_of_next)
        while (rows := ahead.result()) is not None:
            ahead = thread.submit(rows_of_next)
            yield rows


def addresses(hosts: Sequence[str]) -> list[str]:
    """The addresses of hosts in their usual form; a UsageError for what is none."""
    import ipaddress

    found = []
    for host in hosts:
        try:
            found.append(str(ipaddress.ip_address(host)))
        except ValueError:
            raise UsageError("--host", f"{host!r} is no IP address", "give one, such as 192.0.2.1") from None
    return found


def _recorded_hosts(paths: Sequence[str]) -> dict[str, str]:
    """The addresses of the hosts of all bundles, and the file that says so."""
    hosts = [host for host in map(host_of, paths) if host is not None]
    return {address: host.path for host in hosts for address in host.addresses}


def _counters(paths: Sequence[str], snapshots: Sequence[str | Path]) -> Series | None:
    """The snapshots of a host: those that were named, else those of the only bundle."""
    bundles = [found for found in (part_of(path, COUNTERS_FILE) for path in paths) if found is not None]
    files = list(snapshots) or (bundles if len(bundles) == 1 else [])
    return series_of(files) if files else None


def table_named(name: str, where: str) -> str:
    """`name`, if it is a table that can be exported; a UsageError that names `where` it stood, with the nearest names."""
    if name not in TABLES:
        raise UsageError(where, f"no table {name!r}", suggest(name, list(TABLES)))
    return name


def _load_kernels(summary: Summary, tracker: FlowTracker, judge: Judge, checker: Checker | None) -> Rows:
    """Run every kernel once on no frames: loading, or the very first time compiling, happens here."""
    from analyzer.capture.merge_kernel import load as load_merge
    from analyzer.capture.pcap_kernel import load as load_pcap
    from analyzer.capture.pcapng_kernel import load as load_pcapng

    interfaces = Interfaces()
    interfaces.add(Interface(0, 1))
    buffer = np.zeros(0, np.uint8)
    buffer.flags.writeable = False  # as the windows of a file are: numba compiles for that
    load_pcap(buffer, np.zeros(0, RECORDS.dtype))
    load_pcapng(buffer, np.zeros(0, RECORDS.dtype))
    load_merge()
    batch = RecordBatch(buffer, np.zeros(0, RECORDS.dtype), 1)
    rows = decode(batch, interfaces)
    if checker is not None:
        checker.check(batch, rows, interfaces)
    summary.add(rows, 1)
    tracker.load()
    for part in tracker.follow(rows):
        judge.add(part)
    return rows


def _file_dict(file: FileInfo) -> dict[str, Any]:
    return {
        "path": file.path,
        "format": file.format,
        "compression": file.compression,
        "application": file.application,
        "size": file.size,
        "read": file.read,
        "frames": file.frames,
        "notes": list(file.notes),
    }


def _interface_dict(index: int, interface: Interface, frames: int) -> dict[str, Any]:
    return {
        "interface": index,
        "file": interface.file,
        "name": interface.name,
        "description": interface.description,
        "link_type": interface.link_type,
        "link_type_name": link_name(interface.link_type),
        "snaplen": interface.snaplen,
        "fcs_len": interface.fcs_len,
        "filter": interface.filter,
        "os": interface.os,
        "ticks_per_second": interface.ticks_per_second,
        "offset_s": interface.offset_s,
        "frames": frames,
        "drops": interface.drops,
        "statistics": dict(interface.statistics),
    }


def _damage_warnings(analysis: Analysis) -> Iterator[str]:
    """The first damages of each file, and how many more there are."""
    for file in analysis.files:
        mine = [damage for damage in analysis.damages if damage.path == file.path]
        for damage in mine[:SHOWN_DAMAGES]:
            yield str(damage)
        more = file.damaged - SHOWN_DAMAGES
        if more > 0:
            places = "place" if more == 1 else "places"
            yield f"{file.path}: {more:,} more damaged {places}; at least {file.lost:,} bytes lost in all"


def _warnings(analysis: Analysis) -> Iterator[str]:
    summary = analysis.summary
    yield from _damage_warnings(analysis)
    for file in analysis.files:
        for note in file.notes:
            yield f"{file.path}: {note}"
    if not summary.total("frames"):
        yield "the capture holds no frames"
    lost = sum(value or 0 for name, value in analysis.drops.items() if name != "interface_received")
    if lost:
        yield f"the capture itself dropped {lost:,} packets: what seems lost may only not have been captured"
    regressions = summary.total("regressions")
    if regressions:
        largest = summary.total("largest_regression_ns") / 1e9
        frame = summary.total("first_regression")
        times = "once" if regressions == 1 else f"{regressions:,} times"
        yield f"the capture clock steps back {times} (by up to {largest:.6f} s, first at frame {frame:,})"
    unknown = {i.link_type for i in analysis.interfaces if not is_decoded(i.link_type)}
    frames = summary.stops.get("link_type", 0)
    if unknown and frames:
        names = ", ".join(sorted(link_name(number) for number in unknown))
        yield f"{frames:,} frames of a link layer that is not decoded ({names})"
    left = analysis.flow_tracker.left
    if left:
        what = ", ".join(f"{count:,} {word.replace('_', ' ') or 'UDP'}" for word, count in left.most_common())
        yield f"{left.total():,} flows left to make room for others (--max-flows), and are counted but not listed: {what}"
