"""Lists of sockets as text: how many, whose accept queue is full, where most data waits. Facts, no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from analyzer.analysis import Analysis
from analyzer.report.layout import wrapped
from analyzer.text import duration_text, plural, printable, same_day, size_text, time_text

if TYPE_CHECKING:
    from analyzer.sockets import Queue, SocketLists, Tally

SHOWN = 3


def socket_lines(analysis: Analysis) -> Iterator[str]:
    """What the lists of sockets show; nothing without any."""
    lists = analysis.socket_lists
    if lists is None:
        return
    tally = lists.tally
    if tally.sockets or lists.others or not lists.summaries:
        yield from wrapped(_listed(lists), "  listed      ")
    if tally.sockets:
        yield from wrapped(_states(tally), "  last list   ")
        if tally.tcp:
            captured = f"of {plural(tally.tcp, 'TCP connection')} in it {tally.in_capture:,} in the capture"
            yield from wrapped(captured, "  captured    ")
    yield from _accept(tally)
    for label, queues in (("unread", tally.unread), ("unacked", tally.unacknowledged)):
        if queues:
            yield from wrapped("; ".join(map(_bytes, queues[:SHOWN])), f"  {label:<12}")
    for summary in lists.summaries[-1:]:
        counts = summary.get("tcp", {})
        named = ", ".join(f"{name} {count:,}" for name, count in counts.items() if name != "total")
        yield from wrapped(
            f"{plural(summary['total'], 'socket')}; TCP {counts.get('total', 0):,} ({named})", "  ss -s       "
        )


def _listed(lists: SocketLists) -> str:
    tally = lists.tally
    number = plural(tally.sockets, "socket") if tally.sockets else "no socket"
    text = f"{number} in {plural(tally.snapshots, 'list')}"
    if lists.others:
        others = ", ".join(f"{count:,} {printable(name)}" for name, count in lists.others.items())
        text += f" (and of other families: {others})"
    if not tally.sockets:
        return text
    text += f", {time_text(tally.start_ns)}"
    if tally.end_ns == tally.start_ns:
        return f"{text} UTC"
    until = time_text(tally.end_ns, day=not same_day(tally.start_ns, tally.end_ns))
    return f"{text} to {until} UTC ({duration_text(tally.end_ns - tally.start_ns)})"


def _states(tally: Tally) -> str:
    return "; ".join(
        f"{netid} {', '.join(f'{state} {count:,}' for state, count in sorted(states.items(), key=lambda item: -item[1]))}"
        for netid, states in tally.states.items()
    )


def _accept(tally: Tally) -> Iterator[str]:
    """Full accept queues, or else the longest."""
    full = tally.full
    if full:
        shown = "; ".join(map(_waiting, full[:SHOWN]))
        more = f"; and {plural(len(full) - SHOWN, 'more listener')}" if len(full) > SHOWN else ""
        yield from wrapped(f"full: {shown}{more}", "  accept      ")
    elif tally.accept:
        yield from wrapped(f"longest: {_waiting(tally.accept[0])}", "  accept      ")


def _waiting(queue: Queue) -> str:
    limit = f"{queue.limit:,} may wait" if queue.limit >= 0 else "this list does not tell how many may wait"
    return f"{printable(queue.local)}{_process(queue)} {plural(queue.length, 'connection')} not accepted, {limit}"


def _bytes(queue: Queue) -> str:
    flow = f", #{queue.flow}" if queue.flow >= 0 else ", not captured"
    ends = f"{printable(queue.local)} - {printable(queue.peer)}"
    return f"{size_text(queue.length)} {ends}{_process(queue)}{flow}"


def _process(queue: Queue) -> str:
    return f" ({printable(queue.process)})" if queue.process else ""
