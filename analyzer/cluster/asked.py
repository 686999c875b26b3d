"""`jobs` and `cluster` of analyze(): who does the work, or why one process does."""

from __future__ import annotations

from typing import Any

from analyzer.capture import Capture
from analyzer.cluster.parted import NotInParts, Parted, Pass
from analyzer.cluster.processes import Processes

LEAST_IN_PARTS = 256 << 20  # bytes of a capture: of a smaller one, one process is done as soon as several are there
AHEAD_JOBS = 2  # so many cores one process keeps busy, which reads ahead


def in_parts(
    capture: Capture, cluster: Any, jobs: int | None, reasons: list[str], **asked: Any
) -> tuple[Pass | None, str]:
    """What processes or machines find in parts; or why they do not."""
    if cluster is None and (jobs or 1) <= AHEAD_JOBS:
        return None, ""
    from analyzer.cluster.ranges import why_whole

    reason = next(iter(reasons), "") or why_whole(capture)
    if not reason and cluster is None and (capture.size or 0) < LEAST_IN_PARTS:
        reason = "it is small, and one process is done as soon as several are there"
    if reason:
        return None, reason
    try:
        if cluster is None:
            with Processes(jobs or 1) as processes:
                return Parted(capture, processes, **asked).run(), ""
        if not hasattr(cluster, "run") or hasattr(cluster, "scheduler_info"):
            from analyzer.cluster.machines import connected

            with connected(cluster, capture.paths[0]) as machines:
                return Parted(capture, machines, **asked).run(), ""
        return Parted(capture, cluster, **asked).run(), ""
    except NotInParts as error:
        capture.has_read(-capture.done)
        return None, str(error)
