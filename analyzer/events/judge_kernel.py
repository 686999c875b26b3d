"""Compiled: packet rows with their flows -> events, and what `flows` says of each end. One pass over the frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import INT, Int, inline, kernel, rows_of
from analyzer.capture.records import JOINED_NS
from analyzer.events.ack_kernel import acknowledging, answering_copy, repeating
from analyzer.events.clock_kernel import (
    SOURCE,
    id_behind,
    paws,
    recycling,
    remember_timestamps,
    timestamps,
    was_sent_before,
)
from analyzer.events.closing_kernel import challenging, closing, from_before, is_stray, offending, over, resetting
from analyzer.events.congestion_kernel import congestion
from analyzer.events.copies_kernel import BY_ANYONE, BY_CAPTURE, BY_NETWORK, NO_COPY, RECENT, copy_of, piece_of
from analyzer.events.doubt_kernel import count_copy, doubt, doubts_of, outdated, settle
from analyzer.events.emit_kernel import ACK, FIN, ROOM, RST, SYN, emit, letter
from analyzer.events.handshake_kernel import opening
from analyzer.events.late_kernel import is_awaited
from analyzer.events.loss_kernel import sending
from analyzer.events.sack_kernel import reporting
from analyzer.events.window_kernel import answering, filling, offering, probing
from analyzer.flows.flow_kernel import low_end
from analyzer.flows.sent_kernel import RING
from analyzer.flows.state import (
    ACKED,
    BOARD,
    COPY,
    END_STATE,
    FLOW_STATE,
    IDS_SAME,
    IDS_VARY,
    KEEP_ALIVE,
    OPEN,
    SEGMENT,
    SENT,
    TCP,
    WORLD,
)
from analyzer.flows.state import SYN as SAW_SYN
from analyzer.flows.state import SYN_ACK as SAW_SYN_ACK
from analyzer.kinds import NUMBER
from analyzer.serial import difference as difference_python
from analyzer.tables import EVENTS, PACKETS

difference = inline(difference_python)

CAPTURE_DUPLICATE, NETWORK_DUPLICATE = NUMBER["capture_duplicate"], NUMBER["network_duplicate"]
CLOCK, STRAY, PAST_NAT = NUMBER["clock_regression"], NUMBER["stray"], NUMBER["answered_past_nat"]
LAYER_TCP, LAYER_FRAGMENT = PACKETS.bit("layers", "tcp"), PACKETS.bit("layers", "fragment")
DECODED, TRUNCATED = PACKETS.bit("stop", "decoded"), PACKETS.bit("stop", "truncated")
TIMESTAMPS = PACKETS.bit("options", "timestamps")
IPV4 = PACKETS.bit("layers", "ipv4")
S, H, A, D, F, I = (ord(letter_) for letter_ in "shadfi")  # noqa: E741


@kernel(
    rows=rows_of(PACKETS.dtype),
    first=INT,
    states=rows_of(FLOW_STATE),
    ends=rows_of(END_STATE),
    world_=rows_of(WORLD),
    seg_=rows_of(SEGMENT),
    out=rows_of(EVENTS.dtype),
    counts=rows_of(np.int64),
    sent=rows_of(SENT),
    boards=rows_of(BOARD),
    histograms=rows_of(np.uint32, 2),
    free=rows_of(np.int32),
    recent=rows_of(RECENT),
    sources=rows_of(SOURCE),
)
def judge(
    rows: Any,
    first: Int,
    states: Any,
    ends: Any,
    world_: Any,
    seg_: Any,
    out: Any,
    counts: Any,
    sent: Any,
    boards: Any,
    histograms: Any,
    free: Any,
    recent: Any,
    sources: Any,
) -> Int:
    """Judge rows from `first` on. Returns the row where it stopped: the end, or where `out` has no room for another.

    `states` (FLOW_STATE), `ends` (END_STATE, two a flow), `world_` (WORLD, 1), `seg_` (SEGMENT, 1: scratch), `out` (EVENTS, of
    which world["out"] are in use), `counts` (int64 a kind), `sent` (SENT, a ring), `boards` (BOARD), `histograms` (uint32,
    BINS a row) with those in `free` (int32) to be taken first, `recent` (RECENT), `sources` (SOURCE).
    """
    world, seg = world_[0], seg_[0]
    for i in range(first, len(rows)):
        if world["out"] + ROOM > len(out):
            return i
        row = rows[i]
        time_ns, interface = row["time_ns"], np.int64(row["interface"])
        seg["frame"], seg["time_ns"], seg["flow"] = row["frame"], time_ns, row["flow"]
        seg["direction"], seg["events"] = row["direction"], 0
        tcp = row["flow"] >= 0 and row["ip_proto"] == TCP and row["layers"] & LAYER_TCP
        place = np.int64(row["place"]) if tcp else np.int64(0)
        state = states[place]
        if world["frames"] and time_ns < world["previous_ns"] and interface == world["previous_interface"]:
            back_to(seg, state, world, out, counts)
        world["previous_ns"], world["previous_interface"] = time_ns, interface
        world["frames"] += 1
        stop = row["stop"]
        if tcp and not row["layers"] & LAYER_FRAGMENT and (stop == DECODED or stop == TRUNCATED):
            end = low_end(row)
            across = is_across(state, states)
            if across:
                # The other side of a NAT: all that passes there belongs to the connection that was seen first.
                end ^= np.int64(state["client"]) ^ np.int64(states[state["leg_place"]]["client"])
                place = np.int64(state["leg_place"])
                count_on(row, state, states[place], end)
                state = states[place]
                seg["flow"] = state["flow"]
            me, you = ends[2 * place + end], ends[2 * place + 1 - end]
            seg["end_of"], seg["is_client"] = end, row["direction"] == 0
            seg["interface"], seg["size"] = interface, row["length"]
            owner = 2 * seg["flow"] + end
            if me["doubts"]:
                outdated(seg, me, owner, state, world, out, counts, boards)
            if you["doubts"]:
                outdated(seg, you, owner ^ 1, state, world, out, counts, boards)
            if not across:
                me["direct"] = 1
            if again(row, seg, me, you, owner, state, world, out, counts, sent, boards, recent):
                me["copies"] += 1
            elif not from_before(row, seg, me, you, state, world, out, counts):
                place_in_streams(row, seg, me, you, state)
                if across and row["flags"] & RST:
                    past_nat(seg, you, state, world, out, counts)
                follow(
                    row, seg, me, you, state, states, ends, world, out, counts, sent, boards, histograms, free, sources
                )
                if me["heard"] == 0:
                    me["heard"] = 1
                    me["place"] = seg["place"]
                if me["last_ns"]:
                    me["idle_ns"] = max(me["idle_ns"], time_ns - me["last_ns"])
                me["last_ns"], me["last_frame"] = time_ns, row["frame"]
                note_id(seg, me)
        row["events"] = seg["events"]
    return len(rows)


@inline
def back_to(seg: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """The clock of the capture went back, unless another capture begins here. It says nothing of the flow."""
    back = world["previous_ns"] - seg["time_ns"]
    if back > JOINED_NS or back < 0:  # < 0: beyond int64
        return
    events, flow, direction = state["events"], seg["flow"], seg["direction"]
    seg["flow"], seg["direction"] = -1, 0
    emit(seg, state, world, out, counts, CLOCK, 0, 0, back)
    state["events"], seg["flow"], seg["direction"] = events, flow, direction


@inline
def is_across(state: Any, states: Any) -> Any:
    """Is it the flow on the other side of a NAT, of one that is still followed?"""
    return state["leg_of"] >= 0 and states[state["leg_place"]]["flow"] == state["leg_of"]


@inline
def again(
    row: Any, seg: Any, me: Any, you: Any, owner: Int, state: Any, world: Any, out: Any, counts: Any, sent: Any, boards: Any,
    recent: Any,
) -> Any:  # fmt: skip
    """Is it a packet that was captured before? Then that is all that is said of it, or what the network does with it."""
    kind, copied, since = copy_of(row, seg, me, you, recent, world)
    if kind == NO_COPY and me["heard"] and seg["place"] != me["place"]:
        place_in_streams(row, seg, me, you, state)
        number = piece_of(seg, me, sent, world)
        if number:
            record = sent[number & RING]
            kind, copied, since = BY_CAPTURE, record["frame"], seg["time_ns"] - record["time_ns"]
    if kind == BY_CAPTURE:
        emit(seg, state, world, out, counts, CAPTURE_DUPLICATE, 0, copied, since)
        count_copy(state, np.int64(seg["end_of"]), row["length"], row["payload_len"], world)
        if row["flags"] & SYN:
            state["syn_copied"] = 1
    elif kind == BY_ANYONE:
        place_in_streams(row, seg, me, you, state)
        at = doubt(seg, me, owner, COPY, seg["start"], seg["end"], state, world, out, counts, boards)
        board = boards[doubts_of(me, owner, boards)]
        board["doubt_related"][at], board["doubt_value"][at] = copied, since
        if row["flags"] & SYN:
            state["syn_copied"] = 1
    elif kind == BY_NETWORK:
        emit(seg, state, world, out, counts, NETWORK_DUPLICATE, 0, copied, since)
        if me["heard"] and me["timestamps"]:  # its receiver looks at it again
            place_in_streams(row, seg, me, you, state)
            paws(seg, me, you, state, world, out, counts)
    return kind != NO_COPY


@inline
def past_nat(seg: Any, you: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """A reset on the far side of a NAT: does the client refuse what did not come back through it?"""
    opening_ = state["judged"] & (SAW_SYN | SAW_SYN_ACK | ACKED) == SAW_SYN | SAW_SYN_ACK
    if opening_ and seg["is_client"] and not you["direct"]:
        since = seg["time_ns"] - state["first_syn_ns"]
        emit(seg, state, world, out, counts, PAST_NAT, 0, you["last_frame"], since)


@inline
def count_on(row: Any, leg: Any, root: Any, end: Int) -> None:
    """A packet that was counted on one leg of a connection counts on the other. `end` is that of the latter."""
    own = end ^ np.int64(leg["client"]) ^ np.int64(root["client"])
    leg["packets"][own] -= 1
    leg["bytes"][own] -= row["length"]
    leg["payload"][own] -= row["payload_len"]
    root["packets"][end] += 1
    root["bytes"][end] += row["length"]
    root["payload"][end] += row["payload_len"]


@inline
def note_id(seg: Any, me: Any) -> None:
    """The highest IPv4 ID of the end, and whether its packets have one each."""
    if seg["ip_id"]:
        if seg["ip_id"] == me["ip_id"]:
            me["ids"] = IDS_SAME
        elif me["ip_id"]:
            me["ids"] = IDS_VARY
        if not id_behind(seg, me):
            me["ip_id"] = seg["ip_id"]


@inline
def place_in_streams(row: Any, seg: Any, me: Any, you: Any, state: Any) -> None:
    """The segment's numbers as positions in the two streams, which may begin here."""
    flags, seq, ack = np.int64(row["flags"]), np.int64(row["seq"]), np.int64(row["ack"])
    seg["flags"], seg["length"] = flags, row["payload_len"]
    seg["has_ack"] = 1 if flags & ACK else 0
    seg["has_tsval"] = 1 if row["options"] & TIMESTAMPS else 0
    seg["tsval"], seg["tsecr"] = row["tsval"], row["tsecr"]
    seg["ip_id"] = row["ip_id"] if row["layers"] & IPV4 else 0
    seg["late"] = seg["is_dsack"] = 0
    seg["advanced"] = seg["sacked"] = seg["filled"] = 0
    if flags & RST and not me["known"]:  # its number need not be one of the connection's
        seg["start"] = seg["end"] = me["next"]
        return
    if not me["known"] or (flags & SYN and me["syns"] == 0 and not state["judged"] & ACKED):
        me["known"] = 1
        me["isn"] = seq if flags & SYN else seq - 1 & 0xFFFFFFFF
        me["next"] = me["una"] = 0 if flags & SYN else 1
        forget(me)
    next_ = me["next"]
    seg["start"] = next_ + difference(seq, np.int64(me["isn"]) + next_ & 0xFFFFFFFF)
    seg["end"] = seg["start"] + seg["length"] + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
    window = np.int64(row["window"])
    seg["window"] = window << np.int64(me["scale"]) if me["scale_known"] and not flags & SYN else window
    seg["ack"] = 0
    if flags & ACK:
        if not you["known"]:
            you["known"] = 1
            you["isn"] = ack - 1 & 0xFFFFFFFF
            you["next"] = you["una"] = 1
        next_ = you["next"]
        seg["ack"] = next_ + difference(ack, np.int64(you["isn"]) + next_ & 0xFFFFFFFF)
    seg["una"] = you["una"]


