"""A notebook for an incident: notebook."""

from __future__ import annotations

import sys
from typing import Any

import click

from analyzer.cli.base import beside_options, choose_options, cli, read_by, rules_option, status_of, warn


@cli.command()
@click.argument("trace", metavar="BUNDLE", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    help="The notebook to write, such as post-mortem.ipynb; `-` is standard output.",
)
@choose_options()
@beside_options
@rules_option
def notebook(
    trace: tuple[str, ...],
    output: str,
    chosen: dict[str, Any],
    beside: dict[str, Any],
    folders: tuple[str, ...],
) -> None:
    """Write a Jupyter notebook of an incident, ready to run: findings and their proof.

    BUNDLE is what `tcpcap analyze` reads. The notebook reads it anew when it runs, and shows frames, events, counters, sockets and
    pictures (these need the extra tcpcap[plot]) to go on from.
    """
    from analyzer.capture.pipes import refuse_pipe
    from analyzer.output import refuse_inputs
    from analyzer.report.notebook import Request, save_notebook
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

    read = read_by(trace, beside, folders)
    refuse_inputs(output, read)
    refuse_pipe(
        [*trace, *beside["snapshots"], *beside["sockets"]], "notebook"
    )  # before it is read: the notebook could not read it again
    with progress_shown() as update:
        analysis = run(list(trace), **beside, **chosen, rules=folders, progress=update)
    status = status_of(analysis)  # which may read: a command that fails has written nothing
    save_notebook(analysis, output, Request(**beside, rules=folders, choice=analysis.choice), read)
    warn(analysis.damages)
    sys.exit(status)
