"""The tables of a capture as files, and what is in them: export, schema."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from analyzer.cli import complete
from analyzer.cli.base import (
    DAMAGED,
    OK,
    beside_options,
    choose_options,
    cli,
    jobs_option,
    points_given,
    points_options,
    read_by,
    refuse_with_points,
    say,
    say_one_pass,
    warn,
)

if TYPE_CHECKING:
    from analyzer.capture import Damage


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
    --jobs helps with all tables but `increments`.
    """
    from analyzer.cluster.tables import IN_PARTS
    from analyzer.exported import point_frames, table_named, table_pieces
    from analyzer.report.export import export as write
    from analyzer.report.export import first_rows, format_of
    from analyzer.report.progress import progress_shown
    from analyzer.tables import POINT_TABLES

    points = points_given(trace, at, clock, plain=table in POINT_TABLES)
    if points:
        refuse_with_points({"--jobs": jobs})
    name, kind = table_named(table, "--table", bool(points)), format_of(output, kind, safe)
    damages: list[Damage] = []
    reasons: list[str] = []
    read = [path for paths in points.values() for path in paths] if points else trace
    with progress_shown() as update:
        asked: dict[str, Any] = {**beside, **chosen, "progress": update}
        frames: Any
        if points:
            frames = point_frames(points, name, clock, damages, every, **asked)
        else:
            if limit is not None and name in IN_PARTS:  # few rows are there as soon as several processes are
                jobs = None
            told = {"damages": damages, "every": every, "reasons": reasons, **asked}
            frames = table_pieces(list(trace), name, kind, jobs=jobs, **told)
        write(frames if limit is None else first_rows(frames, limit), output, kind, read_by(tuple(read), beside))
    say_one_pass("".join(reasons[:1]))
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
