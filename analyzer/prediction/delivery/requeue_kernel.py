"""Compiled: what a retransmission shows of how the retransmission queue was cut anew."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.accelerate import Int, inline, part
from analyzer.prediction.delivery.queue_kernel import in_pieces, insert, length, remove
from analyzer.prediction.delivery.state import P_FIN, P_SACKED
from analyzer.serial import difference

difference = inline(difference)


@part
def again(pool: Any, own: Any, side: Int, start: Int, end: Int, size: Int, fin: Int) -> None:
    """__tcp_retransmit_skb(): buffers were cut to a smaller segment size, or small ones made one, as this retransmission shows."""
    data = difference(end, start) - fin
    count = in_pieces(size, data)
    waiting: Int = 0
    fits = True
    at: Int = np.int64(own["head"][side])
    while at:  # how many segments the queue holds there
        part = pool[at]
        if difference(end, part["start"]) <= 0:
            break
        if difference(part["end"], start) > 0:
            if part["flags"] & P_SACKED:
                return
            step = np.int64(part["size"])
            skipped = max(np.int64(0), difference(start, part["start"])) // step
            stop = np.int64(part["count"])
            if difference(end, part["end"]) < 0:
                stop = min(stop, (difference(end, part["start"]) + step - 1) // step)
                fits = difference(end, part["start"]) % step == 0
            waiting += max(np.int64(0), stop - skipped)
        at = np.int64(part["next"])
    if waiting > 0 and (waiting != count or not fits):
        before = np.int64(own["packets_out"][side])
        trim(pool, own, side, start)
        replace(pool, own, side, start, end, size if count > 1 else max(np.int64(1), data), count, fin)
        # tcp_adjust_pcount(): without SACK, what is less now is taken off the duplicate ACKs too.
        fewer = max(np.int64(0), before - np.int64(own["packets_out"][side]))
        own["sacked_out"][side] = max(np.int64(0), np.int64(own["sacked_out"][side]) - fewer)


@inline
def trim(pool: Any, own: Any, side: Int, start: Int) -> None:
    """tcp_trim_head(): what is acknowledged of the first segment is not sent again."""
    head = np.int64(own["head"][side])
    if head and difference(start, own["snd_una"][side]) <= 0 and difference(start, pool[head]["start"]) > 0:
        pool[head]["start"] = start


@inline
def replace(pool: Any, own: Any, side: Int, start: Int, end: Int, size: Int, count: Int, fin: Int) -> None:
    """Make one piece of what waits from `start` to `end`, whatever it was cut into."""
    new = insert(pool, own, side, 0)
    if not new:
        return
    place: Int = 0  # the last piece in front of it
    before: Int = new
    at: Int = np.int64(pool[new]["next"])
    while at:
        part = pool[at]
        following: Int = np.int64(part["next"])
        if difference(part["end"], start) <= 0:
            place = at
        elif difference(part["start"], end) >= 0:
            break
        else:
            own["packets_out"][side] -= np.int64(part["count"])
            in_front, behind = difference(start, part["start"]), difference(part["end"], end)
            if in_front > 0 and behind > 0:
                rest = insert(pool, own, side, at)
                if rest:
                    fill(pool[rest], end, np.int64(part["end"]), np.int64(part["size"]), np.int64(part["flags"]))
                    own["packets_out"][side] += np.int64(pool[rest]["count"])
                behind = 0
                following = 0
            if in_front > 0:
                fill(part, np.int64(part["start"]), start, np.int64(part["size"]), np.int64(part["flags"]) & ~P_FIN)
                own["packets_out"][side] += np.int64(part["count"])
                place = at
            elif behind > 0:
                fill(part, end, np.int64(part["end"]), np.int64(part["size"]), np.int64(part["flags"]))
                own["packets_out"][side] += np.int64(part["count"])
                break
            else:
                remove(pool, own, side, before, at)
                at = before
        before, at = at, following
    part = pool[new]
    part["start"], part["end"], part["size"], part["count"] = start, end, size, count
    part["flags"] = P_FIN if fin else 0
    own["packets_out"][side] += count
    if place:  # from the head to where it belongs
        own["head"][side] = part["next"]
        part["next"] = pool[place]["next"]
        pool[place]["next"] = new
        if part["next"] == 0:
            own["tail"][side] = new


@inline
def fill(part: Any, start: Int, end: Int, size: Int, flags: Int) -> None:
    """The piece becomes these bytes."""
    part["start"], part["end"], part["size"], part["flags"] = start, end, size, flags
    part["count"] = in_pieces(size, length(part))
