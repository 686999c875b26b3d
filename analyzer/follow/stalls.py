"""The pauses of a connection: which of the times between two frames matter, and what was waited for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields
from analyzer.schema import Rows
from analyzer.tables import TIME_CAUSES

MOST = 40  # are marked: the longest
LEAST_NS = 10_000_000
LONG_NS = 200_000_000  # matters however long the connection is
SHARE = 50  # and so does a fiftieth of it
TRIPS = 4  # where no less than so many round trips passed
ALWAYS_PART = ("transfer",)  # what no pause is explained by while another cause has a part in it
CLIENT, SERVER = 0, 1
SYN, RST = 2, 4


@of_fields(frozen=True, slots=True)
class Stall:
    """A pause. `after` is the frame before it, `before` the one that ended it (0: the capture ended in it), `waits` who was silent or waited (0 the client, 1 the server)."""

    after: int
    before: int
    start_ns: int
    duration_ns: int
    cause: str
    waits: int


def stalls_of(row: Rows, frames: Rows, stretches: Rows) -> list[Stall]:
    """The longest pauses of the connection with this row of `flows`, in order of time; `frames` are all of its, `stretches` where its time went."""
    own = frames[frames["side"] <= SERVER]
    if not len(own) or row["protocol"] != 0:
        return []
    gaps = np.diff(own["time_ns"])
    places = np.flatnonzero(gaps >= _least(row))
    if len(places) > MOST:
        places = np.sort(places[np.argsort(-gaps[places], kind="stable")[:MOST]])
    begins, causes = stretches["from_ns"], stretches["cause"]
    ends = begins + stretches["ns"]
    found = []
    for place in places.tolist():
        from_ns, to_ns = int(own["time_ns"][place]), int(own["time_ns"][place + 1])
        inside = np.maximum(np.minimum(ends, to_ns) - np.maximum(begins, from_ns), 0)
        cause = _main_cause(np.bincount(causes, weights=inside, minlength=len(TIME_CAUSES)))
        waits = _who_waits(cause, own, place)
        found.append(
            Stall(int(own["frame"][place]), int(own["frame"][place + 1]), from_ns, to_ns - from_ns, cause, waits)
        )
    return [*found, *_owed(row, own, stretches)]


def _least(row: Rows) -> int:
    """How long a pause must be."""
    trip = int(row["handshake_rtt_ns"])
    if trip <= 0:  # from here to both ends and back
        trip = sum(max(int(row[f"{side}_rtt_min_ns"]), 0) for side in ("client", "server"))
    return max(LEAST_NS, TRIPS * trip, min(LONG_NS, int(row["duration_ns"]) // SHARE))


def _main_cause(spent: npt.NDArray[Any]) -> str:
    """What most of the time went to; the mere moving of data only where there is nothing else."""
    order = np.argsort(-spent, kind="stable")
    names = [TIME_CAUSES[at] for at in order if spent[at] > 0]
    return next((name for name in names if name not in ALWAYS_PART), names[0] if names else TIME_CAUSES[-1])


def _who_waits(cause: str, own: Rows, place: int) -> int:
    """The side that `cause` is told of."""
    ended_by = int(own["side"][place + 1])
    if cause in ("client_think", "server_think"):
        return CLIENT if cause == "client_think" else SERVER
    if cause == "zero_window":
        shut = own[: place + 1]
        shut = shut[(shut["window"] == 0) & (shut["flags"] & (SYN | RST) == 0)]
        return 1 - int(shut["side"][-1]) if len(shut) else _sender(own, place)
    if cause in ("receive_window", "round_trip", "delayed_ack"):
        return _sender(own, place)
    if cause in ("loss_timeout", "loss_fast"):  # its data comes again
        return ended_by if own["end"][place + 1] > own["start"][place + 1] else _sender(own, place)
    return ended_by


def _sender(own: Rows, place: int) -> int:
    """Who sent the last data before the pause."""
    data = np.flatnonzero(own["end"][: place + 1] > own["start"][: place + 1])
    return int(own["side"][data[-1]]) if len(data) else int(own["side"][place])


def _owed(row: Rows, own: Rows, stretches: Rows) -> list[Stall]:
    """What was still waited for when the capture ended."""
    since = int(own["time_ns"][-1])
    left = int(row["start_ns"]) + int(row["duration_ns"]) - since
    if left < _least(row):
        return []
    told = np.bincount(stretches["cause"], weights=stretches["ns"], minlength=len(TIME_CAUSES))
    rest = np.array([int(row[f"time_{cause}_ns"]) for cause in TIME_CAUSES]) - told
    cause = TIME_CAUSES[int(np.argmax(rest))]
    waits = {"client_think": CLIENT, "server_think": SERVER}.get(cause, _sender(own, len(own) - 1))
    if cause == "zero_window":
        waits = _who_waits(cause, own, len(own) - 2) if len(own) > 1 else waits
    return [Stall(int(own["frame"][-1]), 0, since, left, cause, waits)]
