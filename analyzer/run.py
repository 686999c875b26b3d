"""`analyze()`: the one place where all stages meet. Captures and snapshots in, an Analysis out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np

from analyzer.analysis import Analysis
from analyzer.capture import open_capture
from analyzer.capture.bundle import host_of, part_of
from analyzer.capture.given import Given, names_of, paths_of
from analyzer.capture.live import Live
from analyzer.capture.support import report_of
from analyzer.checksums import Checker, Checksums
from analyzer.checksums.state import DIRECTION
from analyzer.choose import Time, choice_of
from analyzer.correlate import Comparison
from analyzer.counters import Series, chosen, holds_counters, refitted, series_of
from analyzer.described import TIMES, readable
from analyzer.diagnosis.rule import Rule, all_rules
from analyzer.errors import UsageError
from analyzer.events.gather import Gatherer
from analyzer.events.icmp import IcmpErrors
from analyzer.events.judge import Judge
from analyzer.evidence import diagnosed
from analyzer.facts import Witness, facts_of
from analyzer.flows import FlowTracker
from analyzer.flows.tracker import MAX_FLOWS
from analyzer.kernel_counters import predictor_of
from analyzer.kinds import NAMES
from analyzer.ordering import TimeOrder
from analyzer.parts import COUNTERS_FILE, COUNTERS_TEXT, SOCKETS_FILE, SOCKETS_TEXT
from analyzer.passes import TIMED_FLOWS, Progress, chooser_of, decoded, recorded_hosts
from analyzer.presence import Presence, refuse_missing
from analyzer.report.display import notebook_html, progress_in_notebook
from analyzer.report.flow_text import flow_text
from analyzer.schema import Rows
from analyzer.sockets import ListFile, SocketLists, lists_in, lists_named
from analyzer.summary import Summary
from analyzer.timing import TimeAccount

if TYPE_CHECKING:
    from analyzer.ask import Ask
    from analyzer.capture import Capture
    from analyzer.cluster.parted import Pass
    from analyzer.plot.plots import Plots
    from analyzer.points.passing import Passings
    from analyzer.points.points import Points


class Watcher(Live, Protocol):
    """Follows a capture while it is written."""

    def seen(self, events: Rows, tracker: FlowTracker, start_ns: int) -> None:
        """Takes the next rows of the table `events`; they are overwritten by the next. `start_ns` is the time of the first frame."""

    def read(self, so_far: Callable[[], Analysis]) -> None:
        """Called when all that was there has been read; `so_far` says what is known by now, without counters."""


AHEAD_JOBS = 2  # so many cores one process keeps busy, which reads ahead
LEAST_IN_PARTS = 256 << 20  # bytes of a capture: of a smaller one, one process is done as soon as several are there

Captures = Given | Sequence[Given]  # a path, bytes, an open binary file, or several of them
Files = str | Path | Sequence[str | Path]


@overload
def analyze(paths: Captures, **asked: Any) -> Analysis: ...


@overload
def analyze(*, at: Mapping[str, Captures], clock: str | None = None, **asked: Any) -> Points: ...


@readable  # type: ignore[misc] # the overloads leave to the implementation what else may be asked
def analyze(
    paths: Captures = (),
    *,
    at: Mapping[str, Captures] | None = None,
    clock: str | None = None,
    snapshots: Files = (),
    sockets: Files = (),
    hosts: str | Sequence[str] = (),
    increments: bool | None = None,
    checksums: bool = True,
    max_flows: int = MAX_FLOWS,
    batch_frames: int | None = None,
    window_bytes: int | None = None,
    rules: Files = (),
    times: str = "ns",
    progress: Progress | None = None,
    filter: str | None = None,
    flow: int | str | Sequence[int] | None = None,
    between: tuple[Time, Time] | None = None,
    frames: str | tuple[int, int] | None = None,
    watcher: Watcher | None = None,
    passings: Passings | None = None,
    jobs: int | None = None,
    cluster: Any = None,
) -> Analysis | Points:
    """Read, decode and follow a capture, or what of it is asked for.

    Parameters
    ----------
    paths : a file, `-` for standard input, a bundle directory, the bytes of a capture, an open binary file, or several of them as one capture
    at : instead of `paths`, the captures of several points by their names: what was sent at one is looked for at the others, see `analyzer.points`.
        What belongs to one capture (snapshots, sockets, hosts, flow, frames, watcher) cannot be given with it; bundles have it inside
    clock : the point whose clock all times between points are on; without, that of the point nearest to most clients
    snapshots : files of kernel counters, as `analyzer.counters.read_snapshots` reads; those of a bundle are found
    sockets : files of socket lists, as `analyzer.sockets.SocketFile` reads; those of a bundle are found
    increments : whether nstat's values in them are increments; None judges by all of them together
    hosts : addresses of the host that took the capture, where they are known better than the packets tell
    checksums : verify them; without, `checksums` and `capture_hosts` stay empty
    max_flows : how many conversations are followed at most
    rules : folders of rules beside those that come with tcpcap and the user's own
    times : "ns", or "datetime": tables have each moment as datetime64[ns, UTC], too (`start_time` beside `start_ns`)
    batch_frames, window_bytes : how much is worked on at once; the result does not depend on it
    progress : called with the Capture after each batch
    filter, flow, between, frames : only the frames that an expression in tcpdump's language lets pass, of these flows,
        between two times, of these numbers: as `analyzer.choose.choice_of` reads them. All else is as if it had not been
        captured; frames and flows keep the numbers that they have in the whole capture
    watcher : follows a capture that is still being written, until it has seen enough
    passings : keeps what its segments are known by at another capture point
    jobs : how many cores work on it: with 1 one frame is read and judged after the other, with 2 reading runs ahead (as without),
        from 3 on the capture is read and judged in parts by as many processes, where each part can be told for itself; the result is the
        same. `one_pass` of the result says why it was not
    cluster : instead of `jobs`, who does the work: the address of the scheduler of a dask cluster, a `distributed.Client`, or an
        `analyzer.cluster.executor.Executor`

    Raises `analyzer.errors.CaptureError` where nothing can be read, `analyzer.errors.UsageError` for what cannot be meant. Damage inside a capture is data: see `damages`.
    """
    if at is not None:
        from analyzer.points.given import refuse_single

        refuse_single(
            paths=paths, snapshots=snapshots, sockets=sockets, hosts=hosts, flow=flow, frames=frames, watcher=watcher
        )
        asked: dict[str, Any] = {
            "increments": increments, "checksums": checksums, "max_flows": max_flows, "batch_frames": batch_frames,
            "window_bytes": window_bytes, "rules": rules, "times": times, "progress": progress, "filter": filter, "between": between,
        }  # fmt: skip
        return _between(at, asked, all_rules(names_of(rules, "rules")), clock, times)
    choice = choice_of(filter, flow, between, frames)
    names, snapshots, sockets = paths_of(paths), names_of(snapshots, "snapshots"), names_of(sockets, "sockets")
    rules = names_of(rules, "rules")
    if times not in TIMES:
        raise UsageError("times", f"{times!r} is no form of times", f"give one of {', '.join(TIMES)}")
    if progress is None and watcher is None:
        progress = progress_in_notebook()
    given, recorded = addresses(names_of(hosts, "hosts")), recorded_hosts(names)
    files = _counter_files(names, snapshots)
    read = series_of(files, increments=increments) if files else None
    known = _known_names(names, given, recorded)
    counters = chosen(read, known) if read is not None else None
    lists = _socket_lists(names, sockets)
    lists.check()
    known_rules = all_rules(rules)
    chooser = chooser_of(choice, max_flows)
    presence = Presence(given if chooser is None else ())  # a part may well be without its host
    summary, checker = Summary(), Checker() if checksums else None
    tracker = FlowTracker(max_flows, numbered=chooser is not None)
    judge, account, gatherer = Judge(tracker, keep=True), TimeAccount(tracker), Gatherer()
    complaints = IcmpErrors()
    local = given or list(recorded)
    parts: Pass | None = None
    one_pass = ""
    # Without verified checksums nobody knows what the host has dropped: then the comparison reads the capture for itself.
    decided = counters is not None and (counters.snapshots or not counters.others)
    counted = Comparison(counters) if counters is not None and decided and local and checksums else None
    predictor = predictor_of(local, names)

    def found(
        counters: Series | None = None, counted: Comparison | None = None, absent: Sequence[str] = ()
    ) -> Analysis:
        """What is known by now."""
        summary.note_copies(judge.seen["twice"], judge.seen["twice_bytes"])
        counts = {name: int(count) for name, count in zip(NAMES, judge.counts, strict=True) if count}
        told = chooser.ways.among if chooser else None
        busiest = tracker.busiest(TIMED_FLOWS)
        result = Checksums(checker, busiest, recorded, given, told) if checker is not None else None
        return Analysis(
            names,
            capture.files,
            capture.interfaces,
            capture.damages,
            summary,
            tracker,
            counts,
            facts_of(Witness.of(summary, capture.interfaces, tracker, judge, order, chooser)),
            result,
            counters,
            local,
            counted,
            notebook_html,
            lists,
            gatherer.rows() if parts is None else parts.gathered,
            complaints,
            lambda analysis: diagnosed(analysis, known_rules),
            _plots,
            flow_text,
            choice,
            [*capture.notes, *absent],
            times,
            _ask,
            chooser.first_ns if chooser else None,
        )

    with open_capture(names, batch_frames=batch_frames, window_bytes=window_bytes, live=watcher) as capture:
        order = TimeOrder(capture)
        if jobs is not None or cluster is not None:
            only = {
                "part of it is asked for": chooser,
                "it is followed": watcher,
                "it is compared with others": passings,
                "kernel counters are predicted": counted,
            }
            parts, one_pass = _in_parts(
                capture, cluster, jobs, [reason for reason, given_ in only.items() if given_ is not None],
                checking=checksums, addresses=given, max_flows=max_flows, progress=progress,
            )  # fmt: skip
        if parts is not None:
            summary, tracker, judge, checker = parts.summary, parts.tracker, parts.judge, parts.checker
            complaints, presence = parts.complaints, parts.presence
        for rows in decoded(capture, checker, order, chooser, ahead=jobs != 1) if parts is None else ():
            summary.add(rows, len(capture.interfaces))
            complaints.add(rows)
            presence.add(rows)
            for part in tracker.follow(rows):
                for events in judge.left():
                    gatherer.add(events)
                for piece, events in judge.judged(part):
                    account.add(piece, judge.moments)
                    gatherer.add(events)
                    if passings is not None:
                        passings.add(piece)
                    if watcher is not None:
                        watcher.seen(events, tracker, (chooser and chooser.first_ns) or summary.total("first_ns"))
                    if counted is not None:
                        counted.add(piece, events, predictor)
            if progress is not None:
                progress(capture)
            if watcher is not None:
                watcher.read(found)
    for events in judge.finish() if parts is None else ():
        gatherer.add(events)
    if counted is not None:
        counted.close(predictor)
    if counters is not None and read is not None and summary.total("frames"):
        span = summary.total("first_ns"), summary.total("last_ns")
        fitting = refitted(read, files, increments, span)
        if fitting is not None:
            fitting = chosen(fitting, known)
            # The comparison reads the capture again, which nobody can where it is a pipe.
            piped = any(name == "-" or Path(name).is_fifo() for name in names)
            counters, counted = (counters, counted) if piped and counted is not None else (fitting, None)
    absent = refuse_missing(
        presence, given, checker.directions if checker else np.zeros(0, DIRECTION), tracker.busiest(TIMED_FLOWS)
    )
    result = found(counters, counted, absent)
    result.one_pass = one_pass
    return result


def _in_parts(
    capture: Capture, cluster: Any, jobs: int | None, reasons: list[str], **asked: Any
) -> tuple[Pass | None, str]:
    """What processes or machines find in parts; or why they do not. Imported when they are asked for."""
    if cluster is None and (jobs or 1) <= AHEAD_JOBS:
        return None, ""
    from analyzer.cluster.parted import NotInParts, Parted
    from analyzer.cluster.processes import Processes
    from analyzer.cluster.ranges import why_whole

    reason = next(iter(reasons), "") or why_whole(capture)
    if not reason and cluster is None and (capture.size or 0) < LEAST_IN_PARTS:
        reason = "it is small, and one process is done as soon as several are there"
    if reason:
        return None, reason
    try:
        if cluster is None:
            with Processes(jobs or 1) as processes:
                return Parted(capture, processes, **asked).run(), ""
        if not hasattr(cluster, "run") or hasattr(cluster, "scheduler_info"):
            from analyzer.cluster.machines import connected

            with connected(cluster, capture.paths[0]) as machines:
                return Parted(capture, machines, **asked).run(), ""
        return Parted(capture, cluster, **asked).run(), ""
    except NotInParts as error:
        capture.has_read(-capture.done)
        return None, str(error)


def _between(
    at: Mapping[str, Captures], asked: Mapping[str, Any], rules: Sequence[Rule], clock: str | None, times: str
) -> Points:
    """What became of packets between several points; imported when there are several."""
    from analyzer.evidence_between import diagnosed_between
    from analyzer.points.points import points_of
    from analyzer.report.points_text import points_text

    return points_of(
        at,
        lambda captures, kept: analyze(captures, **asked, passings=kept),
        lambda points: diagnosed_between(points, rules),
        points_text,
        clock,
        times,
    )


def _plots(analysis: Analysis) -> Plots:
    """Imported when the first picture is wanted."""
    from analyzer.plot.plots import Plots

    return Plots(analysis)


def _ask(analysis: Analysis) -> Ask:
    """Imported when the first question is asked."""
    from analyzer.ask import Ask

    return Ask(analysis)


def _known_names(paths: Sequence[str], given: Sequence[str], recorded: Iterable[str]) -> list[str]:
    """What the host that took the capture may be called: its names and addresses."""
    names = [host.name for host in map(host_of, paths) if host is not None]
    return [*names, *(given or recorded)]


def addresses(hosts: Sequence[str]) -> list[str]:
    """The addresses of hosts in their usual form; a UsageError for what is none."""
    found = []
    for host in hosts:
        try:
            found.append(str(ipaddress.ip_address(host)))
        except ValueError:
            raise UsageError("--host", f"{host!r} is no IP address", "give one, such as 192.0.2.1") from None
    return found


def _counter_files(paths: Sequence[str], snapshots: Sequence[str | Path]) -> list[str | Path]:
    """The files with the counters of a host: those that were named, else those of the only bundle, or of all reports of one host."""
    if snapshots:
        return list(snapshots)
    found: dict[str, list[str | Path]] = {}
    for path in paths:
        file = part_of(path, COUNTERS_FILE, COUNTERS_TEXT) or (path if holds_counters(path) else None)
        if file is not None:
            host = host_of(path)
            found.setdefault(host.name if host and host.name else path, []).append(file)
    return next(iter(found.values())) if len(found) == 1 else []


def _socket_lists(paths: Sequence[str], sockets: Sequence[str | Path]) -> SocketLists:
    """The socket lists that were named, else those of the bundles and reports, each with the name of its host."""
    hosts = {path: host.name for path in paths if (host := host_of(path)) is not None}
    if sockets:
        names = set(hosts.values())
        name = names.pop() if len(names) == 1 else ""
        return SocketLists([file for path in sockets for file in lists_named(str(path), name)])
    found = []
    for path in paths:
        if file := part_of(path, SOCKETS_FILE, SOCKETS_TEXT):
            found.append(ListFile(file, hosts.get(path, "")))
        elif report := report_of(path):
            found += lists_in(report)
    return SocketLists(found)
