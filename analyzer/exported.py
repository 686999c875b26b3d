"""One table as DataFrames, piece by piece, while its captures are read: what `export` writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.analysis import Analysis
from analyzer.capture import Damage
from analyzer.capture.given import paths_of
from analyzer.choose import Time, choice_of
from analyzer.described import EVERY_TABLE
from analyzer.errors import UsageError, suggest
from analyzer.passes import Progress, table_rows
from analyzer.run import Captures, analyze, check_points
from analyzer.streamed import streamed_rows
from analyzer.tables import CHECKSUMS, FINDINGS, FLOWS, PACKETS, PASSAGES, POINT_TABLES, TABLES
from analyzer.text import length_ns
from analyzer.whole import WHOLE, whole_frames

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.lines import Written
    from analyzer.points.points import Points

KEPT = (FLOWS.name, CHECKSUMS.name)  # tables that an analysis has, without reading again


def table_frames(
    paths: list[str],
    table: str,
    *,
    snapshots: Sequence[str | Path] = (),
    sockets: Sequence[str | Path] = (),
    hosts: Sequence[str] = (),
    increments: bool | None = None,
    progress: Progress | None = None,
    damages: list[Damage] | None = None,
    every: str = "1s",
    filter: str | None = None,
    flow: int | str | Sequence[int] | None = None,
    between: tuple[Time, Time] | None = None,
    frames: str | tuple[int, int] | None = None,
    jobs: int | None = None,
    reasons: list[str] | None = None,
) -> Iterator[pd.DataFrame]:
    """A table as DataFrames, at least one, while the capture is read; what could not be read is added to `damages`.

    `reasons` gets why one process did it, where several were asked to (`jobs`).

    `every` is of `series`, which has intervals of one flow alone where one is asked for; `jobs` is as in `analyze`; `filter`, `flow`, `between` and `frames` are as in `analyze`. Raises UsageError where a table of counters is asked for, and its host or its snapshots are not known.
    """
    if table in WHOLE or (jobs is not None and table in KEPT):
        analysis = analyze(
            paths,
            snapshots=snapshots,
            sockets=sockets,
            hosts=hosts,
            increments=increments,
            progress=progress,
            filter=filter,
            flow=flow,
            between=between,
            frames=frames,
            jobs=jobs,
        )
        if damages is not None:
            damages.extend(analysis.damages)
        if reasons is not None and analysis.one_pass:
            reasons.append(analysis.one_pass)
        pieces = whole_frames(analysis, table) if table in WHOLE else _kept(analysis, table)
    else:
        choice, every_ns = choice_of(filter, flow, between, frames), length_ns(every, "--every")
        parts = streamed_rows(
            paths,
            table,
            jobs=jobs,
            progress=progress,
            damages=damages,
            reasons=reasons,
            every_ns=every_ns,
            choice=choice,
        )
        pieces = map(TABLES[table].frame, parts)
    empty = True
    for piece in pieces:
        empty = False
        yield piece
    if empty:
        yield TABLES[table].empty()


def table_pieces(
    paths: list[str], table: str, kind: str, *, jobs: int | None, reasons: list[str], **asked: Any
) -> Iterator[pd.DataFrame | Written]:
    """The same to be written in a format of `lines`: of `packets`, what several processes have written of it, behind a frame without a row."""
    only = [asked.get(name) for name in ("filter", "flow", "between", "frames")]
    if table == PACKETS.name and jobs is not None and not choice_of(*only):
        from analyzer.cluster.tables import table_in_parts

        told: dict[str, Any] = {"progress": asked.get("progress"), "damages": asked.get("damages"), "reasons": reasons}
        with table_in_parts(paths, table, jobs, **told) as found:
            if found is not None:
                yield PACKETS.empty()
                yield from found.written(kind)
        if found is not None:
            return
        jobs = None
    yield from table_frames(paths, table, jobs=jobs, reasons=reasons, **asked)


def _kept(analysis: Analysis, table: str) -> Iterator[pd.DataFrame]:
    """A table that an analysis has kept; of flows, those that have not left."""
    if table == CHECKSUMS.name:
        return iter([analysis.checksums])
    if analysis.flow_tracker.left:
        parts = table_rows(analysis.paths, table, max_flows=analysis.flow_tracker.max_flows, choice=analysis.choice)
        return map(FLOWS.frame, parts)
    return map(FLOWS.frame, analysis.flow_parts())


def point_frames(
    at: Mapping[str, Captures], table: str, clock: str | None, damages: list[Damage], every: str, **asked: Any
) -> Iterator[pd.DataFrame]:
    """A table of several capture points as DataFrames, at least one; what could not be read of their captures is added to `damages`."""
    from analyzer.points.joined import SEVERAL, at_point

    named = {name: paths_of(captures) for name, captures in at.items()}
    if table in WHOLE or table in POINT_TABLES:
        points = analyze(at=named, clock=clock, **asked)
        for each in points.at.values():
            damages.extend(each.damages)
        if table == PASSAGES.name:
            frames = points.passage_frames()
        elif table in POINT_TABLES or table == FINDINGS.name:
            frames = iter([points.table(table)])
        else:
            frames = _whole_at(points, table)
    else:
        check_points(named, clock, **asked)
        frames = (
            at_point(frame, name)
            for name, paths in named.items()
            for frame in table_frames(paths, table, damages=damages, every=every, **asked)
        )
    empty = True
    for frame in frames:
        empty = False
        yield frame
    if empty:
        yield SEVERAL[table].empty()


def _whole_at(points: Points, table: str) -> Iterator[pd.DataFrame]:
    """A table that only the whole of a capture makes, of all points."""
    from analyzer.points.joined import at_point

    for name, analysis in points.at.items():
        for frame in whole_frames(analysis, table):
            yield at_point(frame, name)


def table_named(name: str, where: str, between: bool | None = False) -> str:
    """`name`, if it is a table that can be exported; a UsageError that names `where` it stood, with the nearest names.

    `between` says whether several capture points are given, which alone have some of the tables; None that it does not matter.
    """
    known = TABLES if between is False else EVERY_TABLE
    if name not in EVERY_TABLE:
        raise UsageError(where, f"no table {name!r}", suggest(name, list(known)))
    if name not in known:
        raise UsageError(where, f"{name} is of several capture points", "name several with --at NAME=TRACE")
    return name
