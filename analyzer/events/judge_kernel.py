"""Compiled: packet rows with their flows -> events, and what `flows` says of each end. One pass over the frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, Int, group_of, inline, kernel, rows_of
from analyzer.accelerate.prefetch import prefetch
from analyzer.events.ack_kernel import acknowledging, repeating
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
from analyzer.events.copies_kernel import BY_CAPTURE, BY_NETWORK, RECENT, copy_of, first_place, identity_of
from analyzer.events.emit_kernel import ACK, FIN, ROOM, RST, SYN, emit, letter
from analyzer.events.handshake_kernel import meeting, opening
from analyzer.events.loss_kernel import sending
from analyzer.events.moment_kernel import keep_moment
from analyzer.events.sack_kernel import reporting
from analyzer.events.window_kernel import answering, filling, offering, probing
from analyzer.flows.flow_kernel import low_end
from analyzer.flows.sent_kernel import RING
from analyzer.flows.state import (
    ACKED,
    BOARD,
    CACHE_LINE,
    EMPTY,
    END_LINES,
    END_STATE,
    FLOW_STATE,
    KEEP_ALIVE,
    MOMENT,
    OPEN,
    SEGMENT,
    SENT,
    SKIPPED,
    STATE_LINES,
    TCP,
    WORLD,
    Sent,
)
from analyzer.flows.state import SYN as SAW_SYN
from analyzer.flows.state import SYN_ACK as SAW_SYN_ACK
from analyzer.kinds import NUMBER
from analyzer.serial import difference as difference_python
from analyzer.tables import EVENTS, PACKETS

difference = inline(difference_python)

CAPTURE_DUPLICATE, NETWORK_DUPLICATE = NUMBER["capture_duplicate"], NUMBER["network_duplicate"]
CLOCK, STRAY = NUMBER["clock_regression"], NUMBER["stray"]
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
    sent=group_of(Sent, SENT),
    boards=rows_of(BOARD),
    histograms=rows_of(np.uint32, 2),
    free=rows_of(np.int32),
    recent=rows_of(RECENT),
    sources=rows_of(SOURCE),
    servers=rows_of(np.uint64),
    identities=rows_of(np.uint64),
    moments=rows_of(MOMENT),
    whole=BOOL,
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
    servers: Any,
    identities: Any,
    moments: Any,
    whole: Any,
) -> Int:
    """Judge rows from `first` on. Returns the row where it stopped: the end, or where `out` has no room for another.

    `states` (FLOW_STATE), `ends` (END_STATE, two a flow), `world_` (WORLD, 1), `seg_` (SEGMENT, 1: scratch), `out` (EVENTS, of
    which world["out"] are in use), `counts` (int64 a kind), `sent` (Sent, a ring), `boards` (BOARD), `histograms` (uint32,
    BINS a row) with those in `free` (int32) to be taken first, `recent` (RECENT), `sources` (SOURCE), `servers` (uint64).
    `moments` (MOMENT, as many as rows) gets what each frame left behind, if `whole` all of it. `identities` (uint64) is scratch: for so many rows at a time memory is looked up together.
    """
    world, seg = world_[0], seg_[0]
    begun: Int = first
    upto: Int = first
    for i in range(first, len(rows)):
        if world["out"] + ROOM > len(out):
            return i
        if i == upto:
            begun, upto = i, min(i + len(identities), len(rows))
            look_up(rows, begun, upto, states, ends, sent, recent, identities)
        row = rows[i]
        moments[i]["kind"] = SKIPPED
        time_ns = row["time_ns"]
        seg["frame"], seg["time_ns"], seg["flow"] = row["frame"], time_ns, row["flow"]
        seg["direction"], seg["events"] = row["direction"], 0
        tcp = row["flow"] >= 0 and row["ip_proto"] == TCP and row["layers"] & LAYER_TCP
        state = states[row["place"] if tcp else 0]
        if not world["frames"]:
            world["first_ns"] = time_ns
        elif time_ns < world["previous_ns"]:
            back_to(seg, state, world, out, counts)
        world["previous_ns"] = time_ns
        world["frames"] += 1
        stop = row["stop"]
        if tcp and not row["layers"] & LAYER_FRAGMENT and (stop == DECODED or stop == TRUNCATED):
            end = low_end(row)
            place = np.int64(row["place"])
            me, you = ends[2 * place + end], ends[2 * place + 1 - end]
            seg["end_of"], seg["is_client"] = end, row["direction"] == 0
            kind, copied, since = copy_of(row, seg, you, identities[i - begun], recent, world)
            if kind:
                event = CAPTURE_DUPLICATE if kind == BY_CAPTURE else NETWORK_DUPLICATE
                emit(seg, state, world, out, counts, event, 0, copied, since)
                me["copies"] += 1
                if kind == BY_NETWORK and me["heard"] and me["timestamps"]:  # its receiver looks at it again
                    place_in_streams(row, seg, me, you, state)
                    paws(seg, me, you, state, world, out, counts)
            elif not from_before(row, seg, me, you, state, world, out, counts):
                place_in_streams(row, seg, me, you, state)
                follow(
                    row,
                    seg,
                    me,
                    you,
                    state,
                    states,
                    ends,
                    world,
                    out,
                    counts,
                    sent,
                    boards,
                    histograms,
                    free,
                    sources,
                    servers,
                )
                me["heard"] = 1
                keep_moment(moments[i], seg, me, you, whole)
                if not row["flags"] & RST:
                    me["ttl_low"], me["ttl_high"] = min(me["ttl_low"], row["ttl"]), max(me["ttl_high"], row["ttl"])
                if me["last_ns"]:
                    me["idle_ns"] = max(me["idle_ns"], time_ns - me["last_ns"])
                me["last_ns"], me["last_frame"] = time_ns, row["frame"]
                if seg["ip_id"] and not id_behind(seg, me):
                    me["ip_id"] = seg["ip_id"]
        row["events"] = seg["events"]
    return len(rows)


@inline
def look_up(rows: Any, first: Int, stop: Int, states: Any, ends: Any, sent: Any, recent: Any, identities: Any) -> None:
    """Fill `identities` of some rows, and have fetched what judging them will ask for."""
    before = np.int64(EMPTY)
    for i in range(first, stop):
        row = rows[i]
        if row["flow"] < 0 or row["ip_proto"] != TCP:
            continue
        identities[i - first] = identity_of(row)
        prefetch(recent, first_place(identities[i - first]), 0)
        place = np.int64(row["place"])
        if place != before:
            for line in range(STATE_LINES):
                prefetch(states, place, CACHE_LINE * line)
            for line in range(END_LINES):
                prefetch(ends, 2 * place, CACHE_LINE * line)
                prefetch(ends, 2 * place + 1, CACHE_LINE * line)
        before = place
    for i in range(first, stop):
        row = rows[i]
        if row["flow"] >= 0 and row["ip_proto"] == TCP and row["flags"] & ACK:
            prefetch(sent.chain, ends[2 * np.int64(row["place"]) + 1 - low_end(row)]["oldest"] & RING, 0)


@inline
def back_to(seg: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """The clock of the capture went back. It says nothing of the flow."""
    events, flow, direction = state["events"], seg["flow"], seg["direction"]
    back = world["previous_ns"] - seg["time_ns"]
    seg["flow"], seg["direction"] = -1, 0
    emit(seg, state, world, out, counts, CLOCK, 0, 0, max(back, 0))
    state["events"], seg["flow"], seg["direction"] = events, flow, direction


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
    seg["gap"] = seg["advanced"] = seg["sacked"] = seg["filled"] = 0
    if flags & RST and not me["known"]:  # its number need not be one of the connection's
        seg["start"] = seg["end"] = me["next"]
        seg["ack"] = 0
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
    me["hole_bytes"] = me["oldest"] = me["newest"] = me["newest_again"] = 0
    me["sacked_high"] = me["recovery_end"] = me["tail_probe_end"] = me["fin"] = me["told_ns"] = 0


@inline
def shows_handshake(seg: Any, state: Any) -> Any:
    """Does the server send, behind its SYN-ACK, what it sends in an open connection only?"""
    more = seg["length"] or seg["flags"] & FIN or seg["advanced"]
    return state["judged"] & SAW_SYN_ACK and seg["start"] > 0 and more


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
    servers: Any,
) -> None:
    """Everything that one segment means; the states of both ends move on."""
    flags = seg["flags"]
    if is_stray(seg, me, state, states, ends):
        emit(seg, state, world, out, counts, STRAY, 0, 0, 0)
        letter(seg, state, I)
        return
    if flags & RST:
        resetting(row, seg, me, you, state, world, out, counts)
        return
    if offending(seg, me, you, state):
        return
    if flags & SYN:
        letter(seg, state, H if flags & ACK else S)
        opening(row, seg, me, you, state, world, out, counts, servers)
        if not flags & ACK:
            recycling(row, seg, me, state, world, out, counts, sources)
    elif seg["end"] == seg["start"] and seg["has_ack"]:
        letter(seg, state, A)
    if seg["length"]:
        letter(seg, state, D)
    if flags & FIN:
        letter(seg, state, F)
    probe = probing(seg, me, you, state, world, out, counts)
    if seg["end"] > seg["start"] and probe != KEEP_ALIVE:
        if not probe:
            me["probe"] = 0
        closing(seg, me, you, state, world, out, counts)
        filling(seg, me, you, state, world, out, counts)
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
        offering(seg, me, you, state, world, out, counts)
    if not over(me, you):
        paws(seg, me, you, state, world, out, counts)
    timestamps(seg, me, you, state, world, out, counts)
    remember_timestamps(seg, me, you)
    congestion(row, seg, me, you, state, world, out, counts)
    if (me["syn_ttl"] and not me["syn_met"]) or state["judged"] == SAW_SYN | SAW_SYN_ACK:
        meeting(row, seg, me, you, state, world, out, counts)
    if flags & FIN:
        me["fins"] = min(np.int64(me["fins"]) + 1, 0xFFFF)
        if not me["fin"] and seg["end"] >= me["next"]:
            me["fin"], me["fin_ns"] = seg["end"] - 1, seg["time_ns"]
            if not you["fin"]:
                state["closer"] = 1 + seg["end_of"]
    if flags & (SYN | ACK) == SYN | ACK:
        me["syn_acked"] = 1
    if flags & SYN:
        state["judged"] |= SAW_SYN_ACK if flags & ACK else SAW_SYN
    elif state["judged"] and seg["has_ack"] and (seg["is_client"] or shows_handshake(seg, state)):
        state["judged"] |= ACKED
