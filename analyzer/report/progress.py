"""Progress by bytes on standard error, with rate and time left. Only on a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from analyzer.capture import Capture
from analyzer.report.layout import is_quiet

SHOW_AFTER_S = 0.5  # a bar that flashes up for a small file only disturbs


def _silent(_: object) -> None:
    """For output that nobody watches."""


@contextmanager
def progress_shown() -> Iterator[Callable[[Capture], None]]:
    """Yields what is to be called with the Capture after each batch."""
    # None where it is closed; a dumb terminal cannot draw a line anew.
    if is_quiet() or sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    bar = Progress(
        TextColumn("reading"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    began: list[float] = []  # when the first batch was done: until then nobody knows the rate
    task = bar.add_task("reading", total=None)

    def update(capture: Capture) -> None:
        bar.update(task, completed=capture.done, total=capture.size)
        began[:] = began or [time.monotonic()]
        if time.monotonic() - began[0] >= SHOW_AFTER_S:
            bar.start()

    try:
        yield update
    finally:
        bar.stop()
