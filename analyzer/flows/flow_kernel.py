"""Compiled flow tracking: packet rows -> flow states, through a hash table with open addressing."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, kernel
from analyzer.flows.state import ACKED, EMPTY, FIN, RST, SUCCEEDED, SYN, SYN_ACK, SYN_AGAIN, TCP, UDP
from analyzer.tables import PACKETS, ROLES

TCP_FIN, TCP_SYN, TCP_RST, TCP_ACK = 1, 2, 4, 16
BY_HANDSHAKE, BY_PORTS, BY_FIRST = ROLES.index("handshake"), ROLES.index("ports"), ROLES.index("first_packet")
LAYER_TCP, LAYER_UDP = PACKETS.bit("layers", "tcp"), PACKETS.bit("layers", "udp")
WELL_KNOWN = 1024


@inline
def mix(value: Any) -> Any:
    """A 64-bit finaliser: every input bit changes about half of the output bits."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ value >> np.uint64(33)


@inline
def hash_of(row: Any, seed: Any) -> Any:
    """The same for both directions of a conversation: a sum over the two ends."""
    src = mix(row["src_hi"] ^ mix(row["src_lo"] ^ seed) ^ np.uint64(row["src_port"]))
    dst = mix(row["dst_hi"] ^ mix(row["dst_lo"] ^ seed) ^ np.uint64(row["dst_port"]))
    return mix(src + dst + np.uint64(row["ip_proto"]))


@inline
def low_end(row: Any) -> Int:
    """Which end of the flow sent this packet: 0 the low one, 1 the high one."""
    if row["src_hi"] != row["dst_hi"]:
        return 0 if row["src_hi"] < row["dst_hi"] else 1
    if row["src_lo"] != row["dst_lo"]:
        return 0 if row["src_lo"] < row["dst_lo"] else 1
    return 0 if row["src_port"] <= row["dst_port"] else 1


@inline
def same_flow(state: Any, row: Any, end: Int) -> Any:
    """Does the packet, sent by `end`, belong to this flow's tuple?"""
    other = 1 - end
    return (
        state["address_lo"][end] == row["src_lo"]
        and state["address_lo"][other] == row["dst_lo"]
        and state["port"][end] == row["src_port"]
        and state["port"][other] == row["dst_port"]
        and state["address_hi"][end] == row["src_hi"]
        and state["address_hi"][other] == row["dst_hi"]
        and state["protocol"] == row["ip_proto"]
        and state["ip_version"] == row["ip_version"]
    )


@inline
def is_reuse(state: Any, row: Any, end: Int) -> Any:
    """A SYN that begins another connection on the same 4-tuple.

    Its sequence number is not that of the known one; or its sender was not heard before, and no handshake is under way.
    """
    if row["flags"] & (TCP_SYN | TCP_ACK) != TCP_SYN:
        return False
    if state["base_known"][end]:
        return state["base_seq"][end] != row["seq"]
    return state["seen"] & (SYN | SYN_ACK) == 0


@inline
def begin(state: Any, row: Any, end: Int) -> None:
    """A new flow, from its first packet."""
    other = 1 - end
    state["address_hi"][end], state["address_lo"][end] = row["src_hi"], row["src_lo"]
    state["address_hi"][other], state["address_lo"][other] = row["dst_hi"], row["dst_lo"]
    state["port"][end], state["port"][other] = row["src_port"], row["dst_port"]
    state["protocol"], state["ip_version"] = row["ip_proto"], row["ip_version"]
    state["client"] = end
    state["roles"] = BY_FIRST
    if (row["src_port"] < WELL_KNOWN) != (row["dst_port"] < WELL_KNOWN):
        state["roles"] = BY_PORTS
        state["client"] = other if row["src_port"] < WELL_KNOWN else end
    state["seen"] = 0
    state["start_ns"] = state["end_ns"] = row["time_ns"]
    state["first_frame"] = row["frame"]
    state["syn_ns"] = 0
    state["rtt_ns"] = -1
    for i in range(2):
        state["packets"][i] = state["bytes"][i] = state["payload"][i] = 0
        state["base_known"][i] = 0
        state["base_seq"][i] = 0


