"""Which checksums are right, and a capture in which all of them are: checksums, fix-checksums."""

from __future__ import annotations

import sys
from typing import Any

import click

from analyzer.cli.base import (
    DAMAGED,
    OK,
    choose_options,
    cli,
    colour,
    hosts_option,
    increments_option,
    jobs_option,
    json_option,
    say,
    say_one_pass,
    snapshots_option,
    status_of,
    styled,
    warn,
)


@cli.command()
@click.argument("trace", nargs=-1, required=True)
@json_option
@choose_options()
@hosts_option
@snapshots_option
@increments_option
@click.option(
    "--top", type=click.IntRange(min=0), help="How many directions to show; without, 20 as text and all as JSON."
)
@jobs_option
def checksums(
    trace: tuple[str, ...],
    as_json: bool,
    chosen: dict[str, Any],
    hosts: tuple[str, ...],
    snapshots: tuple[str, ...],
    increments: bool | None,
    top: int | None,
    jobs: int | None,
) -> None:
    """Say which checksums are right, offloaded or corrupt, why, and which host took the capture."""
    from analyzer.report.checksum_text import TOP, checksum_text, json_text
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

    with progress_shown() as update:
        asked = {"snapshots": snapshots, "hosts": hosts, "increments": increments, "jobs": jobs, **chosen}
        analysis = run(list(trace), progress=update, **asked)
    say_one_pass(analysis.one_pass)
    if as_json:
        say(json_text(analysis, top), nl=False)
    else:
        say(checksum_text(analysis, TOP if top is None else top, styled), nl=False, color=colour())
        warn(analysis.damages)
    sys.exit(status_of(analysis))


@cli.command(name="fix-checksums")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--all", "everything", is_flag=True, help="Make corrupt packets right too.")
def fix_checksums(source: str, target: str, everything: bool) -> None:
    """Write the capture IN to OUT with right checksums, so that it can be replayed.

    Made right are the checksums that the sender left to its card; everything else stays as it is, to the byte. OUT is
    compressed if its name ends in .gz, .zst, .lz4, .xz or .bz2; `-` is standard input or output.
    """
    from analyzer.checksums.fix import fix_checksums as fix
    from analyzer.report.checksum_text import fixed_text
    from analyzer.report.progress import progress_shown

    with progress_shown() as update:
        done = fix(source, target, everything=everything, progress=update)
    say(fixed_text(done), nl=False, err=target == "-")
    warn(done.damages)
    sys.exit(DAMAGED if done.damages else OK)