@inline
def forget(me: Any) -> None:
    """A stream that begins anew: nothing that was remembered in the numbers of before holds."""
    me["board"] = -1
    me["phase"] = OPEN
    me["doubts"] = me["lagging"] = me["captured"] = 0
    me["hole_bytes"] = me["oldest"] = me["newest"] = me["newest_again"] = 0
    me["sacked_high"] = me["recovery_end"] = me["tail_probe_end"] = me["fin"] = me["told_ns"] = 0


@inline
def follow(
    row: Any,
    seg: Any,
    me: Any,
    you: Any,
    state: Any,
    states: Any,
    ends: Any,
    world: Any,
    out: Any,
    counts: Any,
    sent: Any,
    boards: Any,
    histograms: Any,
    free: Any,
    sources: Any,
) -> None:
    """Everything that one segment means; the states of both ends move on."""
    flags = seg["flags"]
    if is_stray(seg, me, state, states, ends):
        emit(seg, state, world, out, counts, STRAY, 0, 0, 0)
        letter(seg, state, I)
        return
    if flags & RST:
        resetting(seg, me, you, state, world, out, counts)
        return
    if offending(seg, me, you, state):
        return
    if flags & SYN:
        letter(seg, state, H if flags & ACK else S)
        opening(row, seg, me, you, state, world, out, counts)
        if not flags & ACK:
            recycling(row, seg, state, world, out, counts, sources)
    elif seg["end"] == seg["start"] and seg["has_ack"]:
        letter(seg, state, A)
        world["pure_acks"] += 1
    if seg["length"]:
        letter(seg, state, D)
        world["data"] += 1
    if flags & FIN:
        letter(seg, state, F)
    probe = 0
    if not (me["doubts"] and is_awaited(seg, me, 2 * seg["flow"] + seg["end_of"], boards)):
        probe = probing(seg, me, you, state, world, out, counts)
    if seg["end"] > seg["start"] and probe != KEEP_ALIVE:
        if not probe:
            me["probe"] = 0
        closing(seg, me, you, state, world, out, counts)
        filling(seg, you, state, world, out, counts)
        owner = 2 * seg["flow"] + seg["end_of"]
        sending(seg, me, you, probe, state, world, out, counts, sent, boards, owner)
    elif not probe and (seg["start"] < me["next"] or was_sent_before(seg, me)):
        seg["late"] = 1  # an ACK that others of its end have overtaken
    if seg["has_ack"]:
        owner = 2 * seg["flow"] + 1 - seg["end_of"]
        acknowledging(seg, me, you, state, world, out, counts, sent, boards, owner, histograms, free)
        if row["sack_count"]:
            reporting(row, seg, me, you, state, world, out, counts, sent, boards, owner)
        answered = answering(seg, me, you, state, world, out, counts)
        challenging(seg, me, you, state, world, out, counts)
        repeating(seg, me, you, answered, state, world, out, counts)
        if you["doubts"]:
            answering_copy(row, seg, me, you, answered, state, world, out, counts, boards, owner)
        offering(seg, me, you, state, world, out, counts)
    if not over(me, you):
        paws(seg, me, you, state, world, out, counts)
    if world["pure_acks"] == 0 and echoes_unseen(seg, you):
        world["unseen_acks"] += 1
    timestamps(seg, me, you, state, world, out, counts)
    remember_timestamps(seg, me, you)
    congestion(row, seg, me, you, state, world, out, counts)
    if flags & FIN and not me["fin"] and seg["end"] >= me["next"]:
        me["fin"] = seg["end"] - 1
        if not you["fin"]:
            state["closer"] = 1 + seg["end_of"]
    if flags & (SYN | ACK) == SYN | ACK:
        me["syn_acked"] = 1
    if flags & SYN:
        state["judged"] |= SAW_SYN_ACK if flags & ACK else SAW_SYN
        if not flags & ACK:
            state["first_syn_ns"] = seg["time_ns"]
    elif state["judged"] and seg["is_client"] and seg["has_ack"]:
        once = state["judged"] == SAW_SYN | SAW_SYN_ACK and me["syns"] == 1 and you["syns"] == 1
        if state["syn_copied"] and once and seg["ack"] == 1:
            state["rtt_ns"] = max(seg["time_ns"] - state["first_syn_ns"], -1)  # a difference beyond int64 is none
        state["judged"] |= ACKED


