"""Compiled flow tracking: packet rows -> flow states, through a hash table with open addressing."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, UINT, Int, inline, kernel, rows_of
from analyzer.capture.records import JOINED_NS
from analyzer.flows.state import (
    ACKED,
    EMPTY,
    END_STATE,
    FIN,
    FLOW_STATE,
    LEG,
    RST,
    SUCCEEDED,
    SYN,
    SYN_ACK,
    SYN_AGAIN,
    TCP,
    UDP,
)
from analyzer.tables import PACKETS, ROLES

TCP_FIN, TCP_SYN, TCP_RST, TCP_ACK = 1, 2, 4, 16
BY_HANDSHAKE, BY_PORTS, BY_FIRST = ROLES.index("handshake"), ROLES.index("ports"), ROLES.index("first_packet")
LAYER_TCP, LAYER_UDP = PACKETS.bit("layers", "tcp"), PACKETS.bit("layers", "udp")
WELL_KNOWN = 1024
LEG_NS = 10_000_000  # a NAT does not keep a packet for longer
LEG_HOPS = 8
# What the kernel keeps in `room`: the number of the next flow, places ever used and free again; of the frame before its time
# and interface, the highest interface so far, and the first frame of the capture that is read.
NEXT, USED, FREE, PREVIOUS_NS, PREVIOUS_INTERFACE, INTERFACES, BEGUN = range(7)


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
    state["events"] = 0
    state["judged"] = 0
    state["closer"] = 0
    state["letters"] = 0
    state["syn_copied"] = 0
    state["leg_of"] = state["leg"] = state["leg_place"] = -1
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


@kernel(
    rows=rows_of(PACKETS.dtype),
    first=INT,
    states=rows_of(FLOW_STATE),
    ends=rows_of(END_STATE),
    blank=rows_of(END_STATE),
    room=rows_of(np.int64),
    free=rows_of(np.int32),
    table=rows_of(np.int32),
    legs=rows_of(LEG),
    seed=UINT,
)
def track(
    rows: Any, first: Int, states: Any, ends: Any, blank: Any, room: Any, free: Any, table: Any, legs: Any, seed: Any
) -> Int:
    """Give rows from `first` on their `flow`, `direction` and `place`. Returns the row where it stopped.

    `states` (FLOW_STATE) and `ends` (END_STATE, two for each) have room[USED] places that were ever used, of which the last
    room[FREE] in `free` (int32) are free again; room[NEXT] is the number of the next flow. `table` (int32, a power of two,
    EMPTY where free) finds places, `legs` (LEG, a power of two) the other side of a NAT. It stops before the end where a new
    flow finds no room: the caller makes some.
    """
    mask = np.uint64(len(table) - 1)
    previous_ns, previous_interface, highest = room[PREVIOUS_NS], room[PREVIOUS_INTERFACE], room[INTERFACES]
    stopped = np.int64(len(rows))
    for i in range(first, len(rows)):
        row = rows[i]
        time_ns, interface = row["time_ns"], np.int64(row["interface"])
        if time_ns < previous_ns and is_joined(previous_ns - time_ns, interface, previous_interface, highest):
            room[BEGUN] = row["frame"]
        layers = row["layers"]
        is_tcp = row["ip_proto"] == TCP and layers & LAYER_TCP and row["header_len"] >= 20
        is_udp = row["ip_proto"] == UDP and layers & LAYER_UDP and row["header_len"] == 8
        if is_tcp or is_udp:
            end = low_end(row)
            slot = hash_of(row, seed) & mask
            found = np.int64(EMPTY)
            while table[slot] != EMPTY:
                if same_flow(states[table[slot]], row, end):
                    found = np.int64(table[slot])
                    break
                slot = (slot + np.uint64(1)) & mask
            if found == EMPTY or begins_anew(states[found], row, end, room):
                if room[FREE] > 0:
                    room[FREE] -= 1
                    place = np.int64(free[room[FREE]])
                elif room[USED] < len(states):
                    place = room[USED]
                    room[USED] += 1
                else:
                    stopped = np.int64(i)
                    break
                state = states[place]
                begin(state, row, end)
                state["flow"] = room[NEXT]
                state["previous"], state["previous_place"], state["since_previous_ns"] = -1, found, 0
                if found != EMPTY:
                    state["previous"] = states[found]["flow"]
                    state["since_previous_ns"] = time_ns - states[found]["end_ns"]
                    states[found]["seen"] |= SUCCEEDED
                ends[2 * place] = blank[0]
                ends[2 * place + 1] = blank[0]
                room[NEXT] += 1
                found = place
                table[slot] = found
                if is_tcp and row["flags"] & (TCP_SYN | TCP_ACK) == TCP_SYN:
                    find_leg(row, state, place, end, states, legs)
            state = states[found]
            row["flow"] = state["flow"]
            row["place"] = found
            row["reused"] = state["previous"] >= 0
            state["packets"][end] += 1
            state["bytes"][end] += row["length"]
            state["payload"][end] += row["payload_len"]
            passing(state, row)
            if is_tcp:
                follow_tcp(state, row, end)
                if state["leg_of"] >= 0:
                    root = states[state["leg_place"]]
                    if root["flow"] == state["leg_of"]:
                        follow_tcp(root, row, end ^ state["client"] ^ root["client"])
                        passing(root, row)
            row["direction"] = end ^ state["client"]
        previous_ns, previous_interface, highest = time_ns, interface, max(highest, interface)
    room[PREVIOUS_NS], room[PREVIOUS_INTERFACE], room[INTERFACES] = previous_ns, previous_interface, highest
    return stopped


@inline
def passing(state: Any, row: Any) -> None:
    """The flow lasts until this packet."""
    state["end_ns"] = max(state["end_ns"], row["time_ns"])
    state["start_ns"] = min(state["start_ns"], row["time_ns"])
    state["last_frame"] = row["frame"]


@inline
def is_joined(back: Int, interface: Int, previous: Int, highest: Int) -> Any:
    """Does another capture begin with a frame that is so much earlier than the one before? Clocks of two interfaces may differ."""
    return (back > JOINED_NS or back < 0) and (interface == previous or interface > highest)  # < 0: beyond int64


@inline
def begins_anew(state: Any, row: Any, end: Int, room: Any) -> Any:
    """Does a packet begin another flow on the same tuple?"""
    if row["ip_proto"] == TCP and is_reuse(state, row, end):
        return True
    return state["last_frame"] < room[BEGUN] and row["time_ns"] < state["end_ns"] - JOINED_NS


@inline
def find_leg(row: Any, state: Any, place: Int, end: Int, states: Any, legs: Any) -> None:
    """The SYN of a new flow: is it that of another one, after (or before) a NAT has changed one of its addresses?

    The ports, the ISN and the timestamp are the same, and the IPv4 ID; without timestamps it must have lost some of its TTL,
    since tools that probe many hosts send them all the same.
    """
    key = np.uint64(row["src_port"]) << np.uint64(48) ^ np.uint64(row["dst_port"]) << np.uint64(32)
    key = mix(key ^ np.uint64(row["seq"]) ^ mix(np.uint64(row["tsval"]) << np.uint64(16) ^ np.uint64(row["window"])))
    leg = legs[key & np.uint64(len(legs) - 1)]
    hops = np.int64(leg["ttl"]) - np.int64(row["ttl"])
    same = leg["key"] == key and row["seq"] != 0 and leg["ip_id"] == row["ip_id"]
    sure = row["tsval"] != 0 or (row["ip_version"] == 4 and row["ip_id"] != 0 and 0 < hops <= LEG_HOPS)
    if same and sure and 0 <= row["time_ns"] - leg["time_ns"] <= LEG_NS:
        other = states[leg["place"]]
        mine, yours = np.int64(end), np.int64(other["client"])
        source = (
            state["address_lo"][mine] == other["address_lo"][yours]
            and state["address_hi"][mine] == other["address_hi"][yours]
        )
        target = (
            state["address_lo"][1 - mine] == other["address_lo"][1 - yours]
            and state["address_hi"][1 - mine] == other["address_hi"][1 - yours]
        )
        if other["flow"] == leg["flow"] and other["ip_version"] == state["ip_version"] and source != target:
            is_root = other["leg_of"] < 0
            state["leg_of"] = other["flow"] if is_root else other["leg_of"]
            state["leg_place"] = leg["place"] if is_root else other["leg_place"]
            if states[state["leg_place"]]["flow"] == state["leg_of"]:
                states[state["leg_place"]]["leg"] = state["flow"]
    leg["key"], leg["flow"], leg["time_ns"] = key, state["flow"], row["time_ns"]
    leg["ip_id"], leg["place"], leg["ttl"] = row["ip_id"], place, row["ttl"]


@kernel(states=rows_of(FLOW_STATE), used=INT, table=rows_of(np.int32), seed=UINT, probe=rows_of(PACKETS.dtype))
def rehash(states: Any, used: Int, table: Any, seed: Any, probe: Any) -> None:
    """Fill an empty `table` with the flows in use; of several with the same tuple the latest is found.

    `probe` (PACKETS, 1 row) is room for the tuple that is hashed.
    """
    mask = np.uint64(len(table) - 1)
    row = probe[0]
    for place in range(used):
        state = states[place]
        if state["flow"] < 0:
            continue
        row["src_hi"], row["src_lo"], row["src_port"] = state["address_hi"][0], state["address_lo"][0], state["port"][0]
        row["dst_hi"], row["dst_lo"], row["dst_port"] = state["address_hi"][1], state["address_lo"][1], state["port"][1]
        row["ip_proto"], row["ip_version"] = state["protocol"], state["ip_version"]
        slot = hash_of(row, seed) & mask
        while table[slot] != EMPTY and not same_flow(states[table[slot]], row, 0):
            slot = (slot + np.uint64(1)) & mask
        if table[slot] == EMPTY or states[table[slot]]["flow"] < state["flow"]:
            table[slot] = place
