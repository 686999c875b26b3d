"""One connection, and the list of them: tcpcap flow, tcpcap flows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import click

from analyzer.cli.base import (
    DAMAGED,
    OK,
    beside_options,
    choose_options,
    cli,
    colour,
    json_option,
    max_flows_option,
    ndjson_option,
    points_given,
    points_options,
    say,
    status_of,
    styled,
    warn,
)
from analyzer.fields import of_fields

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.capture import Damage
    from analyzer.passes import Progress
    from analyzer.report.flow_list import Key
    from analyzer.schema import Rows


@cli.command()
@click.argument("trace", nargs=-1)
@click.argument("flow", metavar="FLOW")
@points_options
@click.option("--all", "everything", is_flag=True, help="A line for each frame: runs of ordinary data are not folded.")
@json_option
@choose_options(flow=False)
@beside_options
def flow(
    trace: tuple[str, ...],
    flow: str,
    at: tuple[str, ...],
    clock: str | None,
    everything: bool,
    as_json: bool,
    chosen: dict[str, Any],
    beside: dict[str, Any],
) -> None:
    """Tell the story of one connection, frame by frame, both sides beside each other.

    FLOW is its number in `tcpcap flows`, or the ADDRESS:PORT of one of its ends. First its ends, what they agreed on, the way
    between them, where its time went and what was found; then a time line with numbers from the beginning of the
    connection, what happened in words, and pauses with what was waited for. With --at, a line for each packet with its frame at each capture
    point, how long it was on the way and what became of it; FLOW is then the number at the first point, or an end at any.
    """
    from analyzer.capture.pipes import refuse_pipe
    from analyzer.report.flow_json import flow_pieces
    from analyzer.report.flow_text import flow_text
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

    points = points_given(trace, at, clock, plain=False)
    if points:
        _flow_at(points, clock, flow, everything, as_json, chosen, beside)
    refuse_pipe(trace, "flow")
    with progress_shown() as update:
        analysis = run(list(trace), **beside, **chosen, progress=update)
    found = analysis.flow(flow)
    if as_json:
        for piece in flow_pieces(found):
            say(piece, nl=False)
    else:
        say(flow_text(found, everything, styled), nl=False, color=colour())
    warn(analysis.damages)
    sys.exit(status_of(analysis))


def _flow_at(
    at: dict[str, list[str]],
    clock: str | None,
    flow: str,
    everything: bool,
    as_json: bool,
    chosen: dict[str, Any],
    beside: dict[str, Any],
) -> NoReturn:
    """The same of several capture points."""
    from analyzer.capture.pipes import refuse_pipe
    from analyzer.report.followed_json import followed_pieces
    from analyzer.report.followed_text import followed_text
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

    refuse_pipe([path for paths in at.values() for path in paths], "flow")
    with progress_shown() as update:
        points = run(at=at, clock=clock, **beside, **chosen, progress=update)
    found = points.flow(flow)
    if as_json:
        for piece in followed_pieces(found, points):
            say(piece, nl=False)
    else:
        say(followed_text(found, points, everything, styled), nl=False, color=colour())
    damages = [damage for analysis in points.at.values() for damage in analysis.damages]
    warn(damages)
    sys.exit(DAMAGED if damages else OK)


@cli.command()
@click.argument("trace", nargs=-1)
@points_options
@click.option(
    "--sort",
    metavar="WORD",
    help="Most of it first: bytes (without this), packets, duration, loss, retransmissions, timeouts, rtt, rate, zero-window, "
    "server-time, lost-time, or any column of numbers.",
)
@click.option("--ascending", is_flag=True, help="Least of it first.")
@click.option("--top", type=click.IntRange(min=1), help="How many; without, 20 as text and all as JSON.")
@click.option("--columns", metavar="NAMES", help="These columns of the table flows, with commas between them.")
@json_option
@ndjson_option
@choose_options()
@max_flows_option
def flows(
    trace: tuple[str, ...],
    at: tuple[str, ...],
    clock: str | None,
    sort: str | None,
    ascending: bool,
    top: int | None,
    columns: str | None,
    as_json: bool,
    as_ndjson: bool,
    chosen: dict[str, Any],
    max_flows: int,
) -> None:
    """List the connections, sorted by what matters.

    As JSON without --sort and --top all of them stream, in the order in which they end. With --at, those of each capture point.
    """
    from analyzer.report.flow_list import chosen_columns, list_json, list_ndjson, sort_key

    points = points_given(trace, at, clock, plain=False)
    if points:
        from analyzer.run import check_points

        check_points(points, clock, flow=chosen["flow"], frames=chosen["frames"])
    wanted = _Wanted(chosen_columns(columns or ""), sort_key(sort or "bytes"), ascending, top, max_flows, chosen)
    streams = (as_json or as_ndjson) and sort is None and top is None
    lists = [_List(wanted, paths, name, streams) for name, paths in (points or {"": list(trace)}).items()]
    if as_json or as_ndjson:
        frames = (frame for each in lists for frame in each.frames(sys.maxsize))
        if as_ndjson:
            pieces = list_ndjson(frames)
        elif streams:
            pieces = list_json(frames, None)
        else:
            rows = list(frames)
            pieces = list_json(rows, sum(each.total for each in lists))
        for piece in pieces:
            say(piece, nl=False)
    else:
        for number, each in enumerate(lists):
            for line in each.lines(number > 0):
                say(line, color=colour())
    damages = [damage for each in lists for damage in each.damages]
    warn(damages)
    sys.exit(DAMAGED if damages else OK)


@of_fields(frozen=True)
class _Wanted:
    """What is asked of a list of connections."""

    columns: list[str]
    key: Key
    ascending: bool
    top: int | None
    max_flows: int
    chosen: dict[str, Any]


class _List:
    """The connections of a capture, or of a capture point that has a name. `total` and `damages` are known when it was read."""

    def __init__(self, wanted: _Wanted, paths: list[str], point: str, streams: bool) -> None:
        self._wanted, self._paths, self._point, self._streams = wanted, paths, point, streams
        self.total = 0
        self.damages: list[Damage] = []

    def frames(self, most: int) -> Iterator[pd.DataFrame]:
        """As DataFrames: all as they end, or the first of them."""
        from analyzer.report.flow_list import frames_of
        from analyzer.report.progress import progress_shown

        if self._streams:
            with progress_shown() as update:
                yield from frames_of(self._parts(update), self._wanted.columns, self._point)
        else:
            yield from frames_of([self._first(most)], self._wanted.columns, self._point)

    def lines(self, apart: bool) -> Iterator[str]:
        """As text, under the name of the point."""
        from analyzer.report.flow_list import TOP, list_lines
        from analyzer.text import printable

        rows = self._first(TOP)
        if self._point:
            yield ("\n" if apart else "") + styled(f"at {printable(self._point)}", "title")
        yield from list_lines(rows, self.total, self._wanted.columns, styled)

    def _first(self, most: int) -> Rows:
        from analyzer.report.flow_list import first_of
        from analyzer.report.progress import progress_shown

        wanted = self._wanted
        with progress_shown() as update:
            rows, self.total = first_of(self._parts(update), wanted.key, wanted.top or most, wanted.ascending)
        return rows

    def _parts(self, progress: Progress | None) -> Iterator[Rows]:
        from analyzer.choose import choice_of
        from analyzer.passes import table_rows

        return table_rows(
            self._paths,
            "flows",
            max_flows=self._wanted.max_flows,
            progress=progress,
            damages=self.damages,
            choice=choice_of(**self._wanted.chosen),
        )
