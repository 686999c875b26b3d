"""Compiled: packet rows with their flows -> events, and what `flows` says of each end. One pass over the frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import BOOL, INT, Int, group_of, in_library, inline, kernel, rows_of
from analyzer.events.clock_kernel import (
    SOURCE,
    paws,
    recycling,
    remember_timestamps,
    timestamps,
    was_sent_before,
)
from analyzer.events.copies_kernel import RECENT, identity_of
from analyzer.flows.end_state import BLANK, DRAFT, END_STATE, KEEP_ALIVE
from analyzer.flows.moment import MOMENT, SEGMENT, SKIPPED, WORLD
from analyzer.flows.sent import BOARD, SENT, Sent
from analyzer.flows.state import ACKED, FLOW_STATE, TCP
from analyzer.flows.state import SYN as SAW_SYN
from analyzer.flows.state import SYN_ACK as SAW_SYN_ACK
from analyzer.kinds import NUMBER
from analyzer.serial import difference as difference_python
from analyzer.tables import EVENTS, PACKETS

if not in_library():
    from analyzer.events.ack_kernel import acknowledging, answering_copy, answering_late, repeating
    from analyzer.events.again_kernel import again
    from analyzer.events.closing_kernel import challenging, closing, from_before, is_stray, offending, over, resetting
    from analyzer.events.congestion_kernel import congestion
    from analyzer.events.doubt_kernel import answer_unseen, doubts_of, outdated, settle
    from analyzer.events.emit_kernel import ACK, FIN, ROOM, RST, SYN, emit, letter
    from analyzer.events.handshake_kernel import meeting, opening
    from analyzer.events.late_kernel import is_awaited
    from analyzer.events.look_up_kernel import fetch_ends, fetch_sent, identify
    from analyzer.events.loss_kernel import sending
    from analyzer.events.moment_kernel import keep_moment
    from analyzer.events.nat_kernel import count_on, is_across, past_nat
    from analyzer.events.padding_kernel import without_padding
    from analyzer.events.sack_kernel import reporting
    from analyzer.events.stream_kernel import note_id, place_in_streams
    from analyzer.events.taken_kernel import has_room, is_blank, take
    from analyzer.events.window_kernel import answering, filling, offering, probing
    from analyzer.flows.tuple_kernel import low_end
    from analyzer.ordering.step_kernel import is_another_capture

difference = inline(difference_python)

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
    words=rows_of(np.uint64, 2),
    room=rows_of(np.int64),
    unused=rows_of(np.int32),
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
    keys=rows_of(np.uint64),
    moments=rows_of(MOMENT),
    whole=BOOL,
)
def judge(
    rows: Any,
    first: Int,
    states: Any,
    ends: Any,
    words: Any,
    room: Any,
    unused: Any,
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
    keys: Any,
    moments: Any,
    whole: Any,
) -> Int:
    """Judge rows from `first` on. Returns the row where it stopped: the end, or where `out` or `ends` have no room for another.

    `states` (FLOW_STATE), `ends` (END_STATE; `words`: the same as uint64, a row each) with room[USED] places that were ever used, of which the
    last room[FREE] in `unused` (int32) are free again, `world_` (WORLD, 1), `seg_` (SEGMENT, 1: scratch), `out` (EVENTS, of
    which world["out"] are in use), `counts` (int64 a kind), `sent` (Sent, a ring), `boards` (BOARD), `histograms` (uint32,
    BINS a row) with those in `free` (int32) to be taken first, `recent` (RECENT), `sources` (SOURCE), `servers` (uint64), `keys` (uint64, KEYS).
    `moments` (MOMENT, as many as rows) gets what each frame left behind, if `whole` all of it. `identities` (uint64, a power of two, 4 at least) is scratch: memory is fetched for a quarter as many rows at a time.
    """
    world, seg = world_[0], seg_[0]
    ring, step = len(identities) - 1, len(identities) // 4
    upto: Int = first
    ack_at: Int = first
    number: Int = 0
    acked: Int = 0
    for i in range(first, len(rows)):
        if world["out"] + ROOM > len(out) or not has_room(ends, room):
            return i
        if i == upto:
            begins = i == first
            upto += step
            identify(rows, i if begins else upto + 2 * step, upto + 3 * step, states, recent, identities, keys, moments)
            fetch_ends(rows, i if begins else upto + step, upto + 2 * step, states, ends)
        ack_at, number, acked = fetch_sent(rows, i, upto + 2 * step, states, ends, sent, ack_at, number, acked)
        row = rows[i]
        moments[i]["kind"] = SKIPPED
        time_ns, interface = row["time_ns"], np.int64(row["interface"])
        seg["frame"], seg["time_ns"], seg["flow"] = row["frame"], time_ns, row["flow"]
        seg["direction"], seg["events"] = row["direction"], 0
        tcp = row["flow"] >= 0 and row["ip_proto"] == TCP and row["layers"] & LAYER_TCP
        place = np.int64(row["place"]) if tcp else np.int64(0)
        state = states[place]
        if not world["frames"]:
            world["first_ns"] = time_ns
        elif time_ns < world["previous_ns"] and interface == world["previous_interface"]:
            back_to(seg, state, world, out, counts)
        world["previous_ns"], world["previous_interface"] = time_ns, interface
        world["frames"] += 1
        stop = row["stop"]
        if tcp and not row["layers"] & LAYER_FRAGMENT and (stop == DECODED or stop == TRUNCATED):
            end = low_end(row)
            world["sent"] = max(world["sent"] + 1, row["frame"])
            across = is_across(state, states)
            if across:
                # The other side of a NAT: all that passes there belongs to the connection that was seen first.
                end ^= np.int64(state["client"]) ^ np.int64(states[state["leg_place"]]["client"])
                place = np.int64(state["leg_place"])
                count_on(row, state, states[place], end)
                state = states[place]
                seg["flow"] = state["flow"]
            if state["ends"][end] == BLANK:
                state["ends"][end] = take(ends, room, unused)
            alone = state["ends"][1 - end] == BLANK
            if alone:
                ends[DRAFT] = ends[BLANK]
            me, you = ends[state["ends"][end]], ends[DRAFT if alone else state["ends"][1 - end]]
            seg["end_of"], seg["is_client"] = end, row["direction"] == 0
            seg["interface"], seg["size"] = interface, row["length"]
            owner = 2 * seg["flow"] + end
            if me["doubts"]:
                outdated(seg, me, owner, state, world, out, counts, boards)
            if you["doubts"]:
                outdated(seg, you, owner ^ 1, state, world, out, counts, boards)
            identity = identities[i & ring]
            if across:
                identity = identity_of(row, seg["flow"], end, keys)
            else:
                me["direct"] = 1
            if again(row, seg, me, you, owner, identity, state, world, out, counts, sent, boards, recent):
                me["copies"] += 1
            elif not from_before(row, seg, me, you, state, world, out, counts):
                place_in_streams(row, seg, me, you, state)
                if across and row["flags"] & RST:
                    past_nat(seg, you, state, world, out, counts)
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
                if me["heard"] == 0:
                    me["heard"] = 1
                    me["place"] = seg["place"]
                moments[i]["flow"], moments[i]["place"] = seg["flow"], place
                keep_moment(moments[i], seg, me, you, whole)
                if not row["flags"] & RST:
                    me["ttl_low"], me["ttl_high"] = min(me["ttl_low"], row["ttl"]), max(me["ttl_high"], row["ttl"])
                if me["last_ns"]:
                    me["idle_ns"] = max(me["idle_ns"], time_ns - me["last_ns"])
                me["last_ns"], me["last_frame"] = time_ns, row["frame"]
                note_id(seg, me)
            if alone and not is_blank(words):
                state["ends"][1 - end] = take(ends, room, unused)
                ends[state["ends"][1 - end]] = ends[DRAFT]
        row["events"] = seg["events"]
    return len(rows)


@inline
def back_to(seg: Any, state: Any, world: Any, out: Any, counts: Any) -> None:
    """The clock of the capture went back, unless another capture begins here. It says nothing of the flow."""
    if is_another_capture(world["previous_ns"], seg["time_ns"]):
        return
    back = world["previous_ns"] - seg["time_ns"]
    events, flow, direction = state["events"], seg["flow"], seg["direction"]
    seg["flow"], seg["direction"] = -1, 0
    emit(seg, state, world, out, counts, CLOCK, 0, 0, back)
    state["events"], seg["flow"], seg["direction"] = events, flow, direction


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
    without_padding(row, seg, me, you, state, sent, world)
    if flags & SYN:
        letter(seg, state, H if flags & ACK else S)
        opening(row, seg, me, you, state, world, out, counts, servers)
        if not flags & ACK:
            recycling(row, seg, me, state, world, out, counts, sources)
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
        filling(seg, me, you, state, world, out, counts)
        owner = 2 * seg["flow"] + seg["end_of"]
        sending(seg, me, you, probe, state, world, out, counts, sent, boards, owner)
    elif not probe and (seg["start"] < me["next"] or was_sent_before(seg, me)):
        seg["late"] = 1  # an ACK that others of its end have overtaken
    if seg["has_ack"]:
        owner = 2 * seg["flow"] + 1 - seg["end_of"]
        acknowledging(seg, me, you, state, world, out, counts, sent, boards, owner, histograms, free)
        if seg["is_client"] and state["judged"] == SAW_SYN | SAW_SYN_ACK and not flags & SYN:
            answering_late(seg, me, you, state, world, out, counts)
        if row["sack_count"]:
            reporting(row, seg, me, you, state, world, out, counts, sent, boards, owner)
        answered = answering(seg, me, you, state, world, out, counts)
        challenging(seg, me, you, state, world, out, counts)
        repeating(seg, me, you, answered, state, world, out, counts)
        if you["doubts"]:
            answering_copy(row, seg, me, you, answered, state, world, out, counts, boards, owner)
            if row["stop"] == TRUNCATED:
                answer_unseen(you, owner, boards)
        offering(seg, me, you, state, world, out, counts)
    if not over(me, you):
        paws(seg, me, you, state, world, out, counts)
    if world["pure_acks"] == 0 and echoes_unseen(seg, you):
        world["unseen_acks"] += 1
    timestamps(seg, me, you, state, world, out, counts)
    remember_timestamps(seg, me)
    congestion(row, seg, me, you, state, world, out, counts)
    if (me["syn_ttl"] and not me["syn_met"]) or state["judged"] == SAW_SYN | SAW_SYN_ACK:
        meeting(row, seg, me, you, state, world, out, counts)
    if flags & FIN:
        if not me["fin"] and seg["end"] >= me["next"]:
            me["fin"], me["fin_ns"] = seg["end"] - 1, seg["time_ns"]
            if not you["fin"]:
                state["closer"] = 1 + seg["end_of"]
        if seg["end"] - 1 == me["fin"]:
            me["fins"] = min(np.int64(me["fins"]) + 1, 0xFFFF)
    if flags & (SYN | ACK) == SYN | ACK:
        me["syn_acked"] = 1
    if flags & SYN:
        state["judged"] |= SAW_SYN_ACK if flags & ACK else SAW_SYN
        if not flags & ACK:
            state["first_syn_ns"] = seg["time_ns"]
    elif state["judged"] and seg["has_ack"] and (seg["is_client"] or shows_handshake(seg, state)):
        if seg["is_client"]:
            time_handshake(seg, me, you, state)
        state["judged"] |= ACKED


@inline
def time_handshake(seg: Any, me: Any, you: Any, state: Any) -> None:
    """How long it took, where there are copies of its packets: from the first SYN that is none to the client's ACK."""
    once = state["judged"] == SAW_SYN | SAW_SYN_ACK and me["syns"] == 1 and you["syns"] == 1
    if state["syn_copied"] and once and seg["ack"] == 1:
        state["rtt_ns"] = max(seg["time_ns"] - state["first_syn_ns"], -1)  # a difference beyond int64 is none


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
            whose = ends[states[places[i]]["ends"][end]]
            board = doubts_of(whose, 2 * states[places[i]]["flow"] + end, boards)
            while board >= 0 and whose["doubts"]:
                settle(np.int64(0), whose, boards[board], end, states[places[i]], world, out, counts)
    return len(places)
