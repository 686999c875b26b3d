"""Compiled: connections of which nothing is heard give up their slot, and rest in a fraction of its room, until they are needed.

A connection is mostly zeros and, beyond them, the same numbers again and again: each family keeps what was acknowledged, and
times begin alike. Folded it is a bit for each of its words (u4), 0 for a zero; for each of the others a byte, which is 0 for a
number that is new, else the number of an earlier one; and those that are new.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.delivery.offers_kernel import mss_cache
from analyzer.prediction.state import CHUNK_WORDS, OPEN_HELD, OPEN_ORPHAN, OPEN_SYN, OPEN_TIMER, WORDS
from analyzer.prediction.world import BITS

MIX = 40503
MOST_KNOWN = 255
MOST_CHUNKS = (BITS + (WORDS + 3) // 4 + WORDS) // CHUNK_WORDS + 1
FOLDED_AT_ONCE = 4  # more than one frame can bring to rest


@part
def bring(place: Int, kept: Any, world: Any) -> Int:
    """The slot of a place's connection, which is awake from now on; of a new one if there was none."""
    here = kept.places[place]
    at = np.int64(here["at"])
    if at > 0:
        kept.slots[at - 1]["used"] = 1
        return at - 1
    slot = free_slot(kept, world)
    if at < 0:
        unfold(slot, -at, kept, world)
    else:
        clear(slot, kept)
    here["at"] = slot + 1
    kept.slots[slot]["place"], kept.slots[slot]["used"] = place, 1
    return slot


@inline
def clear(slot: Int, kept: Any) -> None:
    """Nothing is known of the connection of this slot."""
    for k in range(WORDS):
        kept.words[slot, k] = 0


@inline
def free_slot(kept: Any, world: Any) -> Int:
    """One that was never used, or that of a connection that was not used since this was asked last, and rests from now on."""
    if world["taken"] < len(kept.slots):
        world["taken"] += 1
        return world["taken"] - 1
    slot = world["hand"]
    while True:
        slot = slot + 1 if slot + 1 < len(kept.slots) else 0
        if slot == world["held"]:
            continue
        if not kept.slots[slot]["used"]:
            break
        kept.slots[slot]["used"] = 0
    world["hand"] = slot
    there = kept.places[kept.slots[slot]["place"]]
    there["open"] = open_ends(kept.hot[slot])
    there["at"] = -fold(slot, kept, world)
    return slot


@inline
def open_ends(connection: Any) -> Int:
    """What only the end of the capture makes certain of it."""
    found: Int = 0
    opening = connection["opening"]
    if opening["waits"] or opening["ignored"] or opening["held"] or (opening["answers"] and not opening["spoken"]):
        found |= OPEN_SYN
    for side in range(2):
        if is_given_up(connection, side):
            found |= OPEN_TIMER
        if is_orphan(connection, side):
            found |= OPEN_ORPHAN
        if holds(connection["delivery"], side):
            found |= OPEN_HELD
    return found


@inline
def is_given_up(connection: Any, side: Int) -> Any:
    """Did its timer send something that was not answered?"""
    return connection["talk"]["timeout_frame"][side] != 0 and not connection["talk"]["gone"][side]


@inline
def is_orphan(connection: Any, side: Int) -> Any:
    """Is it in FIN_WAIT_2, perhaps as a timewait socket that was not counted?"""
    own = connection["closing"]
    return own["first"][side] and own["acked_frame"][side] > 0 and not own["counted"][side] and not own["reset"][side]


@inline
def holds(own: Any, side: Int) -> Any:
    """Has it data outstanding, or a window that is too small, so that a FIN may wait that was never sent?"""
    return own["early_times"][side] > 0 and (
        own["packets_out"][side] > 0 or own["snd_wnd"][side] < mss_cache(own, side)
    )


