"""A capture that is followed while it is written: lines on standard output, a line of state on a terminal, Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from analyzer.cli.base import redraw, say
from analyzer.cli.terminal import colour, is_terminal, quiet, styled

if TYPE_CHECKING:
    from analyzer.report.live import Follower


@contextmanager
def follower(lines: bool) -> Iterator[Follower]:
    """Who follows a capture until Ctrl-C, or the end of a pipe; a second Ctrl-C interrupts. `lines` says whether anything is told meanwhile."""
    from analyzer.report.live import Follower

    drawn = lines and not quiet() and is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"

    def state(text: str) -> None:
        if drawn:
            columns = shutil.get_terminal_size().columns
            redraw(text[: columns - 1])

    def tell(text: str) -> None:
        if lines:
            state("")
            severity = text.partition(":")[0]
            known = severity in ("info", "warning", "error")
            say((styled(severity, severity) + text[len(severity) :]) if known else text, color=colour())

    found = Follower(tell, state)

    def enough(_: int, __: Any) -> None:
        signal.signal(signal.SIGINT, before)
        found.stop()

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # what was ignored stays so, as nohup wants it
        signal.signal(signal.SIGINT, enough)
    try:
        yield found
    finally:
        signal.signal(signal.SIGINT, before)
        tell("")  # between what was told meanwhile and the answer
