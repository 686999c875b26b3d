"""Counters that no packet decides: what other counters tell of them, and they of others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.correlate.ledger import Sums
from analyzer.prediction import BY_OTHERS

Numbers = npt.NDArray[np.int64]


class Sum(NamedTuple):
    """A counter that lies above what packets show of it, or below, by all that another one counts."""

    counter: str
    above: bool


SHOWN_BY = {
    # What could not be sent was counted as sent again before (__tcp_retransmit_skb()), or as a reset (tcp_send_active_reset()).
    "TcpExtTCPRetransFail": Sum("TcpRetransSegs", above=True),
    "TcpExtTCPAbortFailed": Sum("TcpOutRsts", above=True),
    # What the host's firewall drops, or a queue refuses, had been counted as sent (__ip_local_out(), ip_send_skb()).
    "IpOutDiscards": Sum("IpOutRequests", above=True),
    "Ip6OutDiscards": Sum("Ip6OutRequests", above=True),
    # What came and was delivered to nobody (ip_rcv_finish_core()).
    "TcpExtIPReversePathFilter": Sum("IpInDelivers", above=False),
}
# By how much a count can be lower, and higher, for each step of another counter.
OTHERS = {name: (*others,) for name, others in BY_OTHERS.items()}
for _name, _sum in SHOWN_BY.items():
    if _sum.above:
        OTHERS[_sum.counter] = (*OTHERS.get(_sum.counter, ()), (_name, 0, 1))
# A reset that could not be sent was a segment all the same.
OTHERS["TcpOutSegs"] = (*OTHERS.get("TcpOutSegs", ()), ("TcpExtTCPAbortFailed", 0, 1))

UNDECIDED = frozenset(
    f"TcpExt{name}"
    for name in (
        "PruneCalled", "TCPRcvCollapsed",
        "TCPHystartTrainDetect", "TCPHystartDelayDetect", "TCPHystartTrainCwnd", "TCPHystartDelayCwnd",
    )
)  # fmt: skip
"""Of these packets never give more than the most, so that it is worth while to look at what happens when they move."""

AT_MOST = UNDECIDED | frozenset(
    f"TcpExt{name}"
    for name in (
        "TCPBacklogCoalesce", "TCPDeferAcceptDrop", "TCPMD5NotFound", "TCPMD5Unexpected", "TCPMD5Failure", "LockDroppedIcmps",
        "ListenOverflows", "ListenDrops", "TCPWantZeroWindowAdv",
    )
)  # fmt: skip
"""Of these packets mostly give no more than the most that may have been: there is nothing to say of them while they stand still."""


def by_sum(name: str, moved: Numbers, low: Numbers, high: Numbers, amount: Numbers) -> Sums:
    """What the sum of a counter of SHOWN_BY tells of it: the sum `moved` so much, packets show `low` to `high` of it, probably `amount`."""
    if SHOWN_BY[name].above:
        most, guess = moved - low, moved - amount
    else:
        most, guess = high - moved, amount - moved
    most, none = np.maximum(most, 0), np.zeros(len(moved), np.int64)
    return Sums(np.clip(guess, 0, most), none, most, none, none, none, none, none)


def worth_saying(name: str, moved: Numbers, amount: Numbers) -> npt.NDArray[np.bool_]:
    """In which intervals did it move, or does something but a bound show that it should have?"""
    if name in SHOWN_BY:
        return np.asarray(moved != 0)
    return np.asarray((moved != 0) | (amount != 0)) if name in AT_MOST else np.ones(len(moved), np.bool_)


def said_of(name: str) -> str:
    """Which sum tells of a counter of SHOWN_BY."""
    found = SHOWN_BY[name]
    return f"{found.counter} lies {'above' if found.above else 'below'} what the packets show by so much or more"
