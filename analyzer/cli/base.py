"""What all commands share: the group with its help, options, exit statuses, colours and damages on standard error."""

from __future__ import annotations

import errno
import io
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzer.cli.complete import name_files
from analyzer.cli.examples import examples
from analyzer.cli.terminal import COLOUR, COLOURS, QUIET, colour, is_terminal, line_width, quiet, styled

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.capture import Damage
    from analyzer.output import Input

__all__ = ["colour", "styled"]  # what commands need of the terminal, beside all that stands here

OK, FOUND, UNREADABLE, DAMAGED = 0, 1, 2, 3
CAPTURES = ("trace", "source")  # parameters that name captures
UNCUT = 10_000  # characters of a summary in a list of commands: all
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


class Closed(io.TextIOBase):
    """In the place of a standard output that is closed: what is printed there is lost, and that is no success."""

    def write(self, _: str) -> int:
        raise OSError(errno.EBADF, "it is closed", "standard output")


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


class Command(click.Command):
    """A command: with its examples in the help, the options that all have, and text as wide as the terminal."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        name_files(self.params)
        self.params += [_colour_option(), _quiet_option()]

    def get_short_help_str(self, limit: int = 0) -> str:
        """The whole first sentence."""
        return super().get_short_help_str(UNCUT)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, each on a line of its own that can be copied."""
        super().format_epilog(ctx, formatter)
        found = examples(ctx.command_path)
        if found:
            formatter.write_paragraph()
            formatter.write("Examples:\n")
            formatter.write("".join(f"  {line}\n" for line in found))

    def invoke(self, ctx: click.Context) -> Any:
        from analyzer.report.layout import columns

        for name in CAPTURES:
            if ctx.params.get(name):
                ctx.params[name] = _without_secrets(ctx.params[name])
        with columns(line_width(), quiet()):
            return super().invoke(ctx)


def _without_secrets(given: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Names of captures, by which URLs are found from now on: nothing that is said or written has a password in it."""
    if isinstance(given, tuple):
        return tuple(str(_without_secrets(each)) for each in given)
    if "://" not in given:
        return given
    from analyzer.capture.where import named

    return named(given)


class _Group(click.Group):
    """The commands. Their help is printed while arguments are parsed, all else when they run."""

    command_class = Command
    group_class = type

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _quiet_when_closed():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _quiet_when_closed():
            return super().invoke(ctx)

    def get_short_help_str(self, limit: int = 0) -> str:
        """The whole first sentence."""
        return super().get_short_help_str(UNCUT)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`tcpcap help analyze` is `tcpcap analyze --help`."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """What is no command may be nearly one, or a file."""
        if args and args[0] not in self.commands:
            ctx.fail(f"No such command {args[0]!r}; {self._meant(ctx, args[0])}")
        return super().resolve_command(ctx, args)

    def _meant(self, ctx: click.Context, word: str) -> str:
        from analyzer.errors import suggest

        if ctx.parent is None and Path(word).exists():
            return f"to read it: {ctx.command_path} analyze {shlex.quote(word)}"
        return suggest(word, sorted(self.commands))


def _noted(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """An option's value is kept where `analyzer.cli.terminal` finds it."""

    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        ctx.meta[name] = value

    return callback


def _colour_option() -> click.Option:
    return click.Option(
        ["--color"],
        type=click.Choice(COLOURS),
        default="auto",
        show_default=True,
        expose_value=False,
        callback=_noted(COLOUR),
        help="Colours in the text: where a terminal shows it, always, or never.",
    )


def _quiet_option() -> click.Option:
    return click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=_noted(QUIET),
        help="Say the answer only: no progress, no details.",
    )


@click.group(cls=_Group, context_settings=CONTEXT)
@click.version_option(None, "-V", "--version", package_name="tcpcap", message="tcpcap %(version)s")
def cli() -> None:
    """Reads packet captures and says what happened in them.

    TRACE is a capture file (pcap, pcapng or snoop; gzip, zstd, lz4, xz or bzip2 compressed or not), `-` for standard
    input, a folder of captures, or a bundle: a directory that holds capture*.pcap[ng], or a tar of one (.tar.zst). It may be at a
    URL (https://, s3://, ...; needs the extra tcpcap[remote]). Several of them are one capture, in order of time.

    Exit status: 0 done; 1 something was found that `--fail-on` names; 2 wrong usage, or nothing readable (no file, or no frame
    of a link layer that is decoded); 3 done, but the input was cut short or damaged;
    128 + N ended by signal N (130 Ctrl-C, 143 SIGTERM).
    """


hosts_option = click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="ADDRESS",
    help="Address of the host that took the capture, if the packets do not tell; may be repeated.",
)
snapshots_option = click.option(
    "--snapshots",
    multiple=True,
    metavar="FILE",
    help="Kernel counters from the same minutes (nstat, /proc/net/snmp, a sosreport, ...); may be repeated.",
)
increments_option = click.option(
    "--increments/--absolute",
    default=None,
    help="What nstat's text in them holds, where that is judged wrongly: increments since its last run, or totals.",
)
sockets_option = click.option(
    "--sockets",
    multiple=True,
    metavar="FILE",
    help="Socket lists from the same minutes (ss, netstat, /proc/net/tcp, ...); may be repeated.",
)


