"""One connection, and the list of them: tcpcap flow, tcpcap flows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

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
    say,
    status_of,
    styled,
    warn,
)

if TYPE_CHECKING:
    from analyzer.capture import Damage


@cli.command()
@click.argument("trace", nargs=-1, required=True)
@click.argument("flow", metavar="FLOW")
@click.option("--all", "everything", is_flag=True, help="A line for each frame: runs of ordinary data are not folded.")
@json_option
@choose_options(flow=False)
@beside_options
def flow(
    trace: tuple[str, ...],
    flow: str,
    everything: bool,
    as_json: bool,
    chosen: dict[str, Any],
    beside: dict[str, Any],
) -> None:
    """Tell the story of one connection, frame by frame, both sides beside each other.

    FLOW is its number in `tcpcap flows`, or the ADDRESS:PORT of one of its ends. First its ends, what they agreed on, the way
    between them, where its time went and what was found; then a time line with numbers from the beginning of the
    connection, what happened in words, and pauses with what was waited for.
    """
    from analyzer.kernel_counters import refuse_pipe
    from analyzer.report.flow_json import flow_pieces
    from analyzer.report.flow_text import flow_text
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

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


@cli.command()
@click.argument("trace", nargs=-1, required=True)
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

    As JSON without --sort and --top all of them stream, in the order in which they end.
    """
    from analyzer.choose import choice_of
    from analyzer.passes import table_rows
    from analyzer.report.flow_list import TOP, chosen_columns, first_of, list_json, list_lines, list_ndjson, sort_key
    from analyzer.report.progress import progress_shown

    names, key = chosen_columns(columns or ""), sort_key(sort or "bytes")
    damages: list[Damage] = []
    with progress_shown() as update:
        choice = choice_of(**chosen)
        parts = table_rows(list(trace), "flows", max_flows=max_flows, progress=update, damages=damages, choice=choice)
        if (as_json or as_ndjson) and sort is None and top is None:
            for piece in list_json(parts, None, names) if as_json else list_ndjson(parts, names):
                say(piece, nl=False)
        else:
            most = top or (sys.maxsize if as_json or as_ndjson else TOP)
            rows, total = first_of(parts, key, most, ascending)
    if (as_json or as_ndjson) and (sort or top):
        for piece in list_json([rows], total, names) if as_json else list_ndjson([rows], names):
            say(piece, nl=False)
    elif not (as_json or as_ndjson):
        for line in list_lines(rows, total, names, styled):
            say(line, color=colour())
    warn(damages)
    sys.exit(DAMAGED if damages else OK)
