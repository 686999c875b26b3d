"""What is known of the ends of slow start (TcpExtTCPHystart*): from lists of sockets, and from how much each connection has sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True, slots=True)
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
    shown = [row for each in ended for row in _one(each.time_ns - BEFORE_NS, 1, 1, each.window, each.window)]
    possible: list[tuple[int, str, int, int, int]] = []
    for rows in flows:
        for start_ns, times, window in _senders(rows, local):
            possible += _one(start_ns, 0, times, 0, window)
    if left[0]:
        possible += _one(0, 0, left[0], 0, FIRST_WINDOW * left[0] + left[1])
    return SlowStarts(_increments(shown), _increments(possible))


def _one(time_ns: int, least: int, most: int, low: int, high: int) -> list[tuple[int, str, int, int, int]]:
    """Time, counter, guess, least and most of each counter: of both together, and of one or the other."""
    found = [(time_ns, "+".join(DETECTED), least, least, most), (time_ns, "+".join(WINDOWS), low, low, high)]
    found += [(time_ns, name, least if name == DETECTED[1] else 0, 0, most) for name in DETECTED]
    return found + [(time_ns, name, low if name == WINDOWS[1] else 0, 0, high) for name in WINDOWS]


def _senders(rows: Rows, local: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Of each end of the host that has sent more than one segment: when it began, how many slow starts may have ended, and the largest window."""
    for side in ("client", "server"):
        payload, packets = rows[f"{side}_payload"], rows[f"{side}_packets"]
        mine = (rows["protocol"] == _TCP) & (payload > 0) & (packets > 2)
        mine &= among(rows[f"{side}_hi"], rows[f"{side}_lo"], local)
        segments = packets[mine] + payload[mine] // LEAST_SEGMENT
        times = 1 + rows[f"{side}_timeouts"][mine].astype(np.int64)
        yield from zip(
            rows["start_ns"][mine].tolist(), times.tolist(), (times * (FIRST_WINDOW + segments)).tolist(), strict=True
        )


def _increments(found: Sequence[tuple[int, str, int, int, int]]) -> Rows:
    """As rows."""
    rows = np.zeros(len(found), INCREMENT)
    rows["flow"] = -1
    for at, (time_ns, name, amount, least, most) in enumerate(found):
        rows["time_ns"][at], rows["counter"][at] = time_ns, NUMBER[name]
        rows["amount"][at], rows["least"][at], rows["most"][at] = amount, least, most
    return rows
