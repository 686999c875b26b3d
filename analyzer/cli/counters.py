"""tcpcap counters: what moved, what a name means, and which frames moved it."""

from __future__ import annotations

import sys
from typing import Any

import click

from analyzer.cli import complete
from analyzer.cli.base import (
    DAMAGED,
    OK,
    choose_options,
    cli,
    colour,
    hosts_option,
    increments_option,
    say,
    snapshots_option,
    styled,
    warn,
)


@cli.group()
def counters() -> None:
    """Kernel counters: what moved, what a name means, and what packets can tell of it."""


@counters.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@increments_option
def diff(before: str, after: str, increments: bool | None) -> None:
    """Print what moved between two snapshots, A and B, with a line of meaning each: first what points to trouble.

    A and B are files of counters in any form: nstat (text or JSON), /proc/net/{snmp,netstat,snmp6}, `netstat -s`,
    node_exporter, Prometheus, telegraf, counters.jsonl; or folders of a sosreport or supportconfig. Of several
    snapshots in A the first counts, in B the last.
    """
    from analyzer.counters import difference, judged_together
    from analyzer.report.counter_text import diff_text
    from analyzer.text import printable

    first, last, notes = judged_together(before, after, increments=increments)
    say(diff_text(difference(first, last), styled), nl=False, color=colour())
    for note in notes:
        say(f"tcpcap: {printable(note)}", err=True)


@counters.command()
@click.argument("name", shell_complete=complete.counters)
def explain(name: str) -> None:
    """Explain a counter: what it counts, when it moves, what it points at, and what packets tell of it.

    NAME is as nstat prints it, with or without its group (TcpExtTCPTimeouts, timeouts), as an exporter has it
    (node_netstat_TcpExt_TCPTimeouts), or a sentence of `netstat -s` ("segments retransmitted").
    """
    from analyzer.catalogue import find
    from analyzer.report.catalogue_text import explain_text

    say(explain_text(find(name)), nl=False)


@counters.command(name="list")
@click.option("--group", metavar="GROUP", help="Only of this group: Ip, Icmp, Tcp, Udp, TcpExt, IpExt, ...")
@click.option("--observability", metavar="WORD", help="Only exact, bounded, inferred or unobservable ones.")
@click.option("--word", metavar="TEXT", help="Only those whose name or text has it.")
def list_counters(group: str | None, observability: str | None, word: str | None) -> None:
    """List the counters, each with its first sentence."""
    from analyzer.catalogue import list_rows
    from analyzer.errors import UsageError
    from analyzer.report.counter_text import list_text

    rows = list(list_rows(group=group, observability=observability, word=word))
    if not rows:
        raise UsageError("counters list", "no counter is like that", "leave an option out, or give a shorter --word")
    say(list_text(rows), nl=False)


@counters.command()
@click.argument("trace", nargs=-1, required=True)
@click.argument("name", shell_complete=complete.counters)
@choose_options()
@hosts_option
@snapshots_option
@increments_option
def trace(
    trace: tuple[str, ...],
    name: str,
    chosen: dict[str, Any],
    hosts: tuple[str, ...],
    snapshots: tuple[str, ...],
    increments: bool | None,
) -> None:
    """List the frames that move a counter.

    NAME is as nstat prints it, or without its group. With
    snapshots, each interval tells what the kernel counted in it.
    """
    from analyzer.report.progress import progress_shown
    from analyzer.report.trace_text import trace_lines
    from analyzer.run import analyze as run

    with progress_shown() as update:
        analysis = run(list(trace), snapshots=snapshots, hosts=hosts, increments=increments, progress=update, **chosen)
    for line in trace_lines(analysis, name, styled):
        say(line, color=colour())
    warn(analysis.damages)
    sys.exit(DAMAGED if analysis.is_damaged else OK)
