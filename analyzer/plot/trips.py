"""Round trips of one direction while the capture passes: from data that was sent once to the first ACK that covers it (Karn)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.kinds import NUMBER
from analyzer.plot.bins import AGAIN
from analyzer.schema import Rows

MOST_WAITING = 1 << 15  # segments without an ACK that are remembered: the latest
SYN, RST, ACK = 2, 4, 16
COPIES = np.uint64(1 << NUMBER["capture_duplicate"] | 1 << NUMBER["network_duplicate"])
STRAY = np.uint64(1 << NUMBER["stray"] | 1 << NUMBER["reset_by_middlebox"])
TRIP = np.dtype([("time_ns", "i8"), ("rtt_ns", "i8"), ("frame", "i8"), ("direction", "u1")])
SENT = np.dtype([("end", "i8"), ("time_ns", "i8")])


class RoundTrips:
    """Those of what `side` (0 the client) sends. The same is found, however the packets are divided."""

    def __init__(self, side: int) -> None:
        self.side = side
        self._waiting = np.zeros(0, SENT)
        self._number: np.uint32 | None = None  # the last sequence number that was read, and where it lies
        self._height = 0
        self._acked = np.iinfo(np.int64).min  # the highest ACK
        self._again_ns = np.iinfo(np.int64).min  # when something was sent again last

    def add(self, raw: Rows) -> Rows:
        """The round trips (TRIP) that end in these packets of the connection (PACKET), in order."""
        mine, sure = raw["direction"] == self.side, raw["events"] & STRAY == 0
        once = raw["events"] & (AGAIN | COPIES) == 0
        is_data = mine & sure & once & (raw["payload_len"] > 0)
        is_ack = ~mine & sure & (raw["flags"] & (ACK | SYN | RST) == ACK)
        told = raw[is_data | is_ack]
        of_data = told["direction"] == self.side
        heights = self._heights(np.where(of_data, told["seq"] + told["payload_len"], told["ack"]))
        acked = np.maximum.accumulate(np.append(self._acked, np.where(of_data, self._acked, heights)))
        fresh = of_data & (heights > acked[:-1])  # else its ACK was captured before it
        data = np.zeros(int(fresh.sum()), SENT)
        data["end"], data["time_ns"] = heights[fresh], told["time_ns"][fresh]
        data = np.concatenate([self._waiting, data])
        data["end"] = np.maximum.accumulate(data["end"])
        new = acked[1:] > acked[:-1]
        again_ns = np.append(self._again_ns, raw["time_ns"][mine & ~once])
        found, data = _covered(data, told[new], acked[1:][new], again_ns)
        found["direction"] = self.side
        self._acked, self._again_ns, self._waiting = int(acked[-1]), int(again_ns.max()), data[-MOST_WAITING:]
        return found

    def _heights(self, numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        """Sequence numbers as bytes from the first, however often they wrap."""
        if not len(numbers):
            return np.zeros(0, np.int64)
        before = numbers[0] if self._number is None else self._number
        steps = np.diff(numbers, prepend=before).astype(np.int32).astype(np.int64)
        found: npt.NDArray[np.int64] = self._height + np.cumsum(steps)
        self._number, self._height = numbers[-1], int(found[-1])
        return found


def _covered(
    data: Rows, acks: Rows, heights: npt.NDArray[np.int64], again_ns: npt.NDArray[np.int64]
) -> tuple[Rows, Rows]:
    """The round trip that each new ACK ends, and the data that no ACK covers yet. What was outstanding when something was sent again tells none."""
    at = np.searchsorted(data["end"], heights, side="right") - 1  # the last segment that each covers
    covers = np.diff(at, prepend=-1) > 0
    acks, at = acks[covers], at[covers]
    sent_ns = data["time_ns"][at]
    resent = np.searchsorted(again_ns, acks["time_ns"]) - np.searchsorted(again_ns, sent_ns)
    sure = (acks["time_ns"] >= sent_ns) & (resent == 0)
    found = np.zeros(int(sure.sum()), TRIP)
    found["time_ns"], found["frame"] = acks["time_ns"][sure], acks["frame"][sure]
    found["rtt_ns"] = found["time_ns"] - sent_ns[sure]
    return found, data[int(at[-1]) + 1 :] if len(at) else data
