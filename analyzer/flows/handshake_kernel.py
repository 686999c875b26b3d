"""Compiled: how a TCP connection opens and ends, as far as its state says: handshake, its round-trip time, FIN and RST."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline
from analyzer.flows.hash_kernel import pair_of, server_of
from analyzer.flows.state import (
    ACKED,
    DAMAGED,
    FIN,
    IMPOSSIBLE,
    INFERRED,
    PEERS,
    RST,
    SYN,
    SYN_ACK,
    SYN_AGAIN,
)
from analyzer.flows.tuple_kernel import TCP_ACK, TCP_SYN
from analyzer.tables import PACKETS, ROLES

TCP_FIN, TCP_RST = 1, 4
BY_HANDSHAKE = ROLES.index("handshake")
RESERVED_BITS = 0xE00
BAD_SUM = PACKETS.bit("ip_header_checksum", "bad")
FAR = np.uint32(1 << 30)  # no window is as wide


@inline
def shows_handshake(state: Any, row: Any, end: Int) -> Any:
    """Does the server send, behind its SYN-ACK, what it sends in an open connection only?

    Data, a FIN, or the acknowledgment of more than the SYN: then the client's ACK reached it, captured or not.
    """
    if np.uint32(row["seq"] - state["base_seq"][end]) >= FAR:
        return False  # of another connection
    if row["payload_len"] > 0 or row["flags"] & TCP_FIN:
        return True
    beyond = np.uint32(row["ack"] - state["base_seq"][1 - end])
    return state["base_known"][1 - end] and 1 < beyond < FAR


@inline
def remember_peer(state: Any, peers: Any) -> None:
    """The time that a handshake takes between these two addresses, at most."""
    peer = peers[state["pair"] & np.uint64(PEERS - 1)]
    if peer["pair"] != state["pair"]:
        peer["pair"], peer["rtt_ns"] = state["pair"], state["rtt_ns"]
    else:
        peer["rtt_ns"] = max(peer["rtt_ns"], state["rtt_ns"])


@inline
def follow_tcp(state: Any, row: Any, end: Int, peers: Any) -> None:
    """Handshake, its round-trip time, and how the connection ends."""
    flags, time_ns = row["flags"], row["time_ns"]
    if flags & TCP_SYN or not state["base_known"][end]:
        state["base_known"][end] = 1
        state["base_seq"][end] = row["seq"] if flags & TCP_SYN else np.uint32(row["seq"] - 1)
    if flags & TCP_ACK and not state["base_known"][1 - end]:  # what is acknowledged tells where the other end stands
        state["base_known"][1 - end] = 1
        state["base_seq"][1 - end] = np.uint32(row["ack"] - 1)
    if flags & TCP_SYN:
        seen = SYN_ACK if flags & TCP_ACK else SYN
        first = not state["seen"] & seen
        if not first:
            state["seen"] |= SYN_AGAIN
        else:
            state["waits_ns"], state["pair"], state["server"] = time_ns, pair_of(row), server_of(row)
        state["seen"] |= seen
        if state["roles"] != BY_HANDSHAKE:  # in a simultaneous open, who was first
            state["roles"] = BY_HANDSHAKE
            state["client"] = 1 - end if flags & TCP_ACK else end
        if seen == SYN:
            state["syn_ns"] = time_ns
            doubtful(state, row, first)
        else:
            state["seen"] &= 0xFFFF ^ (RST | RST << 1)  # of a reset before that, the connection did not die
    elif (
        state["seen"] & (SYN | SYN_ACK)
        and state["seen"] & (ACKED | INFERRED) != ACKED
        and flags & (TCP_ACK | TCP_RST) == TCP_ACK
    ):
        if end == state["client"]:  # it acknowledges: it has got a SYN-ACK, whether that was captured or not
            state["seen"] = (state["seen"] | ACKED) & (0xFFFF ^ INFERRED)
            once = state["seen"] & (SYN | SYN_ACK | SYN_AGAIN) == SYN | SYN_ACK
            answered = state["base_known"][1 - end] and row["ack"] == np.uint32(state["base_seq"][1 - end] + 1)
            if once and answered and time_ns >= state["syn_ns"]:
                state["rtt_ns"] = max(time_ns - state["syn_ns"], -1)  # a difference beyond int64 is none
                remember_peer(state, peers)
        elif state["seen"] & (SYN_ACK | ACKED) == SYN_ACK and shows_handshake(state, row, end):
            state["seen"] |= ACKED | INFERRED
    if flags & TCP_FIN:
        state["seen"] |= FIN << end
    both = FIN | FIN << 1
    if flags & TCP_RST and state["seen"] & both != both and not state["seen"] & (RST | RST << 1):
        state["seen"] |= RST << end


@inline
def doubtful(state: Any, row: Any, first: Any) -> None:
    """What speaks against it that its SYNs were meant to open a connection; one that is as it should be clears it."""
    found = np.int64(0)
    if row["flags"] & (TCP_FIN | TCP_RST | RESERVED_BITS):
        found = np.int64(IMPOSSIBLE)
    if row["ip_header_checksum"] == BAD_SUM:
        found |= DAMAGED
    known = np.int64(state["seen"]) & (IMPOSSIBLE | DAMAGED)
    state["seen"] = np.int64(state["seen"]) & (0xFFFF ^ (IMPOSSIBLE | DAMAGED)) | (found if first else known & found)
