"""Compiled flow tracking: packet rows -> flow states, through a hash table with open addressing."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, UINT, Int, in_library, inline, kernel, rows_of
from analyzer.accelerate.prefetch import prefetch
from analyzer.capture.records import JOINED_NS
from analyzer.flows.state import CACHE_LINE, EMPTY, FLOW_STATE, LEG, PEER, STATE_LINES, SUCCEEDED, TCP
from analyzer.tables import PACKETS

if not in_library():
    from analyzer.flows.handshake_kernel import BAD_SUM, follow_tcp
    from analyzer.flows.hash_kernel import hash_of
    from analyzer.flows.leg_kernel import find_leg
    from analyzer.flows.tuple_kernel import TCP_ACK, TCP_SYN, begin, has_flow, is_reuse, low_end, same_flow
    from analyzer.ordering.step_kernel import is_another_capture

REASSEMBLED = PACKETS.bit("layers", "reassembled")
ROW_LINES = PACKETS.hot_bytes // CACHE_LINE
# What the kernel keeps in `room`: the number of the next flow, places ever used and free again; the latest time; of the frame
# before its time and interface, the highest interface so far, and the first frame of the capture that is read; SYNs, and
# those with a wrong checksum of their IPv4 header.
NEXT, USED, FREE, LATEST, PREVIOUS_NS, PREVIOUS_INTERFACE, INTERFACES, BEGUN, SYNS, BAD_SYNS = range(10)


@inline
def hash_rows(rows: Any, first: Int, stop: Int, table: Any, seed: Any, hashes: Any) -> None:
    """Fill `hashes` (a ring, of a power of two) of some rows, and have fetched where they lead, and later rows."""
    mask, ring = np.uint64(len(table) - 1), len(hashes) - 1
    for i in range(first, min(stop, len(rows))):
        later = min(i + len(hashes), len(rows) - 1)
        for line in range(ROW_LINES):
            prefetch(rows, later, CACHE_LINE * line)
        row = rows[i]
        if has_flow(row):
            hashes[i & ring] = hash_of(row, seed)
            prefetch(table, np.int64(hashes[i & ring] & mask), 0)


@inline
def fetch_states(rows: Any, first: Int, stop: Int, states: Any, table: Any, hashes: Any) -> None:
    """Have fetched what following some rows will ask for."""
    mask, ring = np.uint64(len(table) - 1), len(hashes) - 1
    for i in range(first, min(stop, len(rows))):
        if has_flow(rows[i]):
            place = np.int64(table[hashes[i & ring] & mask])
            if place != EMPTY:
                for line in range(STATE_LINES):
                    prefetch(states, place, CACHE_LINE * line)


@kernel(
    rows=rows_of(PACKETS.dtype),
    first=INT,
    states=rows_of(FLOW_STATE),
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

    `states` (FLOW_STATE) has room[USED] places that were ever used, of which the last room[FREE] in `free` (int32) are free
    again; room[NEXT] is the number of the next flow, room[LATEST] the latest time so far.
    `table` (int32, a power of two, EMPTY where free) finds places; `legs` (LEG, a power of two) the other side of a NAT; `peers`
    (PEER, PEERS) has the handshakes of pairs of addresses. It stops before the end where a new flow finds no room: the caller
    makes some. `hashes` (uint64, a power of two, 4 at least) is scratch: memory is fetched for a quarter as many rows at a time.
    """
    mask = np.uint64(len(table) - 1)
    latest, previous_ns = room[LATEST], room[PREVIOUS_NS]
    previous_interface, highest = room[PREVIOUS_INTERFACE], room[INTERFACES]
    ring, step = len(hashes) - 1, len(hashes) // 4
    upto: Int = first
    stopped = np.int64(len(rows))
    for i in range(first, len(rows)):
        if i == upto:
            begins = i == first
            upto += step
            hash_rows(rows, i if begins else upto + step, upto + 2 * step, table, seed, hashes)
            fetch_states(rows, i if begins else upto, upto + step, states, table, hashes)
        row = rows[i]
        time_ns, interface = row["time_ns"], np.int64(row["interface"])
        if time_ns < previous_ns and is_joined(previous_ns, time_ns, interface, previous_interface, highest):
            room[BEGUN] = row["frame"]
        previous_ns, previous_interface, highest = time_ns, interface, max(highest, interface)
        latest = max(latest, time_ns)
        if not has_flow(row):
            continue
        end = low_end(row)
        slot = hashes[i & ring] & mask
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
