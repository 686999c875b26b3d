"""How much trouble a connection had: the weight by which connections are ranked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.flows.rows import final_states
from analyzer.flows.state import TCP
from analyzer.kinds import KINDS
from analyzer.schema import Rows
from analyzer.tables import FLOWS

# What is counted per end counts each time, with the weight of its kind; of the other kinds it counts that they happened.
COUNTED = {
    "retransmission": "retransmissions",
    "retransmission_timeout": "timeouts",
    "spurious_retransmission": "spurious",
    "reordering": "reordered",
    "dsack": "dsacks",
    "zero_window": "zero_windows",
}
SECOND_SHUT = 10.0  # a second of closed window weighs as a timeout does
FAILED = ("refused", "unanswered", "half_open")


def troubles(states: Rows, ends: Rows, places: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """The trouble of the flows at `places`; `ends` has a column for the low and one for the high end. 0 is none.

    Field by field: a copy of whole states would cost more than all the rest.
    """
    total = np.zeros(len(places))
    events = states["events"][places]
    for number, kind in enumerate(KINDS):
        if kind.name in COUNTED:
            total += kind.trouble * ends[COUNTED[kind.name]][places].sum(axis=1, dtype=np.float64)
        elif kind.trouble:
            total += np.where(events & np.uint64(1 << number), float(kind.trouble), 0.0)
    total += SECOND_SHUT / 1e9 * ends["zero_ns"][places].sum(axis=1, dtype=np.float64)
    failed = np.isin(final_states(states, places), [FLOWS.bit("state", word) for word in FAILED])
    total += np.where(failed, 8.0, 0.0)
    # What happens on the other side of a NAT happens to the same connection.
    return np.where((states["protocol"][places] == TCP) & (states["leg_of"][places] < 0), total, 0.0)
