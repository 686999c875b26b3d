"""`extract()`: frames of a capture -> a pcapng file, with the right interfaces and times, and verdicts as comments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.analysis import Analysis
from analyzer.capture import Capture, Damage, Interface, Interfaces, RecordBatch, open_capture
from analyzer.capture.bundle import inputs
from analyzer.capture.pipes import refuse_pipe
from analyzer.capture.source import Bytes
from analyzer.checksums.fix_output import Output
from analyzer.choose import Time, choice_of
from analyzer.decode import decode
from analyzer.errors import UsageError, suggest
from analyzer.extract.anonymize import Anonymizer
from analyzer.extract.blocks import common_snaplen, interface_block, packet_block, section
from analyzer.extract.comments import comments_of
from analyzer.extract.survey import Survey, frames_of, surveyed
from analyzer.fields import of_fields
from analyzer.kinds import NAMES, NUMBER
from analyzer.output import appearing
from analyzer.passes import Progress
from analyzer.run import analyze
from analyzer.schema import Rows
from analyzer.text import length_ns

DECODED = (
    "layers",
    "stop",
    "l3_at",
    "l4_at",
    "ip_version",
    "ip_proto",
    "src_port",
    "dst_port",
    "tunnel_depth",
    "payload_len",
)


@of_fields(slots=True)
class Cut:
    """What was written: `frames` of `of` in the capture, with so many `comments`; `emptied` are frames of which anonymising left not all headers that are decoded, since it does not know what stands there."""

    frames: int = 0
    of: int = 0
    comments: int = 0
    emptied: int = 0
    damages: list[Damage] = field(default_factory=list)


def extract(
    paths: str | Path | Sequence[str | Path],
    target: str | Path,
    *,
    finding: int | None = None,
    event: str | None = None,
    around: str | None = None,
    filter: str | None = None,
    flow: int | str | Sequence[int] | None = None,
    between: tuple[Time, Time] | None = None,
    frames: str | tuple[int, int] | None = None,
    anonymize: bool | bytes = False,
    progress: Progress | None = None,
    **beside: Any,
) -> Cut:
    """Write frames of a capture to a pcapng file, their events as packet comments.

    Parameters
    ----------
    paths : as `analyze` takes them; no pipe, since they are read twice
    target : the file to write, which appears when it is complete; compressed if its name ends in .gz, .zst, .lz4, .xz or .bz2
    finding : the connections that the finding of this number is about, or its frames where it is about none
    event : frames with this event, and the frames that it refers to
    around : and all else that was captured within so much time of these, such as `5s`
    filter, flow, between, frames : as in `analyze`; a `finding` is that of such an answer, and events are on such frames
    anonymize : replace addresses consistently and zero payload, by a key of 32 bytes, or by a new one that is forgotten
    beside : what else `analyze` takes, for the findings

    Raises UsageError for what is not there, TcpcapError where nothing can be written.
    """
    names = [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    refuse_pipe(names, "extract")
    chosen: dict[str, Any] = {"filter": filter, "flow": flow, "between": between, "frames": frames}
    choice = choice_of(**chosen)
    if event is not None and event not in NUMBER:
        raise UsageError("--event", f"no event {event!r}", suggest(event, list(NAMES)))
    around_ns = 0 if around is None else length_ns(around, "--around")
    if not choice and finding is None and event is None:
        raise UsageError("extract", "it is not said what to cut out", "give --flow, --finding, --event, --filter, --between or --frames")  # fmt: skip
    anonymizer = Anonymizer(anonymize if isinstance(anonymize, bytes) else None) if anonymize else None
    with appearing(
        str(target), inputs(*names, *beside.get("snapshots", ()), *beside.get("sockets", ())), "a capture"
    ) as file:
        found = surveyed(names, progress)
        wanted = np.ones(len(found.frames), np.bool_)
        if choice:
            wanted &= found.mask(frames_of(names, choice, progress))
        if finding is not None:
            wanted &= _of_finding(found, analyze(names, progress=progress, **chosen, **beside), finding)
        if event is not None:
            wanted &= _with_event(found, event)
        if around_ns:
            wanted |= _around(found, wanted, around_ns)
        told = [f"{name} {text}" for name, text in choice.said]
        told += [
            f"{name} {text}" for name, text in (("finding", finding), ("event", event), ("around", around)) if text
        ]
        output = Output(file, str(target))
        cut = _write(names, found, wanted, output, anonymizer, told, progress)
        output.finish()
    return cut


def _of_finding(found: Survey, analysis: Analysis, number: int) -> npt.NDArray[np.bool_]:
    """The frames of the connections that a finding is about; where it is about none, its own."""
    told = analysis.finding(number)
    if told.flows:
        return np.isin(found.frames["flow"], np.array(told.flows, np.int64))
    if not told.frames:
        todo = "cut out a time (--between), or a finding that has frames"
        raise UsageError("--finding", f"finding {number} has neither connections nor frames", todo)
    return found.mask(np.array(told.frames, np.int64))


def _with_event(found: Survey, name: str) -> npt.NDArray[np.bool_]:
    """The frames with an event, and those that it refers to."""
    events = found.events[found.events["event"] == NUMBER[name]]
    return found.mask(np.concatenate([events["frame"], events["related_frame"]]))


def _around(found: Survey, wanted: npt.NDArray[np.bool_], around_ns: int) -> npt.NDArray[np.bool_]:
    """All frames within so much time of a wanted one."""
    times, all_times = np.sort(found.frames["time_ns"][wanted]), found.frames["time_ns"]
    if not len(times):
        return wanted
    behind = np.searchsorted(times, all_times)
    before = all_times - times[np.maximum(behind - 1, 0)]
    after = times[np.minimum(behind, len(times) - 1)] - all_times
    near: npt.NDArray[np.bool_] = (np.abs(before) <= around_ns) | (np.abs(after) <= around_ns)
    return near


def _write(
    names: Sequence[str],
    found: Survey,
    wanted: npt.NDArray[np.bool_],
    output: Output,
    anonymizer: Anonymizer | None,
    told: Sequence[str],
    progress: Progress | None,
) -> Cut:
    """Write the wanted frames in the order of the capture."""
    kept = found.frames[wanted]
    cut = Cut(of=len(found.frames))
    offset_s = min(int(kept["time_ns"].min()) // 1_000_000_000, 0) if len(kept) else 0
    whence = "" if anonymizer else f" from {', '.join(Path(name).name for name in names[:3])}"
    asked = "" if anonymizer else f" ({', '.join(told)})"
    comment = f"{len(kept):,} of {cut.of:,} frames{whence}{asked}{', anonymised' if anonymizer else ''}"
    output.write(_bytes(section(f"tcpcap {version('tcpcap')}", comment)))
    used = np.unique(kept["interface"]).tolist()
    numbers = {interface: number for number, interface in enumerate(used)}
    snaplen = common_snaplen([found.interfaces[interface] for interface in used])
    for interface in used:  # before all frames: whoever reads them knows that others' frames may come late
        told_of = interface_block(found.interfaces[interface], snaplen, offset_s, anonymizer is None)
        output.write(_bytes(told_of))
    with open_capture(list(names)) as capture:
        for batch, rows in _batches(capture, kept):
            places = (rows["frame"] - batch.first_frame).tolist()
            frames = [batch.data(place) for place in places]
            if anonymizer is not None:
                frames = [
                    anonymizer.frame(data, int(batch.rows["length"][place]), _interface(capture, batch, place))
                    for data, place in zip(frames, places, strict=True)
                ]
                cut.emptied += _emptied(batch.rows[places], batch, frames, capture.interfaces)
            for place, row, data in zip(places, rows, frames, strict=True):
                record, number = batch.rows[place], int(batch.rows["interface"][place])
                comments = list(comments_of(row, found.events_of(int(row["frame"]))))
                cut.frames += 1
                cut.comments += len(comments)
                output.write(_bytes(packet_block(record, numbers[number], data, offset_s, comments)))
            if progress is not None:
                progress(capture)
        cut.damages = list(capture.damages)
    return cut


def _interface(capture: Capture, batch: RecordBatch, place: int) -> Interface:
    return capture.interfaces[int(batch.rows["interface"][place])]


def _batches(capture: Capture, kept: Rows) -> Iterator[tuple[RecordBatch, Rows]]:
    """Each batch with the rows of `kept` whose frames it has, up to the last of these."""
    at = 0
    for batch in capture:
        stop = int(np.searchsorted(kept["frame"], batch.first_frame + len(batch)))
        yield batch, kept[at:stop]
        at = stop
        if at == len(kept):
            return


def _emptied(records: Rows, batch: RecordBatch, frames: Sequence[bytes], interfaces: Interfaces) -> int:
    """How many frames are decoded otherwise than before."""
    before = decode(RecordBatch(batch.buffer, records, 1), interfaces)
    moved = records.copy()
    moved["offset"] = np.cumsum([0, *map(len, frames)])[:-1]
    after = decode(RecordBatch(_bytes(b"".join(frames)), moved, 1), interfaces)
    other = np.zeros(len(records), np.bool_)
    for name in DECODED:
        other |= before[name] != after[name]
    return int(other.sum())


def _bytes(content: bytes) -> Bytes:
    return np.frombuffer(content, np.uint8)