def beside_options(command: Callable[..., None]) -> Callable[..., None]:
    """What may be given beside a capture: hosts, snapshots, sockets. The command takes all of it as `beside`, as analyze() does."""

    @hosts_option
    @snapshots_option
    @sockets_option
    @increments_option
    @wraps(command)
    def taken(hosts: Any, snapshots: Any, sockets: Any, increments: Any, **others: Any) -> None:
        beside = {"hosts": hosts, "snapshots": snapshots, "sockets": sockets, "increments": increments}
        command(beside=beside, **others)

    return taken


def points_options(command: Callable[..., None]) -> Callable[..., None]:
    """Several capture points in the place of one capture."""

    @click.option(
        "--at",
        multiple=True,
        metavar="NAME=TRACE",
        help="A capture point and its capture; given for each of several, which saw the same traffic, instead of TRACE.",
    )
    @click.option("--clock", metavar="NAME", help="The point whose clock times between points are on.")
    @wraps(command)
    def taken(**given: Any) -> None:
        command(**given)

    return taken


def points_given(trace: tuple[str, ...], at: tuple[str, ...], clock: str | None, plain: bool) -> dict[str, list[str]]:
    """The captures of points by name: those of `--at`, or with `plain` bundles of different hosts; empty where one capture is meant. Raises UsageError."""
    from analyzer.errors import UsageError
    from analyzer.points.given import hosts_apart, named

    if at and trace:
        raise UsageError("TRACE", f"{trace[0]!r} beside --at", "give each capture a name: --at NAME=TRACE")
    if not at and not trace:
        raise click.UsageError("Missing argument 'TRACE...'.")
    found = named(at) if at else hosts_apart(trace) if plain else {}
    if clock and not found:
        raise UsageError("--clock", "there is one capture, and one clock", "name the points with --at NAME=TRACE")
    return found


def refuse_with_points(given: dict[str, Any]) -> None:
    """Raise UsageError for an option that one capture alone can have."""
    from analyzer.errors import UsageError

    for option, value in given.items():
        if value not in (None, False):
            raise UsageError(option, "given with several capture points", "leave it out, or analyse one point alone")


def choose_options(flow: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What of a capture is asked for. The command takes all of it as `chosen`, as analyze() does; without `flow` it has an option of that name itself."""

    def made(command: Callable[..., None]) -> Callable[..., None]:
        @click.option(
            "--filter",
            metavar="EXPRESSION",
            help="Only frames that it lets pass: tcpdump's language, such as 'host 192.0.2.1 and port 80'.",
        )
        @click.option(
            "--between",
            nargs=2,
            metavar="T1 T2",
            help="Only frames between two times: by the clock (12:59:26.8, UTC), since the epoch, or since the capture began (+5s); - is no bound.",
        )
        @click.option(
            "--frames", metavar="A-B", help="Only frames of these numbers: 10-20, 10-, or 7; several with commas."
        )
        @wraps(command)
        def taken(filter: Any, between: Any, frames: Any, **others: Any) -> None:
            wanted = {"flow": others.pop("flow")} if flow else {}
            command(chosen={"filter": filter, "between": between, "frames": frames, **wanted}, **others)

        if not flow:
            return taken
        return click.option("--flow", metavar="N[,M]", help="Only these flows, by their numbers in the table flows.")(
            taken
        )

    return made


def read_by(trace: tuple[str, ...], beside: dict[str, Any], folders: tuple[str, ...] = ()) -> list[Input]:
    """All that a command reads, rules of these folders and of its own among it: nothing may be written over that."""
    from analyzer.capture.bundle import inputs
    from analyzer.diagnosis.rule import rule_inputs

    return [*inputs(*trace, *beside["snapshots"], *beside["sockets"]), *rule_inputs(folders)]


rules_option = click.option(
    "--rules",
    "folders",
    multiple=True,
    metavar="DIR",
    help="A folder of rules beside those that come with tcpcap; may be repeated.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
ndjson_option = click.option(
    "--ndjson", "as_ndjson", is_flag=True, help="Print one JSON object a line instead, each with the name of its table."
)
AS_JSON = ("--json", "--ndjson")


max_flows_option = click.option(
    "--max-flows",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many conversations to follow at a time; beyond it the least important leave.",
)


jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many cores work on it. From 3 on (2 for a table of packets), as many processes read and judge the capture in parts; the answer is the same.",
)


def say_one_pass(reason: str) -> None:
    """Say on a terminal why one process has done it, where several were asked to; nothing where they did."""
    if reason and is_terminal(sys.stderr) and not quiet():
        say(f"tcpcap: read by one process: {reason}", err=True)


def status_of(analysis: Analysis) -> int:
    """The exit status that an analysis deserves."""
    if analysis.account.is_opaque:
        return UNREADABLE
    return DAMAGED if analysis.is_damaged else OK


def warn(damages: list[Damage]) -> None:
    """Damages as lines on standard error."""
    from analyzer.text import printable

    for damage in damages:
        say(f"tcpcap: {printable(str(damage))}", err=True)


def say(text: str = "", *, nl: bool = True, err: bool = False, color: bool | None = None) -> None:
    """Print text: the one way in which commands do, so that nothing in a file can control the terminal."""
    from analyzer.text import harmless

    click.echo(harmless(text), nl=nl, err=err, color=color)


def redraw(text: str) -> None:
    """Put a line of state on standard error in place of the one before."""
    from analyzer.text import harmless

    click.echo(f"\r\x1b[K{harmless(text)}", nl=False, err=True, color=True)