@inline
def echoes_unseen(seg: Any, you: Any) -> Any:
    """Does it echo a timestamp that came with an ACK which was not captured?"""
    told = seg["has_tsval"] and seg["has_ack"] and you["timestamps"] and not you["missing_bytes"]
    return told and difference(seg["tsecr"], you["tsval"]) > 0


@kernel(
    places=rows_of(np.int64),
    first=INT,
    states=rows_of(FLOW_STATE),
    ends=rows_of(END_STATE),
    world_=rows_of(WORLD),
    out=rows_of(EVENTS.dtype),
    counts=rows_of(np.int64),
    boards=rows_of(BOARD),
)
def settle_all(places: Any, first: Int, states: Any, ends: Any, world_: Any, out: Any, counts: Any, boards: Any) -> Int:
    """Settle what the flows at `places` (int64) from the `first` on still wait for. Returns the place where `out` was full."""
    world = world_[0]
    for i in range(first, len(places)):
        if world["out"] + ROOM > len(out):
            return i
        for end in range(2):
            whose = ends[2 * places[i] + end]
            board = doubts_of(whose, 2 * states[places[i]]["flow"] + end, boards)
            while board >= 0 and whose["doubts"]:
                settle(np.int64(0), whose, boards[board], end, states[places[i]], world, out, counts)
    return len(places)
