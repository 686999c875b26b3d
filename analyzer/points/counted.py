"""What the kernel of a host proves of its capture: where it counted just as many packets as the capture holds, none passed that the capture lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analyzer.analysis import Analysis
from analyzer.capture.bundle import host_of, part_of
from analyzer.counters.series import Snapshot
from analyzer.fields import of_fields
from analyzer.parts import COUNTERS_FILE
from analyzer.points.pending import NEAR
from analyzer.points.survey import Survey
from analyzer.schema import Rows

RECEIVED = ("IpInReceives", "Ip6InReceives")


@of_fields(frozen=True, slots=True)
class Ran:
    """When a capture ran, on the clock of the first point, and how many packets it says itself that it lost, or cut inside their headers.

    `watched`: it says that it lost none, or comes with its host in a bundle. Of any other it may be that it missed a packet of
    whose coming nothing else would tell. `heard_nothing`: the kernel's own counters say that no packet came.
    `counted_ns` is between which times the kernel counted just the packets that the capture holds, None where it did not.
    """

    start_ns: int
    end_ns: int
    drops: int
    watched: bool
    heard_nothing: bool = False
    counted_ns: tuple[int, int] | None = None


def ran_of(analysis: Analysis, survey: Survey, is_second: bool, cut: int) -> Ran:
    """When the capture of one of two points ran; `cut` is how many of its frames are cut inside their headers."""
    ends = np.array([analysis.summary.total("first_ns"), analysis.summary.total("last_ns")], np.int64)
    snapshots = _snapshots(analysis)
    recorded = np.array([each.time_ns for each in snapshots], np.int64)
    if len(recorded):
        ends[1] = max(ends[1], recorded.max())
        if len(analysis.files) == 1:  # of a ring the first files may be gone
            ends[0] = min(ends[0], recorded.min())
    times = np.concatenate([ends, np.sort(recorded)[[0, -1]] if len(recorded) > 1 else recorded[:0]])
    if is_second and survey.clock is not None:
        times = survey.clock.to_first(times)
    told = [value for name, value in analysis.drops.items() if value is not None and name != "interface_received"]
    watched = bool(told) or any(host_of(path) is not None for path in analysis.paths)
    counted = (int(times[2]), int(times[3])) if len(times) > 2 and _holds_all(analysis) else None
    return Ran(int(times[0]), int(times[1]), sum(told) + cut, watched, _heard_nothing(snapshots), counted)


def held_by(survey: Survey, ran: tuple[Ran, Ran], rows: Rows) -> npt.NDArray[np.bool_]:
    """Which of these (PASSED), where they were sent, the capture at the other point would hold for certain, had they come.

    They go to the host that took it, while its kernel counted just the packets that the capture holds.
    """
    found = np.zeros(len(rows), np.bool_)
    for side in (0, 1):
        counted = ran[1 - side].counted_ns
        if counted is None:
            continue
        least, most = survey.delays_ns[side]
        found |= (
            ((rows["status"] & NEAR) != 0)
            & (rows["side"] == side)
            & survey.ends_at[1 - side][rows["connection"]]
            & (rows["when_ns"] + least >= counted[0])
            & (rows["when_ns"] + most <= counted[1])
        )
    return found


def _holds_all(analysis: Analysis) -> bool:
    """Did the kernel count what the capture holds, no more and no less, all the time between the snapshots of its bundle?"""
    compared = analysis.comparison
    if compared is None:
        return False
    coverage = compared.coverage()
    return coverage.complete and coverage.counted and coverage.time_share == 1 and not coverage.contradictions


def _heard_nothing(snapshots: Sequence[Snapshot]) -> bool:
    """Does the kernel itself say that no IP packet came while it was recorded?"""
    values = [each.values for each in snapshots]
    return len(values) > 1 and all(
        RECEIVED[0] in each
        and [each.get(name, 0) for name in RECEIVED] == [values[0].get(name, 0) for name in RECEIVED]
        for each in values
    )


def _snapshots(analysis: Analysis) -> list[Snapshot]:
    """Those of its own bundle."""
    series = analysis.counter_series
    own = {part_of(path, COUNTERS_FILE) for path in analysis.paths}
    snapshots = series.snapshots if series is not None else []
    return [each for each in snapshots if each.time_from == "series" and each.path in own]
