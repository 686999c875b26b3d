"""A notebook for an incident: notebook."""

from __future__ import annotations

import sys

import click

from analyzer.cli.base import (
    cli,
    hosts_option,
    increments_option,
    rules_option,
    snapshots_option,
    sockets_option,
    warn,
)
from analyzer.cli.captures import status_of


@cli.command()
@click.argument("trace", metavar="BUNDLE", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    help="The notebook to write, such as post-mortem.ipynb; `-` is standard output.",
)
@hosts_option
@snapshots_option
@sockets_option
@increments_option
@rules_option
def notebook(
    trace: tuple[str, ...],
    output: str,
    hosts: tuple[str, ...],
    snapshots: tuple[str, ...],
    sockets: tuple[str, ...],
    increments: bool | None,
    folders: tuple[str, ...],
) -> None:
    """Write a Jupyter notebook of an incident, ready to run: findings and their proof.

    BUNDLE is what `tcpcap analyze` reads. The notebook reads it anew when it runs, and shows frames, events, counters, sockets and
    pictures (these need the extra tcpcap[plot]) to go on from.
    """
    from analyzer.capture.bundle import inputs
    from analyzer.kernel_counters import refuse_pipe
    from analyzer.report.notebook import Request, save_notebook
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

    refuse_pipe(trace, "notebook")  # before it is read: the notebook could not read it again
    with progress_shown() as update:
        analysis = run(
            list(trace),
            snapshots=snapshots,
            sockets=sockets,
            hosts=hosts,
            increments=increments,
            rules=folders,
            progress=update,
        )
    request = Request(snapshots, sockets, hosts, increments, folders)
    save_notebook(analysis, output, request, inputs(*trace, *snapshots, *sockets))
    warn(analysis.damages)
    sys.exit(status_of(analysis))
