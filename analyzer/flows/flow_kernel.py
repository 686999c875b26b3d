"""Compiled flow tracking: packet rows -> flow states, through a hash table with open addressing."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, UINT, Int, inline, kernel, rows_of
from analyzer.accelerate.prefetch import prefetch
from analyzer.capture.records import JOINED_NS
from analyzer.flows.hash_kernel import hash_of, pair_of, server_of
from analyzer.flows.leg_kernel import find_leg
from analyzer.flows.state import (
    ACKED,
    CACHE_LINE,
    DAMAGED,
    EMPTY,
    END_STATE,
    FIN,
    FLOW_STATE,
    IMPOSSIBLE,
    INFERRED,
    LEG,
    PEER,
    PEERS,
    RST,
    STATE_LINES,
    SUCCEEDED,
    SYN,
    SYN_ACK,
    SYN_AGAIN,
    TCP,
    UDP,
)
from analyzer.ordering.step_kernel import is_another_capture
from analyzer.tables import PACKETS, ROLES

TCP_FIN, TCP_SYN, TCP_RST, TCP_ACK = 1, 2, 4, 16
BY_HANDSHAKE, BY_PORTS, BY_FIRST = ROLES.index("handshake"), ROLES.index("ports"), ROLES.index("first_packet")
LAYER_TCP, LAYER_UDP = PACKETS.bit("layers", "tcp"), PACKETS.bit("layers", "udp")
REASSEMBLED = PACKETS.bit("layers", "reassembled")
WELL_KNOWN = 1024
RESERVED = 512  # clients that may, take a port from here to WELL_KNOWN, to show that they are root (rresvport(3))
NFS, GLUSTER = 2049, 24007  # services that ask for that, and are above it
RESERVED_BITS = 0xE00
BAD_SUM = PACKETS.bit("ip_header_checksum", "bad")
FAR = np.uint32(1 << 30)  # no window is as wide
# What the kernel keeps in `room`: the number of the next flow, places ever used and free again; the latest time; of the frame
# before its time and interface, the highest interface so far, and the first frame of the capture that is read; SYNs, and
# those with a wrong checksum of their IPv4 header.
NEXT, USED, FREE, LATEST, PREVIOUS_NS, PREVIOUS_INTERFACE, INTERFACES, BEGUN, SYNS, BAD_SYNS = range(10)


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
def serves(port: Int, other: Int) -> Any:
    """Is it the port of a service, with this one at the other end?"""
    if RESERVED <= port < WELL_KNOWN and (other == NFS or other == GLUSTER):
        return False
    by_name = (port == NFS or port == GLUSTER) and RESERVED <= other < WELL_KNOWN
    return port < WELL_KNOWN or by_name


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
    if serves(row["src_port"], row["dst_port"]) != serves(row["dst_port"], row["src_port"]):
        state["roles"] = BY_PORTS
        state["client"] = other if serves(row["src_port"], row["dst_port"]) else end
    state["seen"] = 0
    state["start_ns"] = state["end_ns"] = row["time_ns"]
    state["first_frame"] = row["frame"]
    state["syn_ns"] = state["waits_ns"] = 0
    state["rtt_ns"] = -1
    state["pair"] = state["server"] = 0
    state["events"] = 0
    state["judged"] = 0
    state["closer"] = 0
    state["letters"] = state["said"] = 0
    state["syn_copied"] = 0
    state["leg_of"] = state["leg"] = state["leg_place"] = -1
    for i in range(2):
        state["packets"][i] = state["bytes"][i] = state["payload"][i] = 0
        state["base_known"][i] = 0
        state["base_seq"][i] = 0


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


@inline
def has_flow(row: Any) -> Any:
    """Does the frame belong to a conversation: is it of TCP or UDP, with a whole header?"""
    if row["ip_proto"] == TCP:
        return row["layers"] & LAYER_TCP != 0 and row["header_len"] >= 20
    return row["ip_proto"] == UDP and row["layers"] & LAYER_UDP != 0 and row["header_len"] == 8


@inline
def look_up(rows: Any, first: Int, stop: Int, states: Any, table: Any, seed: Any, hashes: Any) -> None:
    """Fill `hashes` of some rows, and have fetched what following them will ask for."""
    mask = np.uint64(len(table) - 1)
    for i in range(first, stop):
        row = rows[i]
        if has_flow(row):
            hashes[i - first] = hash_of(row, seed)
            prefetch(table, np.int64(hashes[i - first] & mask), 0)
    for i in range(first, stop):
        if has_flow(rows[i]):
            place = np.int64(table[hashes[i - first] & mask])
            if place != EMPTY:
                for line in range(STATE_LINES):
                    prefetch(states, place, CACHE_LINE * line)


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
    peers=rows_of(PEER),
    seed=UINT,
    hashes=rows_of(np.uint64),
    numbered=BOOL,
)
def track(
    rows: Any,
    first: Int,
    states: Any,
    ends: Any,
    blank: Any,
    room: Any,
    free: Any,
    table: Any,
    legs: Any,
    peers: Any,
    seed: Any,
    hashes: Any,
    numbered: Any,
) -> Int:
    """Give rows from `first` on their `flow`, `direction` and `place`. Returns the row where it stopped.

    With `numbered` the rows know the numbers of their flows already: those of a capture of which they are a part.

    `states` (FLOW_STATE) and `ends` (END_STATE, two for each; or none, where nobody judges) have room[USED] places that were ever used, of which the last
    room[FREE] in `free` (int32) are free again; room[NEXT] is the number of the next flow, room[LATEST] the latest time so far.
    `table` (int32, a power of two, EMPTY where free) finds places; `legs` (LEG, a power of two) the other side of a NAT; `peers`
    (PEER, PEERS) has the handshakes of pairs of addresses. It stops before the end where a new flow finds no room: the caller
    makes some. `hashes` (uint64) is scratch: for so many rows at a time memory is looked up together.
    """
    mask = np.uint64(len(table) - 1)
    latest, previous_ns = room[LATEST], room[PREVIOUS_NS]
    previous_interface, highest = room[PREVIOUS_INTERFACE], room[INTERFACES]
    begun: Int = first
    upto: Int = first
    stopped = np.int64(len(rows))
    for i in range(first, len(rows)):
        if i == upto:
            begun, upto = i, min(i + len(hashes), len(rows))
            look_up(rows, begun, upto, states, table, seed, hashes)
        row = rows[i]
        time_ns, interface = row["time_ns"], np.int64(row["interface"])
        if time_ns < previous_ns and is_joined(previous_ns, time_ns, interface, previous_interface, highest):
            room[BEGUN] = row["frame"]
        previous_ns, previous_interface, highest = time_ns, interface, max(highest, interface)
        latest = max(latest, time_ns)
        if not has_flow(row):
            continue
        end = low_end(row)
        slot = hashes[i - begun] & mask
        found = np.int64(EMPTY)
        while table[slot] != EMPTY:
            if same_flow(states[table[slot]], row, end):
                found = np.int64(table[slot])
                break
            slot = (slot + np.uint64(1)) & mask
        if found == EMPTY or (
            states[found]["flow"] != row["flow"] if numbered else begins_anew(states[found], row, end, room)
        ):
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
            state["flow"] = row["flow"] if numbered else room[NEXT]
            state["previous"], state["previous_place"], state["since_previous_ns"] = -1, found, 0
            if found != EMPTY:
                state["previous"] = states[found]["flow"]
                state["since_previous_ns"] = time_ns - states[found]["end_ns"]
                states[found]["seen"] |= SUCCEEDED
            if len(ends):
                ends[2 * place] = blank[0]
                ends[2 * place + 1] = blank[0]
            room[NEXT] += 1
            found = place
            table[slot] = found
            if row["ip_proto"] == TCP and row["flags"] & (TCP_SYN | TCP_ACK) == TCP_SYN:
                find_leg(row, state, place, end, states, legs)
        state = states[found]
        row["flow"] = state["flow"]
        row["place"] = found
        row["reused"] = state["previous"] >= 0
        state["packets"][end] += 1
        state["bytes"][end] += row["length"]
        state["payload"][end] += row["payload_len"]
        passing(state, row)
        if row["layers"] & REASSEMBLED:
            state["bytes"][end] += row["more_len"]
        if row["layers"] & REASSEMBLED and row["told"] and state["first_frame"] != row["frame"]:
            state["packets"][end] -= 1  # its first fragment was counted
            state["payload"][end] -= min(np.int64(row["told_len"]), state["payload"][end])
        elif row["ip_proto"] == TCP:
            if row["flags"] & (TCP_SYN | TCP_ACK) == TCP_SYN:
                room[SYNS] += 1
                room[BAD_SYNS] += 1 if row["ip_header_checksum"] == BAD_SUM else 0
            follow_tcp(state, row, end, peers)
            if state["leg_of"] >= 0:
                root = states[state["leg_place"]]
                if root["flow"] == state["leg_of"]:
                    pair, server = root["pair"], root["server"]  # which are those of its own side
                    follow_tcp(root, row, end ^ state["client"] ^ root["client"], peers)
                    root["pair"], root["server"] = pair, server
                    passing(root, row)
        row["direction"] = end ^ state["client"]
    room[LATEST], room[PREVIOUS_NS] = latest, previous_ns
    room[PREVIOUS_INTERFACE], room[INTERFACES] = previous_interface, highest
    return stopped


@inline
def passing(state: Any, row: Any) -> None:
    """The flow lasts until this packet."""
    state["end_ns"] = max(state["end_ns"], row["time_ns"])
    state["start_ns"] = min(state["start_ns"], row["time_ns"])
    state["last_frame"] = row["frame"]


@inline
def is_joined(previous_ns: Int, time_ns: Int, interface: Int, previous: Int, highest: Int) -> Any:
    """Does another capture begin with a frame that is so much earlier than the one before? Clocks of two interfaces may differ."""
    return is_another_capture(previous_ns, time_ns) and (interface == previous or interface > highest)


@inline
def begins_anew(state: Any, row: Any, end: Int, room: Any) -> Any:
    """Does a packet begin another flow on the same tuple?"""
    if row["ip_proto"] == TCP and is_reuse(state, row, end):
        return True
    return state["last_frame"] < room[BEGUN] and row["time_ns"] < state["end_ns"] - JOINED_NS


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
