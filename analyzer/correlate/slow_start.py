"""What is known of the ends of slow start (TcpExtTCPHystart*): from lists of sockets, and from how much each connection has sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.distinct import grouped
from analyzer.fields import of_fields
from analyzer.flows.addresses import among
from analyzer.prediction import NUMBER
from analyzer.prediction.sink import INCREMENT
from analyzer.schema import Rows
from analyzer.sockets.slow_start import Ended
from analyzer.tables import FLOWS

DETECTED = ("TcpExtTCPHystartTrainDetect", "TcpExtTCPHystartDelayDetect")
WINDOWS = ("TcpExtTCPHystartTrainCwnd", "TcpExtTCPHystartDelayCwnd")
SLOW_START = frozenset((*DETECTED, *WINDOWS, "+".join(DETECTED), "+".join(WINDOWS)))
FIRST_WINDOW = 10  # segments that a connection begins with (TCP_INIT_CWND)
LEAST_SEGMENT = 536  # bytes that every host takes in one (TCP_MSS_DEFAULT)
BEFORE_NS = 1_000_000  # a list shows what was before it
_TCP = FLOWS["protocol"].words.index("tcp")

Numbers = npt.NDArray[np.int64]


@of_fields(frozen=True, slots=True)
class SlowStarts:
    """The increments (INCREMENT) that lists of sockets show, and those that may have come at any time after theirs."""

    shown: Rows
    possible: Rows


def slow_starts(
    ended: Sequence[Ended], flows: Iterable[Rows], local: Sequence[str], left: tuple[int, int]
) -> SlowStarts:
    """What is known of them.

    Parameters
    ----------
    ended : slow starts that were over in a list of sockets, without a loss
    flows : rows of FLOWS, piece by piece
    local : addresses of the host
    left : connections that are no longer among the flows, and segments that they may have sent together

    HyStart ends a slow start once, and another begins only after a timeout; the window is no larger than what it began with and all
    that was sent. Which of the two it was, a train of ACKs or a delay, nothing but the counters tells.
    """
    shown = np.array([(each.time_ns - BEFORE_NS, 1, each.window) for each in ended], np.int64).reshape(-1, 3).T
    possible = [_senders(rows, local) for rows in flows]
    if left[0]:
        possible.append(np.array([[0], [left[0]], [FIRST_WINDOW * left[0] + left[1]]], np.int64))
    none = np.zeros((3, 0), np.int64)
    return SlowStarts(_increments(shown, True), _increments(np.concatenate([none, *possible], axis=1), False))


def _senders(rows: Rows, local: Sequence[str]) -> Numbers:
    """Of each end of the host that has sent more than one segment: when it began, how many slow starts may have ended, and the largest window."""
    found = []
    for side in ("client", "server"):
        payload, packets = rows[f"{side}_payload"], rows[f"{side}_packets"]
        mine = (rows["protocol"] == _TCP) & (payload > 0) & (packets > 2)
        mine &= among(rows[f"{side}_hi"], rows[f"{side}_lo"], local)
        segments = packets[mine] + payload[mine] // LEAST_SEGMENT
        times = 1 + rows[f"{side}_timeouts"][mine].astype(np.int64)
        found.append(np.stack([rows["start_ns"][mine], times, times * (FIRST_WINDOW + segments)]))
    return np.concatenate(found, axis=1)


def _increments(found: Numbers, certain: bool) -> Rows:
    """Times, ends of slow start and windows as rows: of both counters together, and of one or the other, of which only the most is known.

    What is of the same time is one row of each counter, as only sums matter.
    """
    times, _, where, _ = grouped(found[0])
    rows = np.zeros((len(SLOW_START), len(times)), INCREMENT)
    rows["flow"], rows["time_ns"] = -1, times
    names = [(pair, name) for pair in (DETECTED, WINDOWS) for name in ("+".join(pair), *pair)]
    for row, (pair, name) in zip(rows, names, strict=True):
        row["counter"] = NUMBER[name]
        np.add.at(row["most"], where, found[1 if pair is DETECTED else 2])
        if certain and name != pair[0]:
            row["amount"] = row["most"]  # a delay, as long as nothing tells which
        if certain and name not in pair:
            row["least"] = row["most"]
    return rows.reshape(-1)
