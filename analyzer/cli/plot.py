"""tcpcap plot: one picture of a connection, of counters or of the whole capture, as a page, SVG or PNG."""

from __future__ import annotations

import sys
from typing import Any

import click

from analyzer.cli import complete
from analyzer.cli.base import beside_options, choose_options, cli, read_by, status_of, warn

OF_A_FLOW = ("connection", "time-sequence", "throughput", "rtt", "window", "time-account")
OF_ALL = ("counters", "overview")


@cli.command()
@click.argument("trace", nargs=-1, required=True)
@click.option("--flow", type=click.IntRange(min=0), help="Which connection: its number in the table flows.")
@click.option(
    "--kind",
    default="connection",
    show_default=True,
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
    flow: int | None,
    kind: str,
    names: tuple[str, ...],
    output: str,
    chosen: dict[str, Any],
    beside: dict[str, Any],
) -> None:
    """Draw a connection, counters, or the whole capture.

    Without --flow, the connection that the worst finding is about, or else the one that lost most time.
    """
    from analyzer.errors import UsageError
    from analyzer.output import refuse_inputs
    from analyzer.plot.extras import check
    from analyzer.plot.saving import ending
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

    read = read_by(trace, beside)
    refuse_inputs(output, read)  # before the capture is read
    ending(output)
    check()
    if names and kind != "counters":
        raise UsageError("--counter", f"--kind is {kind}", "leave it out, or draw --kind counters")
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
    picture.save(output, read)
    warn(analysis.damages)
    sys.exit(status_of(analysis))
