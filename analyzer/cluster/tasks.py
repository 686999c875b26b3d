"""What processes and machines are asked to do: functions over plain values, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analyzer.cluster.judging import judge
from analyzer.cluster.scatter import scatter
from analyzer.cluster.tabulate import tabulate
from analyzer.errors import TcpcapError

TASKS: dict[str, Callable[..., dict[str, Any]]] = {"scatter": scatter, "judge": judge, "tabulate": tabulate}


def prepared() -> None:
    """Import what all tasks call when they begin, for those who will be forked from this process."""
    from analyzer.capture import pcap_kernel, pcapng_kernel  # noqa: F401
    from analyzer.cluster import part_kernel  # noqa: F401
    from analyzer.events import judge_kernel, late_kernel  # noqa: F401
    from analyzer.flows import flow_kernel  # noqa: F401
    from analyzer.frames import read_kernel  # noqa: F401
    from analyzer.timing import account_kernel  # noqa: F401


def run(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Do a task. What it is given, and what it gives back, JSON can say; all else it reads and writes as files.

    Raises TcpcapError where it cannot be done.
    """
    try:
        return TASKS[name](**given)
    except OSError as error:
        found = str(error.strerror or error)
        where = str(error.filename or "temporary files")
        raise TcpcapError(where, found, "make room, or name another place for them (TMPDIR)") from None
