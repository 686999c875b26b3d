"""What a capture holds, and its tables: analyze, checksums, fix-checksums, export, schema."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from analyzer.cli import complete
from analyzer.cli.base import (
    DAMAGED,
    FOUND,
    OK,
    UNREADABLE,
    beside_options,
    choose_options,
    cli,
    colour,
    hosts_option,
    increments_option,
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
    snapshots_option,
    status_of,
    styled,
    warn,
)
from analyzer.cli.live import follower

SEVERITIES = ("info", "warning", "error")

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.capture import Damage
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
    resume: str | None,
) -> None:
    """Say what happened: findings first, the worst cause foremost, then what the capture holds.

    With --at, what became of the packets between several capture points, too; bundles of different hosts are such points.
    """
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze as run

    # What one capture alone can have says that one is meant, whoever recorded its parts.
    of_one = (each, follow, *(value for value in beside.values() if value != ()))
    points = points_given(trace, at, clock, plain=not any((*of_one, chosen["flow"], chosen["frames"])))
    if points:
        shown = top if not (as_json or as_ndjson) else None
        refuse_with_points(
            {
                "--follow": follow,
                "--each": each,
                "--top without --json or --ndjson": shown,
                "--jobs": jobs,
                "--cluster": cluster,
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

    who: dict[str, Any] = {"jobs": jobs, "cluster": cluster, "resume": resume}

    def answer(paths: Sequence[str]) -> Analysis:
        if follow:
            with follower(lines=not (as_json or as_ndjson) and html != "-") as watcher:
                analysis = run(list(paths), **asked, watcher=watcher, **who)
        else:
            with progress_shown() as update:
                analysis = run(list(paths), **asked, progress=update, **who)
            say_one_pass(analysis)
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
    say_one_pass(analysis)
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


@cli.command()
@click.argument("trace", nargs=-1)
@points_options
@click.option(
    "--table",
    required=True,
    shell_complete=complete.tables,
    help="Which table: packets, flows, events, series, checksums, counters, increments, sockets or hosts; with --at passages, paths or corruptions, too.",
)
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    metavar="FILE",
    help="File to write; its ending tells the format. `-` is standard output.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="Format, where the file name does not tell it.",
)
@click.option(
    "--safe-csv",
    "safe",
    is_flag=True,
    help="CSV for spreadsheets: texts they would take for formulas begin with an apostrophe.",
)
@click.option("--every", default="1s", show_default=True, help="Length of an interval of series, such as 100ms.")
@click.option("--limit", type=click.IntRange(min=0), help="How many rows, the first ones; without, all.")
@choose_options()
@beside_options
@jobs_option
def export(
    trace: tuple[str, ...],
    at: tuple[str, ...],
    clock: str | None,
    table: str,
    output: str,
    kind: str | None,
    safe: bool,
    every: str,
    limit: int | None,
    chosen: dict[str, Any],
    beside: dict[str, Any],
    jobs: int | None,
) -> None:
    """Write a table as CSV, JSON Lines or Parquet.

    `counters` has a row per counter and interval between snapshots, `increments` one per frame and counter it moves,
    `sockets` one per socket and list of sockets. With --at, the rows of all capture points, the name of the point in front.
    --jobs helps where no frame has a row of its own.
    """
    from analyzer.exported import point_frames, table_frames, table_named
    from analyzer.report.export import export as write
    from analyzer.report.export import first_rows, format_of
    from analyzer.report.progress import progress_shown
    from analyzer.tables import POINT_TABLES

    points = points_given(trace, at, clock, plain=table in POINT_TABLES)
    if points:
        refuse_with_points({"--jobs": jobs})
    name, kind = table_named(table, "--table", bool(points)), format_of(output, kind, safe)
    damages: list[Damage] = []
    read = [path for paths in points.values() for path in paths] if points else trace
    with progress_shown() as update:
        asked: dict[str, Any] = {**beside, **chosen, "progress": update}
        if points:
            frames = point_frames(points, name, clock, damages, every, **asked)
        else:
            frames = table_frames(list(trace), name, damages=damages, every=every, jobs=jobs, **asked)
        write(frames if limit is None else first_rows(frames, limit), output, kind, read_by(tuple(read), beside))
    warn(damages)
    sys.exit(DAMAGED if damages else OK)


@cli.command()
@click.argument("table", required=False, shell_complete=complete.tables)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the JSON schema of what --json and --ndjson print instead."
)
def schema(table: str | None, as_json: bool) -> None:
    """Print the columns of the tables (or of TABLE) as Markdown."""
    from analyzer.described import EVERY_TABLE
    from analyzer.exported import table_named

    names = [table_named(table, "TABLE", None)] if table else list(EVERY_TABLE)
    if as_json:
        import json

        from analyzer.report.json_schema import json_schema

        found = json_schema()
        say(json.dumps(found["$defs"]["finding" if table == "findings" else table] if table else found, indent=1))
        return
    say("\n".join(EVERY_TABLE[name].markdown() for name in names), nl=False)
