"""tcpcap plot: one picture of a connection, of counters or of the whole capture, as a page, SVG or PNG."""

from __future__ import annotations

import sys
from typing import Any

import click

from analyzer.cli import complete
from analyzer.cli.base import (
    DAMAGED,
    OK,
    beside_options,
    choose_options,
    cli,
    points_given,
    points_options,
    read_by,
    status_of,
    warn,
)

OF_A_FLOW = ("connection", "time-sequence", "throughput", "rtt", "window", "time-account")
OF_ALL = ("counters", "overview")


@cli.command()
@click.argument("trace", nargs=-1)
@points_options
@click.option(
    "--flow",
    type=click.IntRange(min=0),
    help="Which connection: its number in the table flows; with --at, that in the table flows of the first point.",
)
@click.option(
    "--kind",
    show_default="connection; with --at, time-sequence",
    type=click.Choice([*OF_A_FLOW, *OF_ALL]),
    metavar="KIND",
    help=f"What to draw: {', '.join([*OF_A_FLOW, *OF_ALL])}; connection is all that there is of one.",
)
@click.option(
    "--counter",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete.counters,
    help="Of counters, these; may be repeated.",
)
@click.option("-o", "--output", required=True, metavar="FILE", help="File to write: .html (zoom, hover), .svg or .png.")
@choose_options(flow=False)
@beside_options
def plot(
    trace: tuple[str, ...],
    at: tuple[str, ...],
    clock: str | None,
    flow: int | None,
    kind: str | None,
    names: tuple[str, ...],
    output: str,
    chosen: dict[str, Any],
    beside: dict[str, Any],
) -> None:
    """Draw a connection, counters, or the whole capture.

    Without --flow, the connection that the worst finding is about, or else the one that lost most time. With --at, what was sent at the
    one capture point and when it came to the other; without --flow, of the connection of which most was lost.
    """
    from analyzer.errors import UsageError
    from analyzer.output import refuse_inputs
    from analyzer.plot.extras import check
    from analyzer.plot.saving import ending
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

    points = points_given(trace, at, clock, plain=False)
    read = read_by(tuple(path for paths in points.values() for path in paths) if points else trace, beside)
    refuse_inputs(output, read)  # before the capture is read
    ending(output)
    check()
    kind = kind or ("time-sequence" if points else "connection")
    if points and kind != "time-sequence":
        raise UsageError("--kind", f"{kind}, of several capture points", "draw time-sequence, or one point alone")
    if names and kind != "counters":
        raise UsageError("--counter", f"--kind is {kind}", "leave it out, or draw --kind counters")
    if points:
        with progress_shown() as update:
            found = run(at=points, clock=clock, **beside, **chosen, progress=update)
            plots = found.plot
            plots.time_sequence(plots.worst() if flow is None else plots.connection_of(flow), update).save(output, read)
        damages = [damage for analysis in found.at.values() for damage in analysis.damages]
        warn(damages)
        sys.exit(DAMAGED if damages else OK)
    with progress_shown() as update:
        analysis = run(list(trace), **beside, **chosen, progress=update)
    plots = analysis.plot
    if kind == "counters":
        picture = plots.counters(names)
    else:
        flows = plots.chosen() if kind == "overview" else [plots.worst() if flow is None else flow]
        with progress_shown() as update:
            plots.prepare(flows, update)
        picture = plots.overview(flows) if kind == "overview" else getattr(plots, kind.replace("-", "_"))(*flows)
    status = status_of(analysis)  # which may read: a command that fails has written nothing
    picture.save(output, read)
    warn(analysis.damages)
    sys.exit(status)
