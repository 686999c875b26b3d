"""What a capture holds, or what lies between several: analyze."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from analyzer.cli.base import (
    DAMAGED,
    FOUND,
    OK,
    UNREADABLE,
    beside_options,
    choose_options,
    cli,
    colour,
    jobs_option,
    json_option,
    max_flows_option,
    ndjson_option,
    points_given,
    points_options,
    read_by,
    refuse_with_points,
    rules_option,
    say,
    say_one_pass,
    status_of,
    styled,
)
from analyzer.cli.live import follower

SEVERITIES = ("info", "warning", "error")

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.points.points import Points


@cli.command()
@click.argument("trace", nargs=-1)
@json_option
@ndjson_option
@points_options
@choose_options()
@beside_options
@rules_option
@click.option(
    "--html",
    metavar="FILE",
    help="Also write a page to hand on: findings, plots, counters; needs the extra tcpcap[plot].",
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    help="Exit with status 1 where something of this severity or worse is found.",
)
@click.option("--each", is_flag=True, help="An answer for each file or bundle alone, instead of one for all together.")
@click.option(
    "--follow",
    is_flag=True,
    help="Read on while the capture is being written, and tell events and findings as they become certain; the whole answer on Ctrl-C.",
)
@click.option("--no-checksums", is_flag=True, help="Do not verify checksums.")
@click.option(
    "--top", type=click.IntRange(min=0), help="How many conversations to show; without, 10 as text and all as JSON."
)
@max_flows_option
@jobs_option
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Instead of --jobs: machines of a dask cluster do it, by the address of its scheduler; needs the extra tcpcap[cluster].",
)
@click.option(
    "--on",
    multiple=True,
    metavar="HOST:PATH",
    help="With --cluster: a capture that lies at a worker alone, by its name or address and the path there; may be repeated.",
)
@click.option(
    "--resume",
    metavar="DIR",
    help="Keep what --jobs or --cluster have done in this folder until all is done: the same command goes on there after an interruption.",
)
def analyze(
    trace: tuple[str, ...],
    as_json: bool,
    as_ndjson: bool,
    at: tuple[str, ...],
    clock: str | None,
    chosen: dict[str, Any],
    beside: dict[str, Any],
    folders: tuple[str, ...],
    html: str | None,
    fail_on: str | None,
    each: bool,
    follow: bool,
    no_checksums: bool,
    top: int | None,
    max_flows: int,
    jobs: int | None,
    cluster: str | None,
    on: tuple[str, ...],
    resume: str | None,
) -> None:
    """Say what happened: findings first, the worst cause foremost, then what the capture holds.

    With --at, what became of the packets between several capture points, too; bundles of different hosts are such points.
    """
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

    # What one capture alone can have says that one is meant, whoever recorded its parts.
    of_one = (each, follow, *(value for value in beside.values() if value != ()))
    points = (
        {}
        if on and not (trace or at)
        else points_given(trace, at, clock, plain=not any((*of_one, chosen["flow"], chosen["frames"])))
    )
    if points:
        shown = top if not (as_json or as_ndjson) else None
        refuse_with_points(
            {
                "--follow": follow,
                "--each": each,
                "--top without --json or --ndjson": shown,
                "--jobs": jobs,
                "--cluster": cluster,
                "--on": on or None,
                "--resume": resume,
            }
        )
    if html is not None:
        from analyzer.errors import UsageError
        from analyzer.output import STANDARD, refuse_inputs
        from analyzer.plot.extras import check

        if each:
            raise UsageError("--html", "one page, and --each gives several answers", "leave one of them out")
        if (as_json or as_ndjson) and html == STANDARD:
            raise UsageError("--html -", "standard output is that of --json already", "name a file for the page")
        named = tuple(path for paths in points.values() for path in paths)
        read = read_by(named or trace, beside, folders)
        refuse_inputs(html, read)  # before the capture is read
        check()

    if points:
        asked = {**beside, **chosen, "checksums": not no_checksums, "max_flows": max_flows, "rules": folders}
        with progress_shown() as update:
            found = run(at=points, clock=clock, progress=update, **asked)
        if html != "-":
            say_points(found, as_json, as_ndjson, top)
        if html is not None:
            from analyzer.report.points_html import save_points_html

            with progress_shown() as update:
                save_points_html(found, html, read, update)
        sys.exit(_points_status(found, fail_on))

    asked = {**beside, **chosen, "checksums": not no_checksums, "max_flows": max_flows, "rules": folders}
    if jobs is not None and cluster is not None:
        from analyzer.errors import UsageError

        raise UsageError("--jobs", f"{jobs}, and --cluster", "give one of them")
    if each and follow:
        from analyzer.errors import UsageError

        raise UsageError("--each", "what grows is read as one capture by --follow", "leave one of them out")

    if each and on:
        from analyzer.errors import UsageError

        raise UsageError("--each", "captures of --on are read as one", "leave one of them out")

    who: dict[str, Any] = {"jobs": jobs, "cluster": cluster, "on": on, "resume": resume}

    def answer(paths: Sequence[str]) -> Analysis:
        if follow:
            with follower(lines=not (as_json or as_ndjson) and html != "-") as watcher:
                analysis = run(list(paths), **asked, watcher=watcher, **who, findings=True)
        else:
            with progress_shown() as update:
                analysis = run(list(paths), **asked, progress=update, **who, findings=True)
            say_one_pass(analysis.one_pass)
        if as_json or as_ndjson:
            from analyzer.report.json_text import json_pieces, ndjson_pieces

            for piece in (json_pieces if as_json else ndjson_pieces)(analysis, top):
                say(piece, nl=False)
        elif html != "-":
            from analyzer.report.console import console_text
            from analyzer.report.conversation_text import TOP

            say(console_text(analysis, TOP if top is None else top, styled), nl=False, color=colour())
        return analysis

    def status(analysis: Analysis) -> int:
        found = status_of(analysis)
        return FOUND if fail_on and found == OK and analysis.diagnosis.at_least(fail_on) else found

    if each:
        sys.exit(_each(trace, lambda path: status(answer([path])), as_json, plain=not as_json and not as_ndjson))
    analysis = answer(trace)
    if html is not None:
        from analyzer.report.html import save_html

        with progress_shown() as update:
            save_html(analysis, html, read, update)
    sys.exit(status(analysis))


def say_points(points: Points, as_json: bool, as_ndjson: bool, top: int | None) -> None:
    """Print what happened between points, and at each."""
    if as_json or as_ndjson:
        from analyzer.report.points_json import points_json, points_ndjson

        for piece in (points_json if as_json else points_ndjson)(points, top):
            say(piece, nl=False)
    else:
        from analyzer.report.points_text import points_text

        say(points_text(points, styled), nl=False, color=colour())


def _points_status(points: Points, fail_on: str | None) -> int:
    if points.is_damaged:
        return DAMAGED
    return FOUND if fail_on and points.diagnosis.at_least(fail_on) else OK


def _each(trace: Sequence[str], answer: Callable[[str], int], as_json: bool, plain: bool) -> int:
    """Answer for each file or bundle alone, in JSON as a list; what cannot be read is said, and the next one follows. The worst status of all."""
    from analyzer.capture.places import alone
    from analyzer.errors import TcpcapError
    from analyzer.text import printable

    statuses = []
    if as_json:
        say("[")
    for number, path in enumerate(alone(trace)):
        if as_json:
            say(",\n" * (number > 0), nl=False)
        elif plain:
            say("\n" * (number > 0) + styled(f"== {printable(path)}", "title") + "\n", color=colour())
        try:
            statuses.append(answer(path))
        except TcpcapError as error:
            if as_json:
                say("null")
            say(f"tcpcap: {printable(str(error))}", err=True)
            statuses.append(UNREADABLE)
    if as_json:
        say("]")
    return next((status for status in (UNREADABLE, DAMAGED, FOUND) if status in statuses), OK)