@part
def fold(slot: Int, kept: Any, world: Any) -> Int:
    """Bring the connection of a slot to rest: the first of its chunks."""
    tokens = literals = 0
    for k in range(256):
        world["known"][k] = 0
    for k in range(BITS):
        world["bits"][k] = 0
    for k in range(WORDS):
        word: Int = np.int64(kept.words[slot, k])
        if word == 0:
            continue
        world["bits"][k >> 5] |= np.uint32(1 << (k & 31))
        mixed = (word * MIX >> 20) & 255
        token: Int = np.int64(world["known"][mixed])
        if token == 0 or np.int64(world["literals"][token - 1]) != word:
            token = 0
            world["literals"][literals] = word
            literals += 1
            if literals <= MOST_KNOWN:
                world["known"][mixed] = literals
        world["tokens"][tokens] = token
        tokens += 1
    first = chunk = take(kept.chunks)
    at: Int = 0
    whole = (tokens + 3) >> 2
    for k in range(BITS + whole + literals):
        if at == CHUNK_WORDS:
            following = take(kept.chunks)
            kept.chunks[chunk]["next"] = following
            chunk, at = following, 0
        if k < BITS:
            word = np.int64(world["bits"][k])
        elif k < BITS + whole:
            four = 4 * (k - BITS)
            word = np.int64(world["tokens"][four]) | np.int64(world["tokens"][four + 1]) << 8
            word |= np.int64(world["tokens"][four + 2]) << 16 | np.int64(world["tokens"][four + 3]) << 24
        else:
            word = np.int64(world["literals"][k - BITS - whole])
        kept.chunks[chunk]["words"][at] = word
        at += 1
    kept.chunks[chunk]["next"] = 0
    return first


@part
def unfold(slot: Int, first: Int, kept: Any, world: Any) -> None:
    """Put the connection that rests in these chunks into a slot; they are free again."""
    chunk, at = first, 0
    tokens = 0
    for k in range(BITS):
        if at == CHUNK_WORDS:
            chunk, at = np.int64(kept.chunks[chunk]["next"]), 0
        bits = np.int64(kept.chunks[chunk]["words"][at])
        world["bits"][k] = bits
        at += 1
        while bits:
            bits &= bits - 1
            tokens += 1
    for k in range((tokens + 3) >> 2):
        if at == CHUNK_WORDS:
            chunk, at = np.int64(kept.chunks[chunk]["next"]), 0
        word = np.int64(kept.chunks[chunk]["words"][at])
        at += 1
        for byte in range(4):
            world["tokens"][4 * k + byte] = word >> (8 * byte) & 255
    token = literals = 0
    for k in range(WORDS):
        word = np.int64(0)
        if np.int64(world["bits"][k >> 5]) >> (k & 31) & 1:
            known = np.int64(world["tokens"][token])
            token += 1
            if known:
                word = np.int64(world["literals"][known - 1])
            else:
                if at == CHUNK_WORDS:
                    chunk, at = np.int64(kept.chunks[chunk]["next"]), 0
                word = np.int64(kept.chunks[chunk]["words"][at])
                at += 1
                world["literals"][literals] = word
                literals += 1
        kept.words[slot, k] = word
    give_back(kept.chunks, first, chunk)


@inline
def take(chunks: Any) -> Int:
    """A free chunk. There is one: see has_room()."""
    found = np.int64(chunks[0]["next"])
    if found:
        chunks[0]["next"] = chunks[found]["next"]
        chunks[0]["words"][1] -= np.uint32(1)
    else:
        found = np.int64(chunks[0]["words"][0]) + 1
        chunks[0]["words"][0] = found
    return found


@inline
def give_back(chunks: Any, first: Int, last: Int) -> None:
    """Those from the first to the last are free again."""
    at, count = first, 1
    while at != last:
        at = np.int64(chunks[at]["next"])
        count += 1
    chunks[last]["next"] = chunks[0]["next"]
    chunks[0]["next"] = first
    chunks[0]["words"][1] += np.uint32(count)


@inline
def has_room(chunks: Any) -> Any:
    """Are there chunks for as many connections as one frame can bring to rest?"""
    left = len(chunks) - 1 - np.int64(chunks[0]["words"][0]) + np.int64(chunks[0]["words"][1])
    return left >= FOLDED_AT_ONCE * MOST_CHUNKS
