"""tcpcap sql: questions to the tables of a capture."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzer.cli.base import (
    DAMAGED,
    OK,
    UNREADABLE,
    beside_options,
    choose_options,
    cli,
    colour,
    jobs_option,
    json_option,
    points_given,
    points_options,
    read_by,
    rules_option,
    say,
    styled,
    warn,
)
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.ask import Ask

LIMIT = 100
FORMATS = ("text", "json", "csv", "jsonl", "parquet")
HOW = "--limit N, or -o FILE for all of them"
HOW_PROMPT = "add LIMIT or a condition, or run `tcpcap sql TRACE QUERY -o FILE`"


@cli.command()
@click.argument("trace", nargs=-1)
@points_options
@click.option("-o", "--output", metavar="FILE", help="Write all rows to this file; its ending tells the format.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="How to write the answer; without, as the file name says, or as text.",
)
@click.option(
    "--safe-csv",
    "safe",
    is_flag=True,
    help="CSV for spreadsheets: texts they would take for formulas begin with an apostrophe.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="How many rows; without, 100 as text or JSON, and all of them where a file or another format is written.",
)
@json_option
@choose_options()
@beside_options
@rules_option
@jobs_option
def sql(
    trace: tuple[str, ...],
    at: tuple[str, ...],
    clock: str | None,
    output: str | None,
    kind: str | None,
    safe: bool,
    limit: int | None,
    as_json: bool,
    chosen: dict[str, Any],
    beside: dict[str, Any],
    folders: tuple[str, ...],
    jobs: int | None,
) -> None:
    """Ask the tables of a capture in SQL (DuckDB's), or open a prompt for it.

    The last argument is the question, one SELECT over the tables of `tcpcap schema`; without one there is a prompt, or
    questions are read from standard input. Of the capture only the tables and columns that a question names are made. Each column
    with nanoseconds since the epoch has one beside it with the same as a timestamp: `time` for `time_ns`, `start_time` for
    `start_ns`. Nothing can be changed, and no other file be read. With --at, tables have the rows of all capture points, the name
    of the point in their first column, and there are `passages` and `paths`.
    """
    from analyzer.ask import Ask, Request
    from analyzer.capture.pipes import refuse_pipe
    from analyzer.output import refuse_inputs
    from analyzer.report.export import format_of
    from analyzer.report.progress import progress_shown
    from analyzer.run import analyze

    paths, question = split(trace, at)
    points = points_given(paths, at, clock, plain=False)
    read_of = tuple(path for named in points.values() for path in named) if points else paths
    if as_json and kind not in (None, "json"):
        raise UsageError("--format", f"{kind}, and --json", "give one of them")
    kind = "json" if as_json else kind
    saved = output is not None or safe or kind in ("csv", "jsonl", "parquet")
    if question is None and saved:
        raise UsageError(
            "-o" if output else "--safe-csv" if safe else "--format", "no question", "give it behind the capture"
        )
    if question is None:
        refuse_pipe(read_of, "sql")
    with Ask(Request(list(paths), partial(analyze, jobs=jobs), beside, folders, chosen, points, clock, jobs)) as ask:
        if question is None:
            status = converse(ask, limit or LIMIT, kind)
        elif saved:
            status, target, read = OK, output or "-", read_by(read_of, beside, folders)
            refuse_inputs(target, read)  # before the capture is read
            with progress_shown() as update:
                ask.show_progress(update)
                format_named = format_of(target, None if kind in ("text", "json") else kind, safe)
                ask.save(question, target, format_named, read, limit)
        else:
            status = OK
            show(ask, question, limit or LIMIT, kind, HOW)
        warn(ask.damages)
        sys.exit(status or (DAMAGED if ask.damages else OK))


def split(words: tuple[str, ...], at: tuple[str, ...] = ()) -> tuple[tuple[str, ...], str | None]:
    """The captures, and the question if there is one: the last word, where it is no file and has a blank or a semicolon in it. Captures may be named before (`at`)."""
    last = words[-1] if words else ""
    if any(char in last for char in " \n;") and not Path(last).exists():
        if len(words) == 1 and not at:
            raise UsageError("TRACE", "missing", "name a capture before the question")
        return words[:-1], last
    return words, None


def show(ask: Ask, question: str, limit: int, kind: str | None, how: str) -> None:
    """The first rows of the answer as text, or as one object."""
    from analyzer.report.answer_text import answer_json, answer_lines
    from analyzer.report.progress import progress_shown

    with progress_shown() as update:  # not while somebody types
        ask.show_progress(update)
        answer = ask.query(question, as_text=kind != "json")
        rows, more = answer.first(limit)
    if kind == "json":
        say(answer_json(answer.names, answer.types, rows, more), nl=False)
        return
    for line in answer_lines(answer.names, answer.types, rows, more, how, styled):
        say(line, color=colour())


def converse(ask: Ask, limit: int, kind: str | None) -> int:
    """Answer what is typed until it ends. The status is that of the last error where nobody is there to see it."""
    from analyzer.cli.prompt import HELP, Editing, answer_dots, statements
    from analyzer.text import printable

    interactive = sys.stdin.isatty()
    status = OK
    if interactive:
        say(HELP, nl=False)
    with Editing() if interactive else nullcontext():
        for text in statements(interactive):
            if text.startswith("."):
                if not answer_dots(text, lambda said: say(said, nl=False)):
                    break
                continue
            try:
                for statement in ask.statements(text):
                    show(ask, statement, limit, kind, HOW_PROMPT)
            except UsageError as error:
                say(f"tcpcap: {printable(str(error))}", err=True)
                status = OK if interactive else UNREADABLE
    return status
