"""What all commands share: the group with its help, options, exit statuses, colours and damages on standard error."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.capture import Damage
    from analyzer.output import Input

OK, FOUND, UNREADABLE, DAMAGED = 0, 1, 2, 3
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 80}
STYLES: dict[str, dict[str, Any]] = {
    "answer": {"bold": True},
    "title": {"bold": True, "fg": "cyan"},
    "warning": {"fg": "yellow"},
    "error": {"fg": "red", "bold": True},
    "info": {"fg": "green"},
    "plain": {},
}


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
    input, or a bundle: a directory that holds capture*.pcap[ng], or a tar of one (.tar.zst). Several of them are one
    capture, in order of time.

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


def styled(text: str, role: str) -> str:
    return click.style(text, **STYLES[role])


def colour() -> bool | None:
    """None lets click decide by the terminal; NO_COLOR wins."""
    return False if os.environ.get("NO_COLOR") else None
