"""What a recording left, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from analyzer.record.recorder import Recorded
from analyzer.report.layout import wrapped
from analyzer.text import duration_text, plural, printable, size_text


def recorded_text(found: Recorded) -> str:
    """What there is, what is missing, and what to do with it."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Recorded) -> Iterator[str]:
    frames = "an unknown number of frames" if found.frames < 0 else plural(found.frames, "frame")
    snapshots = plural(found.snapshots, "snapshot")
    lists = plural(found.lists, "list")
    path = printable(str(found.path))
    yield f"{path}: {frames}, {snapshots} of counters, {lists} of sockets, {size_text(found.bytes)}"
    if found.ring_ns:
        text = f"the last {duration_text(found.ring_ns)}, and up to a quarter more; frames and drops are counted from the beginning"
        yield from wrapped(text, "  kept        ")
    if found.dropped > 0:
        text = f"{found.dropped:,} frames were not captured, for want of room: record again with --buffer 256MB or --snaplen 128"
        yield from wrapped(text, "  dropped     ")
    else:
        yield f"  dropped     {'none' if found.dropped == 0 else 'not known'}"
    yield from wrapped(f"{'early: ' if found.cut else ''}{printable(found.ended_by)}", "  ended       ")
    for note in filter(None, (found.unpacked, *found.notes)):
        yield from wrapped(printable(note), "  note        ")
    yield f"  next        tcpcap analyze {shlex.quote(path)}"
