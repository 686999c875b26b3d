"""The command `tcpcap`: arguments in, text out. Everything else is in the stages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from analyzer.errors import TcpcapError

if TYPE_CHECKING:
    from analyzer.capture import Damage

OK, UNREADABLE, DAMAGED = 0, 2, 3
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 80}
STYLES: dict[str, dict[str, Any]] = {
    "answer": {"bold": True},
    "title": {"bold": True, "fg": "cyan"},
    "warning": {"fg": "yellow"},
}


@contextmanager
def _quiet_when_closed() -> Iterator[None]:
    """Output that nobody reads any more ends the command quietly."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python must not complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)


class _Group(click.Group):
    """The commands. Their help is printed while arguments are parsed, all else when they run."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _quiet_when_closed():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _quiet_when_closed():
            return super().invoke(ctx)


@click.group(cls=_Group, context_settings=CONTEXT)
@click.version_option(package_name="tcpcap", message="tcpcap %(version)s")
def cli() -> None:
    """Reads packet captures and says what happened in them.

    TRACE is a capture file (pcap, pcapng or snoop; gzip, zstd, lz4, xz or bzip2 compressed or not), `-` for standard
    input, or a directory that holds capture*.pcap[ng]. Several of them are one capture, in order of time.

    Exit status: 0 done; 2 wrong usage or nothing readable; 3 done, but the input was cut short or damaged;
    130 interrupted.
    """


_hosts = click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="ADDRESS",
    help="Address of the host that took the capture, if the packets do not tell; may be repeated.",
)
_snapshots = click.option(
    "--snapshots",
    multiple=True,
    metavar="FILE",
    help="Kernel counters from the same minutes (nstat, /proc/net/snmp, ...); may be repeated.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")


@cli.command()
@click.argument("trace", nargs=-1, required=True)
@_as_json
@_hosts
@_snapshots
@click.option("--no-checksums", is_flag=True, help="Do not verify checksums.")
@click.option(
    "--top", default=10, show_default=True, type=click.IntRange(min=0), help="How many conversations to show."
)
@click.option(
    "--max-flows",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many conversations to follow at a time; beyond it the least important leave.",
)
def analyze(
    trace: tuple[str, ...],
    as_json: bool,
    hosts: tuple[str, ...],
    snapshots: tuple[str, ...],
    no_checksums: bool,
    top: int,
    max_flows: int,
) -> None:
    """Say what happened: connections in trouble first, then what the capture holds."""
    from analyzer.analysis import analyze as run
    from analyzer.report.progress import progress_shown

    with progress_shown() as (update, notify):
        analysis = run(
            list(trace),
            snapshots=snapshots,
            hosts=hosts,
            checksums=not no_checksums,
            max_flows=max_flows,
            progress=update,
            notify=notify,
        )
    if as_json:
        from analyzer.report.json_text import json_pieces

        for piece in json_pieces(analysis):
            click.echo(piece, nl=False)
    else:
        from analyzer.report.console import console_text

        click.echo(console_text(analysis, top, _styled), nl=False, color=_colour())
    sys.exit(DAMAGED if analysis.damages else OK)


@cli.command()
@click.argument("trace", nargs=-1, required=True)
@_as_json
@_hosts
@_snapshots
@click.option("--top", default=20, show_default=True, type=click.IntRange(min=0), help="How many directions to show.")
def checksums(
    trace: tuple[str, ...], as_json: bool, hosts: tuple[str, ...], snapshots: tuple[str, ...], top: int
) -> None:
    """Say which checksums are right, offloaded or corrupt, why, and which host took the capture."""
    from analyzer.analysis import analyze as run
    from analyzer.report.checksum_text import checksum_text, json_text
    from analyzer.report.progress import progress_shown

    with progress_shown() as (update, notify):
        analysis = run(list(trace), snapshots=snapshots, hosts=hosts, progress=update, notify=notify)
    if as_json:
        click.echo(json_text(analysis), nl=False)
    else:
        click.echo(checksum_text(analysis, top, _styled), nl=False, color=_colour())
        _warn(analysis.damages)
    sys.exit(DAMAGED if analysis.damages else OK)


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

    with progress_shown() as (update, notify):
        done = fix(source, target, everything=everything, progress=update, notify=notify)
    click.echo(fixed_text(done), nl=False, err=target == "-")
    _warn(done.damages)
    sys.exit(DAMAGED if done.damages else OK)


@cli.command()
@click.argument("trace", nargs=-1, required=True)
@click.option("--table", required=True, help="Which table: packets, flows, events, checksums, counters or increments.")
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    help="File to write; its ending tells the format. `-` is standard output.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="Format, where the file name does not tell it.",
)
@_hosts
@_snapshots
def export(
    trace: tuple[str, ...],
    table: str,
    output: str,
    kind: str | None,
    hosts: tuple[str, ...],
    snapshots: tuple[str, ...],
) -> None:
    """Write a table as CSV, JSON Lines or Parquet.

    `counters` has a row per counter and interval between snapshots, `increments` one per frame and counter it moves.
    """
    from analyzer.analysis import table_frames, table_named
    from analyzer.report.export import export as write
    from analyzer.report.export import format_of
    from analyzer.report.progress import progress_shown

    name, kind = table_named(table, "--table"), format_of(output, kind)
    if output == "-" and sys.stdout is None:
        raise TcpcapError("standard output", "closed", "name a file with -o")
    if kind == "parquet" and output == "-" and sys.stdout.isatty():
        raise TcpcapError("standard output", "a terminal, and Parquet is binary", "name a file with -o")
    damages: list[Damage] = []
    with progress_shown() as (update, notify):
        frames = table_frames(
            list(trace), name, snapshots=snapshots, hosts=hosts, progress=update, notify=notify, damages=damages
        )
        write(frames, output, kind)
    _warn(damages)
    sys.exit(DAMAGED if damages else OK)


@cli.group()
def counters() -> None:
    """Kernel counters: what moved, what a name means, and what packets can tell of it."""


@counters.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option(
    "--increments/--absolute",
    default=None,
    help="What nstat's text holds, where that is not clear: increments since its last run, or absolute values.",
)
def diff(before: str, after: str, increments: bool | None) -> None:
    """Print what moved between two snapshots, A and B, with a line of meaning each.

    A and B are files of nstat (text or JSON), /proc/net/{snmp,netstat,snmp6}, `netstat -s`, node_exporter or
    counters.jsonl; of several snapshots in A the first counts, in B the last.
    """
    from analyzer.counters import diff as changes
    from analyzer.counters import series_of
    from analyzer.report.counter_text import diff_text
    from analyzer.report.text import printable

    series = series_of([before, after], increments=increments)
    first = series_of([before], increments=increments).snapshots[0]
    last = series_of([after], increments=increments).snapshots[-1]
    click.echo(diff_text(changes(first, last), _styled), nl=False, color=_colour())
    for note in series.notes:
        click.echo(f"tcpcap: {printable(note)}", err=True)


@counters.command()
@click.argument("name")
def explain(name: str) -> None:
    """Explain a counter: what it counts, when it moves, what it points at, and what packets tell of it."""
    from analyzer.counters.catalogue import explain_text, find

    click.echo(explain_text(find(name)), nl=False)


@counters.command(name="list")
@click.option("--group", metavar="GROUP", help="Only of this group: Ip, Icmp, Tcp, Udp, TcpExt, IpExt, ...")
@click.option("--observability", metavar="WORD", help="Only exact, bounded, inferred or unobservable ones.")
@click.option("--word", metavar="TEXT", help="Only those whose name or text has it.")
def list_counters(group: str | None, observability: str | None, word: str | None) -> None:
    """List the counters, each with its first sentence."""
    from analyzer.counters.catalogue import list_rows
    from analyzer.report.counter_text import list_text

    click.echo(list_text(list_rows(group=group, observability=observability, word=word)), nl=False)


@counters.command()
@click.argument("trace", nargs=-1, required=True)
@click.argument("name")
@_hosts
@_snapshots
def trace(trace: tuple[str, ...], name: str, hosts: tuple[str, ...], snapshots: tuple[str, ...]) -> None:
    """List the frames that move a counter: `tcpcap counters trace BUNDLE TcpRetransSegs`.

    NAME as nstat prints it, or any part of it that only one predicted counter has.
    """
    from analyzer.analysis import analyze as run
    from analyzer.report.progress import progress_shown
    from analyzer.report.trace_text import trace_lines

    with progress_shown() as (update, notify):
        analysis = run(list(trace), snapshots=snapshots, hosts=hosts, progress=update, notify=notify)
    for line in trace_lines(analysis, name, _styled):
        click.echo(line, color=_colour())
    _warn(analysis.damages)
    sys.exit(DAMAGED if analysis.damages else OK)


@cli.command()
@click.argument("table", required=False)
def schema(table: str | None) -> None:
    """Print the columns of the tables (or of TABLE) as Markdown."""
    from analyzer.analysis import table_named
    from analyzer.tables import TABLES

    names = [table_named(table, "TABLE")] if table else list(TABLES)
    click.echo("\n".join(TABLES[name].markdown() for name in names), nl=False)


def _warn(damages: list[Damage]) -> None:
    """Damages as lines on standard error."""
    from analyzer.report.text import printable

    for damage in damages:
        click.echo(f"tcpcap: {printable(str(damage))}", err=True)


def _styled(text: str, role: str) -> str:
    return click.style(text, **STYLES[role])


def _colour() -> bool | None:
    """None lets click decide by the terminal; NO_COLOR wins."""
    return False if os.environ.get("NO_COLOR") else None


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"tcpcap: {message}", err=True)
    sys.exit(status)


def main(arguments: list[str] | None = None) -> Any:
    """Entry point: runs a command and turns errors into one line and an exit status."""
    try:
        return cli.main(arguments, prog_name="tcpcap", standalone_mode=False)
    except TcpcapError as error:
        from analyzer.report.text import printable

        _fail(printable(str(error)), UNREADABLE)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(UNREADABLE)
    except click.ClickException as error:
        error.show()
        sys.exit(UNREADABLE)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 130)
    except OSError as error:
        _fail(
            f"{error.filename or 'output'}: cannot be written ({error.strerror}); make room, or name another file",
            UNREADABLE,
        )