@inline
def follow_tcp(state: Any, row: Any, end: Int) -> None:
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
        if state["seen"] & seen:
            state["seen"] |= SYN_AGAIN
        state["seen"] |= seen
        if state["roles"] != BY_HANDSHAKE:  # in a simultaneous open, who was first
            state["roles"] = BY_HANDSHAKE
            state["client"] = 1 - end if flags & TCP_ACK else end
        if seen == SYN:
            state["syn_ns"] = time_ns
        else:
            state["seen"] &= 0xFFFF ^ (RST | RST << 1)  # of a reset before that, the connection did not die
    elif (
        state["seen"] & (SYN | SYN_ACK)
        and not state["seen"] & ACKED
        and end == state["client"]
        and flags & (TCP_ACK | TCP_RST) == TCP_ACK
    ):  # the client acknowledges: it has got a SYN-ACK, whether that was captured or not
        state["seen"] |= ACKED
        once = state["seen"] & (SYN | SYN_ACK | SYN_AGAIN) == SYN | SYN_ACK
        answered = state["base_known"][1 - end] and row["ack"] == np.uint32(state["base_seq"][1 - end] + 1)
        if once and answered and time_ns >= state["syn_ns"]:
            state["rtt_ns"] = max(time_ns - state["syn_ns"], -1)  # a difference beyond int64 is none
    if flags & TCP_FIN:
        state["seen"] |= FIN << end
    both = FIN | FIN << 1
    if flags & TCP_RST and state["seen"] & both != both and not state["seen"] & (RST | RST << 1):
        state["seen"] |= RST << end


@kernel
def track(rows: Any, first: Int, states: Any, count: Int, table: Any, seed: Any, untracked: Any) -> tuple[Int, Int]:
    """Add rows from `first` on to the flows. Returns (the row where it stopped, number of flows).

    A row gets the number of its `flow` and its `direction`.

    `states` (FLOW_STATE) has `count` flows in use; `table` (int32, a power of two, EMPTY where free) finds them. It stops
    before the end where a new flow finds no room in `states`: the caller makes room, or passes `untracked` (int64, 2:
    frames, bytes) with `first` at that row and full `states`, and such packets are counted there.
    """
    mask = np.uint64(len(table) - 1)
    for i in range(first, len(rows)):
        row = rows[i]
        layers = row["layers"]
        if row["ip_proto"] == TCP:
            if not layers & LAYER_TCP or row["header_len"] < 20:
                continue
        elif row["ip_proto"] != UDP or not layers & LAYER_UDP or row["header_len"] != 8:
            continue
        end = low_end(row)
        slot = hash_of(row, seed) & mask
        found = EMPTY
        while table[slot] != EMPTY:
            if same_flow(states[table[slot]], row, end):
                found = table[slot]
                break
            slot = (slot + np.uint64(1)) & mask
        again = found != EMPTY and row["ip_proto"] == TCP and is_reuse(states[found], row, end)
        if found == EMPTY or again or states[found]["seen"] & SUCCEEDED:
            if count == len(states):
                if len(untracked) == 0:
                    return i, count
                if found != EMPTY:
                    states[found]["seen"] |= SUCCEEDED
                untracked[0] += 1
                untracked[1] += row["length"]
                continue
            begin(states[count], row, end)
            states[count]["previous"] = found
            found = count
            table[slot] = found
            count += 1
        row["flow"] = found
        state = states[found]
        state["end_ns"] = max(state["end_ns"], row["time_ns"])
        state["start_ns"] = min(state["start_ns"], row["time_ns"])
        state["last_frame"] = row["frame"]
        state["packets"][end] += 1
        state["bytes"][end] += row["length"]
        state["payload"][end] += row["payload_len"]
        if row["ip_proto"] == TCP:
            follow_tcp(state, row, end)
        row["direction"] = end ^ state["client"]
    return len(rows), count


@kernel
def rehash(states: Any, count: Int, table: Any, seed: Any, probe: Any) -> None:
    """Fill an empty `table` with the flows in use; of several with the same tuple the latest is found.

    `probe` (PACKETS, 1 row) is room for the tuple that is hashed.
    """
    mask = np.uint64(len(table) - 1)
    row = probe[0]
    for flow in range(count):
        state = states[flow]
        row["src_hi"], row["src_lo"], row["src_port"] = state["address_hi"][0], state["address_lo"][0], state["port"][0]
        row["dst_hi"], row["dst_lo"], row["dst_port"] = state["address_hi"][1], state["address_lo"][1], state["port"][1]
        row["ip_proto"], row["ip_version"] = state["protocol"], state["ip_version"]
        slot = hash_of(row, seed) & mask
        while table[slot] != EMPTY and not same_flow(states[table[slot]], row, 0):
            slot = (slot + np.uint64(1)) & mask
        table[slot] = flow
