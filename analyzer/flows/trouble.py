"""How much trouble a connection had: the weight by which connections are ranked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.flows.edge import closed_for_ns
from analyzer.flows.state import TCP
from analyzer.kinds import KINDS
from analyzer.schema import Rows
from analyzer.tables import FLOWS
from analyzer.together import taken

# What is counted per end counts each time, with the weight of its kind; of the other kinds it counts that they happened.
COUNTED = {
    "retransmission": "retransmissions",
    "retransmission_timeout": "timeouts",
    "spurious_retransmission": "spurious",
    "reordering": "reordered",
    "dsack": "dsacks",
    "zero_window": "zero_windows",
}
# A SYN-ACK that may have been repeated without anything being lost is none, nor that it was needless and came twice. Nor is
# a FIN alone that no timer repeats: some stacks send it with every ACK of a close from both sides.
OF_SYN_ACKS = ("retransmission", "spurious_retransmission", "dsack")
OF_FINS = ("retransmission", "spurious_retransmission")
PER_END = [(kind, COUNTED[kind.name]) for kind in KINDS if kind.name in COUNTED]
HAPPENED = [
    (1 << number, kind.trouble) for number, kind in enumerate(KINDS) if kind.trouble and kind.name not in COUNTED
]
BITS, WEIGHTS = np.array([bit for bit, _ in HAPPENED], np.uint64), np.array([float(weight) for _, weight in HAPPENED])
SECOND_SHUT = 10.0  # a second of closed window weighs as a timeout does
FAILED = np.isin(FLOWS["state"].words, ("refused", "unanswered", "half_open"))


def troubles(
    states: Rows, ends: Rows, places: npt.NDArray[np.intp], final: npt.NDArray[np.int64], latest_ns: int
) -> npt.NDArray[np.float64]:
    """The trouble of the flows at `places`; `ends` has those of all flows. 0 is none.

    `final` are the states in which these flows end, `latest_ns` is the latest time in the capture. Field by field: a copy
    of whole states would cost more than all the rest.
    """
    total = np.zeros(len(places))
    events, at = states["events"][places], states["ends"][places]
    for kind, counted in PER_END:
        count = ends[counted][at].astype(np.float64)
        if not count.any():
            continue
        if kind.name in OF_SYN_ACKS:
            again = ends["syn_acks_again"][at]
            count -= np.minimum(count, again[:, ::-1] if kind.name == "dsack" else again)
        if kind.name in OF_FINS:
            count -= np.minimum(count, ends["fins_again"][at])
        total += kind.trouble * count.sum(axis=1)
    total += (events[:, None] & BITS != 0) @ WEIGHTS  # whole numbers: in whatever order, the sum is exact
    total += SECOND_SHUT / 1e9 * ends["zero_ns"][at].sum(axis=1, dtype=np.float64)
    still = np.flatnonzero((ends["zero_frame"][at] > 0).any(axis=1))
    for end in (0, 1) if len(still) else ():
        shut = closed_for_ns(taken(states, places[still]), taken(ends, at[still, end]), latest_ns)
        total[still] += SECOND_SHUT / 1e9 * shut
    total += np.where(FAILED[final], 8.0, 0.0)
    # What happens on the other side of a NAT happens to the same connection.
    return np.where((states["protocol"][places] == TCP) & (states["leg_of"][places] < 0), total, 0.0)
