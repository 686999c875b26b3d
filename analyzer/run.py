"""`analyze()`: the one place where all stages meet. Captures and snapshots in, an Analysis out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np

from analyzer.analysis import Analysis
from analyzer.beside import addresses, counter_files, known_names, socket_lists
from analyzer.capture import open_capture
from analyzer.capture.given import Given, files_here, names_of, paths_of
from analyzer.capture.kept import Reader
from analyzer.capture.live import Live
from analyzer.capture.pipes import is_pipe
from analyzer.checksums import Checker, Checksums
from analyzer.checksums.state import DIRECTION
from analyzer.choose import Time, choice_of
from analyzer.described import TIMES, readable
from analyzer.diagnosis.rule import Rule, all_rules
from analyzer.errors import UsageError
from analyzer.events.gather import Gatherer
from analyzer.events.icmp import QUOTED, IcmpErrors
from analyzer.events.judge import Judge
from analyzer.evidence.expected import Expected
from analyzer.evidence.seen import diagnosed
from analyzer.facts import Witness, facts_of
from analyzer.flows import FlowTracker
from analyzer.flows.tracker import MAX_FLOWS
from analyzer.kinds import NAMES
from analyzer.ordering import TimeOrder
from analyzer.passes import TIMED_FLOWS, Progress, chooser_of, decoded, recorded_hosts
from analyzer.presence import Presence, refuse_missing
from analyzer.schema import Rows
from analyzer.summary import Summary
from analyzer.timing import TimeAccount

if TYPE_CHECKING:
    from analyzer.ask import Ask
    from analyzer.cluster.parted import Pass
    from analyzer.correlate import Comparison
    from analyzer.counters import Series
    from analyzer.follow import Flow
    from analyzer.plot.between import PointPlots
    from analyzer.plot.plots import Plots
    from analyzer.points.followed import Followed
    from analyzer.points.passing import Passings
    from analyzer.points.points import Points


class Watcher(Live, Protocol):
    """Follows a capture while it is written."""

    def seen(self, events: Rows, tracker: FlowTracker, start_ns: int) -> None:
        """Takes the next rows of the table `events`; they are overwritten by the next. `start_ns` is the time of the first frame."""

    def read(self, so_far: Callable[[], Analysis]) -> None:
        """Called when all that was there has been read; `so_far` says what is known by now, without counters."""


OF_ONE_CAPTURE = ("paths", "snapshots", "sockets", "hosts", "flow", "frames", "watcher", "on")

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
    on: str | Sequence[str] = (),
    resume: str | Path | None = None,
    findings: bool = False,
) -> Analysis | Points:
    """Read, decode and follow a capture, or what of it is asked for.

    Parameters
    ----------
    paths : a file, a URL that fsspec opens, `-` for standard input, a bundle directory, the bytes of a capture, an open binary file, or several of them as one capture
        What is unpacked, or kept of bytes, lies below TMPDIR until the Analysis is closed (`close`, or `with`) or nobody knows it any more
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
    on : captures that lie at machines of the `cluster` alone, each as "HOST:/path", beside `paths` or instead of them: HOST is a worker's name or
        address. What is to be read again, or by one process, is refused; copy them for that
    resume : a folder where what was done of the work on this capture is kept until all of it is done: with `jobs` (without it or `cluster`,
        as many as there are cores) or `cluster`, whoever was interrupted goes on there. Small captures are read in parts, too
    findings : whether the findings will be asked for in any case: what answers the rules is opened while the capture is being read, where one
        process reads one capture

    Raises `analyzer.errors.CaptureError` where nothing can be read, `analyzer.errors.UsageError` for what cannot be meant. Damage inside a capture is data: see `damages`.
    """
    if at is not None:
        check_points(
            at, clock, paths=paths, snapshots=snapshots, sockets=sockets, hosts=hosts, flow=flow, frames=frames, watcher=watcher, on=on
        )  # fmt: skip
        asked: dict[str, Any] = {
            "increments": increments, "checksums": checksums, "max_flows": max_flows, "batch_frames": batch_frames,
            "window_bytes": window_bytes, "rules": rules, "times": times, "progress": progress, "filter": filter, "between": between,
        }  # fmt: skip
        return _between(at, asked, all_rules(names_of(rules, "rules")), clock, times)
    choice = choice_of(filter, flow, between, frames)
    names = paths_of(paths)
    if on:
        from analyzer.cluster.machines import laid_out

        names += laid_out(cluster, names_of(on, "on"))
    reader = Reader(names)
    snapshots, sockets = files_here(snapshots, "snapshots"), files_here(sockets, "sockets")
    rules = names_of(rules, "rules")
    if times not in TIMES:
        raise UsageError("times", f"{times!r} is no form of times", f"give one of {', '.join(TIMES)}")
    if progress is None and watcher is None:
        progress = _progress()
    given, recorded = addresses(names_of(hosts, "hosts")), recorded_hosts(names)
    files, known = counter_files(names, snapshots), known_names(names, given, recorded)
    read = counters = None
    if files:
        from analyzer.counters import chosen, refitted, series_of

        read = series_of(files, increments=increments)
        counters = chosen(read, known)
    lists = socket_lists(names, sockets)
    known_rules = all_rules(rules)
    ahead = findings and jobs in (None, 2) and cluster is None and resume is None
    expected = Expected(known_rules, bool(files or lists)) if ahead else None
    chooser = chooser_of(choice, max_flows)
    presence = Presence(given if chooser is None else ())  # a part may well be without its host
    summary, checker = Summary(), Checker() if checksums else None
    tracker = FlowTracker(max_flows, numbered=chooser is not None)
    judge, account, gatherer = Judge(tracker, keep=True), TimeAccount(tracker), Gatherer()
    complaints = IcmpErrors()
    local = given or list(recorded)
    parts: Pass | None = None
    one_pass = ""
    beside: dict[str, Any] = {}  # what is wanted of parts beyond that
    # Without verified checksums nobody knows what the host has dropped: then the comparison reads the capture for itself.
    decided = counters is not None and (counters.snapshots or not counters.others)
    counted = None
    if counters is not None and decided and local and checksums:
        from analyzer.correlate import Comparison
        from analyzer.kernel_counters import counting_of, predictor_of, take_counts

        counted, predictor = Comparison(counters), predictor_of(local, names)

    def found(
        counters: Series | None = None, counted: Comparison | None = None, absent: Sequence[str] = ()
    ) -> Analysis:
        """What is known by now."""
        summary.note_copies(judge.seen["twice"], judge.seen["twice_bytes"])
        counts = {name: int(count) for name, count in zip(NAMES, judge.counts, strict=True) if count}
        told = chooser.ways.among if chooser else None
        busiest = tracker.busiest(TIMED_FLOWS)
        result = Checksums(checker, busiest, recorded, given, told) if checker is not None else None
        analysis = Analysis(
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
            _notebook_html,
            lists,
            gatherer.rows() if parts is None else parts.gathered,
            complaints,
            lambda analysis: diagnosed(analysis, known_rules, at_once=jobs != 1),
            _plots,
            _flow_text,
            choice,
            [*capture.notes, *absent],
            times,
            _ask,
            chooser.first_ns if chooser else None,
        )
        analysis.reader = reader
        return analysis

    with open_capture(names, batch_frames=batch_frames, window_bytes=window_bytes, live=watcher) as capture:
        order = TimeOrder(capture)
        if jobs is not None or cluster is not None or resume is not None:
            only = {
                "part of it is asked for": chooser,
                "it is followed": watcher,
                "it is compared with others": passings,
            }
            from analyzer.cluster.asked import in_parts

            if counted is not None:
                beside = {"tables": ["events"], "counters": counting_of(counted, local, names)}

            parts, one_pass = in_parts(
                capture, cluster, jobs, resume, [reason for reason, given_ in only.items() if given_ is not None],
                then=lambda told: None if counted is None else take_counts(counted, told),
                checking=checksums, addresses=given, max_flows=max_flows, progress=progress, beside=beside,
            )  # fmt: skip
            if on and parts is None:
                found_ = f"one process must read all of it: {one_pass}"
                raise UsageError("--on", found_, "leave out what asks for that, or copy the files here")
        if parts is not None:
            summary, tracker, judge, checker = parts.summary, parts.tracker, parts.judge, parts.checker
            complaints, presence = parts.complaints, parts.presence
        mark = passings.mark if passings is not None else None
        for rows in decoded(capture, checker, order, chooser, mark, ahead=jobs != 1) if parts is None else ():
            if summary.add(rows, len(capture.interfaces)) & QUOTED:
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
            if expected is not None:
                expected.see(judge.counts)
            if progress is not None:
                progress(capture)
            if watcher is not None:
                watcher.read(found)
    for events in judge.finish() if parts is None else ():
        gatherer.add(events)
    if counted is not None and parts is None:
        counted.close(predictor)
    if counters is not None and read is not None and summary.total("frames"):
        span = summary.total("first_ns"), summary.total("last_ns")
        fitting = refitted(read, files, increments, span)
        if fitting is not None:
            fitting = chosen(fitting, known)
            # The comparison reads the capture again, which nobody can where it is a pipe.
            counters, counted = (
                (counters, counted) if counted is not None and any(map(is_pipe, names)) else (fitting, None)
            )
    absent: Sequence[str] = ()
    if presence.missing():
        directions = checker.directions if checker else np.zeros(0, DIRECTION)
        absent = refuse_missing(presence, given, directions, tracker.busiest(TIMED_FLOWS))
    result = found(counters, counted, absent)
    result.one_pass = one_pass
    return result


def check_points(at: Mapping[str, Captures], clock: str | None, **beside: Any) -> None:
    """Raise UsageError for fewer than two points, a clock of none of them, and what belongs to one capture and was given."""
    from analyzer.points.given import check_named, refuse_single

    refuse_single(**{name: value for name, value in beside.items() if name in OF_ONE_CAPTURE})
    check_named(list(at), clock)


def _between(
    at: Mapping[str, Captures], asked: Mapping[str, Any], rules: Sequence[Rule], clock: str | None, times: str
) -> Points:
    """What became of packets between several points; imported when there are several."""
    from analyzer.evidence_between import diagnosed_between
    from analyzer.points.points import points_of
    from analyzer.points.tabled import Tools
    from analyzer.report.points_text import points_text

    tools = Tools(lambda points: diagnosed_between(points, rules), points_text, _ask, _point_plots, _followed_text)
    return points_of(at, lambda captures, kept: analyze(captures, **asked, passings=kept), tools, clock, times)


def _progress() -> Progress | None:
    """What draws progress in a running notebook; None anywhere else."""
    if "ipykernel" not in sys.modules:
        return None
    from analyzer.report.display import progress_in_notebook

    return progress_in_notebook()


def _notebook_html(analysis: Analysis) -> str:
    """Imported when a notebook shows it."""
    from analyzer.report.display import notebook_html

    return notebook_html(analysis)


def _flow_text(flow: Flow, whole: bool) -> str:
    """Imported when a connection is shown."""
    from analyzer.report.flow_text import flow_text

    return flow_text(flow, whole)


def _plots(analysis: Analysis) -> Plots:
    """Imported when the first picture is wanted."""
    from analyzer.plot.plots import Plots

    return Plots(analysis)


def _followed_text(found: Followed, points: Points, everything: bool) -> str:
    """Imported when a connection of several points is shown."""
    from analyzer.report.followed_text import followed_text

    return followed_text(found, points, everything)


def _point_plots(points: Points) -> PointPlots:
    """Likewise, of several points."""
    from analyzer.plot.between import PointPlots

    return PointPlots(points)


def _ask(analysis: Analysis | Points) -> Ask:
    """Imported when the first question is asked."""
    from analyzer.ask import Ask

    return Ask(analysis)
