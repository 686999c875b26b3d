"""What the match tells of each segment, and what each capture is known to have missed -> its fate (PASSAGES).

A loss is claimed only where the far capture ran, and missed nothing around: an acknowledgment of data that it does not hold, or a
packet at the near point that it should have seen leave, shows what it missed. Where it misses packets all the time, no loss is claimed,
nor where it holds too few packets to tell, nor next to packets that came and were not seen leave: they may be those that are sought.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzer.first import first_of
from analyzer.points.counted import Ran, held_by
from analyzer.points.pending import ACKED, COPY, CORRUPT, LATE, MET, NEAR, NOT_SURE, OTHER_TTL, PARTLY
from analyzer.points.sampling import FIN, RST, SYN
from analyzer.points.segment import CLOSED, DATAGRAM, OPENED
from analyzer.points.survey import Survey
from analyzer.schema import Rows
from analyzer.tables import FATES, PASSAGES, REASONS

ARRIVED, LOST, DUPLICATED, REORDERED, CORRUPTED, REWRITTEN, INJECTED, UNKNOWN = range(len(FATES))
_, WAS_ACKED, OUTSIDE, NOT_FOLLOWED, CAPTURE_MISSED, CAPTURE_DROPS, ENDS_HERE, ONE_WAY, NO_CLOCK, IN_PART = range(
    len(REASONS)
)
BIN_NS = 100_000_000
AROUND = 10  # bins on both sides of one in which the capture missed something
MOST_SILENT = 5  # likewise: in a longer silence nobody knows that a capture held what passed, unless it says so
MOST_MISSED = 0.01  # of the packets that came: a capture that missed more may have missed any
# Packets of a capture that met those of the other one: after fewer without a miss it may well miss more than 1.5 % (rule of three).
LEAST_CAME = 200
SENT, CAME = (PASSAGES.bit("way", word) for word in ("sent", "came"))
IP_ID, TIMESTAMPS, WINDOW, FLAGS, OTHERS = (
    PASSAGES.bit("fields", name) for name in ("ip_id", "timestamps", "window", "flags", "other_options")
)
OF_ANOTHER = IP_ID | TIMESTAMPS  # what another transmission of the same bytes has otherwise: no copy of it
MAY_VARY = WINDOW | FLAGS | OTHERS  # likewise, of transmissions in the same millisecond


class Misses:
    """What the captures of two points are known to have missed: first told of all, then asked."""

    def __init__(self, survey: Survey, ran: tuple[Ran, Ran]) -> None:
        self._survey, self._ran = survey, ran
        self._shared, count = survey.pairs.shared, survey.pairs.count
        self._went_on_ns = np.full(2 * count, np.iinfo(np.int64).min, np.int64)
        self._came_of = np.zeros(2 * count, np.bool_)
        self._bins: tuple[set[int], set[int]] = (set(), set())
        self._held: tuple[set[int], set[int]] = (set(), set())
        self._strays: tuple[set[int], set[int]] = (set(), set())
        self._number, self._came = [0, 0], [0, 0]
        self._any_came = [False, False]

    def add(self, rows: Rows) -> None:
        """Take more of what was matched (PASSED)."""
        delays_ns = self._survey.delays_ns
        status, shared = rows["status"], rows["connection"] < self._shared
        near, met = (status & NEAR) != 0, (status & MET) != 0
        sends = near & ((rows["flags"] & RST) == 0)
        np.maximum.at(self._went_on_ns, _ways(rows)[sends], rows["when_ns"][sends])
        acked = near & ((status & ACKED) != 0) & ~held_by(self._survey, self._ran, rows)
        self._note_checked(rows, near & met, met & ~near & ((rows["flags"] & DATAGRAM) == 0))
        stray = ~near & ~met & shared & ((status & NOT_SURE) == 0) & ((rows["flags"] & (RST | SYN)) == 0)
        came = met & ~near
        self._came_of[_ways(rows)[came]] = True
        for side in (0, 1):
            # At the far point: what was acknowledged and not seen; at the near one: what came from there and was not seen leave.
            far, here = acked & (rows["side"] != side), stray & (rows["side"] != side)
            times = np.concatenate(
                [rows["when_ns"][far] + delays_ns[1 - side][0], rows["when_ns"][here] - delays_ns[side][0]]
            )
            self._number[side] += len(times)
            self._bins[side].update(np.unique(times // BIN_NS).tolist())
            self._strays[1 - side].update(np.unique(rows["when_ns"][here] // BIN_NS).tolist())
            self._held[side].update(np.unique(rows["when_ns"][rows["side"] == side] // BIN_NS).tolist())

    def _note_checked(self, rows: Rows, left: npt.NDArray[np.bool_], came: npt.NDArray[np.bool_]) -> None:
        """Count the packets that a capture holds and would be known to have missed: those that left it and came to the other one, and those that came and are acknowledged, which datagrams are not."""
        for side in (0, 1):
            self._came[side] += int(((left | came) & (rows["side"] == side)).sum())
            self._any_came[side] |= bool((((rows["status"] & (NEAR | NOT_SURE)) == 0) & (rows["side"] == side)).any())

    def nothing_came(self, side: int) -> bool:
        """Does it hold nothing at all that came from the other point? Then its filter may have let none of that pass."""
        return not self._any_came[side]

    def went_on(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Did the sender of each go on sending after it, as if it had not sent it?"""
        return np.asarray(self._went_on_ns[_ways(rows)] > rows["when_ns"])

    def often(self, side: int) -> bool:
        """Does this capture miss packets all the time?"""
        return self._number[side] > MOST_MISSED * (self._number[side] + self._came[side])

    def number(self, side: int) -> int:
        """How many packets it is known to have missed."""
        return self._number[side]

    def unseen(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Did nothing come of the ways of these (PASSED)? Then the filter of a capture may have let none pass."""
        return np.asarray(~self._came_of[_ways(rows)])

    def few(self, side: int) -> bool:
        """Does it hold too few packets to tell how many it missed?"""
        return self._came[side] < LEAST_CAME

    def around(self, side: int, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Did it miss something within a second of each of these times (int64, ns)?"""
        return _near_any(self._bins[side], times_ns)

    def strays(self, side: int, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Came something within a second of each of these times (int64, ns) that the other capture did not see leave?"""
        return _near_any(self._strays[side], times_ns)

    def silent(self, side: int, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Does it hold nothing in the half second before each of these times (int64, ns), or after it?"""
        bins = np.array(sorted(self._held[side]), np.int64)
        if not len(bins):
            return np.ones(len(times_ns), np.bool_)
        at = times_ns // BIN_NS
        before = bins[np.maximum(np.searchsorted(bins, at, side="right") - 1, 0)]
        after = bins[np.minimum(np.searchsorted(bins, at), len(bins) - 1)]
        found: npt.NDArray[np.bool_] = (np.abs(at - before) > MOST_SILENT) | (np.abs(after - at) > MOST_SILENT)
        return found


def _near_any(known: set[int], times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    bins = np.array(sorted(known), np.int64)
    if not len(bins):
        return np.zeros(len(times_ns), np.bool_)
    at = times_ns // BIN_NS
    after = bins[np.minimum(np.searchsorted(bins, at - AROUND), len(bins) - 1)]
    near: npt.NDArray[np.bool_] = np.abs(after - at) <= AROUND
    return near


def _ways(rows: Rows) -> npt.NDArray[np.int64]:
    return np.asarray(2 * rows["connection"].astype(np.int64) + rows["way"])


class Judgement:
    """Says the fates of segments of two points."""

    def __init__(self, survey: Survey, ran: tuple[Ran, Ran], misses: Misses) -> None:
        self._survey, self._ran, self._misses = survey, ran, misses
        self._followed = survey.followed  # by connection: would the other capture hold it

    def passages(self, rows: Rows, points: tuple[int, int]) -> Rows:
        """The rows of `passages`, with the times of the first point; `points` are the numbers of the two."""
        status = rows["status"]
        near, met = (status & NEAR) != 0, (status & MET) != 0
        found = np.zeros(len(rows), PASSAGES.dtype)
        for name in (
            "packet",
            "frame",
            "flow",
            "direction",
            "related_frame",
            "delay_ns",
            "fields",
            "late_by",
            "lost_bytes",
        ):
            found[name] = rows[name]
        found["direction"][rows["flow"] < 0] = 0
        found["time_ns"] = rows["when_ns"]
        found["point_number"] = np.array(points, np.uint8)[rows["side"]]
        found["other_number"] = np.array(points, np.uint8)[1 - rows["side"]]
        found["way"] = np.where((status & NOT_SURE) != 0, 0, np.where(near, SENT, CAME))
        found["fate"] = first_of(
            [~met, (status & CORRUPT) != 0, (status & COPY) != 0, (status & LATE) != 0, rows["fields"] != 0],
            [UNKNOWN, CORRUPTED, DUPLICATED, REORDERED, REWRITTEN],
            ARRIVED,
        )
        tcp = (rows["flags"] & DATAGRAM) == 0
        closed, opened = (PASSAGES.bit("window", word) for word in ("closed", "opened"))
        note = rows["note"]
        found["window"] = first_of([tcp & ((note & CLOSED) != 0), tcp & ((note & OPENED) != 0)], [closed, opened], 0)
        self._uncertain(rows, found)
        # Who acknowledges what did not come, by the count of its host, is another one.
        acked = near & ((status & ACKED) != 0)
        for_another = acked & held_by(self._survey, self._ran, rows)
        acked &= ~for_another
        found["lost_bytes"][for_another] = rows["payload_len"][for_another]
        self._missing(rows, found, near & (((status & PARTLY) != 0) | (~met & ~acked)), met)
        found["fate"][acked], found["reason"][acked] = ARRIVED, WAS_ACKED
        self._strange(rows, found, ~near & ~met & ((status & NOT_SURE) == 0))
        unsure = (status & NOT_SURE) != 0
        found["reason"][unsure] = np.where(
            self._survey.ends_here[rows["connection"][unsure]],
            ENDS_HERE,
            NO_CLOCK if self._survey.clock is None else ONE_WAY,
        )
        return found

    def _missing(self, rows: Rows, found: Rows, missing: npt.NDArray[np.bool_], met: npt.NDArray[np.bool_]) -> None:
        """What was sent and did not come, or not all of it."""
        for side in (0, 1):
            at = np.flatnonzero(missing & (rows["side"] == side))
            if not len(at):
                continue
            far = 1 - side
            least, most = self._survey.delays_ns[side]
            why = self._why_not(far, rows["connection"][at], rows["when_ns"][at] + least, rows["when_ns"][at] + most)
            if self._misses.nothing_came(far) and not self._ran[far].heard_nothing:
                why = np.where(why == 0, NOT_FOLLOWED, why)
            if not self._ran[far].watched:
                why = np.where((why == 0) & self._misses.unseen(rows[at]), NOT_FOLLOWED, why)
                alone = (rows["payload_len"][at] == 0) & ((rows["flags"][at] & (SYN | FIN)) == 0)
                why = np.where(
                    (why == 0) & (alone | self._unproven(far, rows["when_ns"][at] + least)), CAPTURE_MISSED, why
                )
            held = held_by(self._survey, self._ran, rows[at])
            why = np.where(held & np.isin(why, (NOT_FOLLOWED, CAPTURE_MISSED)), 0, why)
            doubtful = (why == 0) & self._misses.strays(far, rows["when_ns"][at] + least)
            why = np.where(doubtful, CAPTURE_MISSED, why)
            lost, part = why == 0, met[at]
            found["fate"][at[lost]] = LOST
            found["reason"][at] = np.where(lost & part, IN_PART, why)
            found["lost_bytes"][at[~lost]] = 0

    def _unproven(self, side: int, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Is there too little around these times (int64, ns) to know that a capture held all, which does not say so?"""
        return np.asarray(self._misses.silent(side, times_ns) | self._misses.few(side))

    def _is_sure(self, side: int) -> bool:
        """May what a capture lacks be taken for what did not pass?"""
        ran = self._ran[side]
        return not (self._misses.often(side) or ran.drops or (self._misses.few(side) and not ran.watched))

    def _uncertain(self, rows: Rows, found: Rows) -> None:
        """Where a capture may have missed one of two transmissions that were alike, nobody knows that the network copied, overtook or rewrote the other."""
        sure = np.array([self._is_sure(side) for side in (0, 1)])
        fields = rows["fields"]
        near_side = np.where((rows["status"] & NEAR) != 0, rows["side"], 1 - rows["side"])
        other = (found["fate"] == DUPLICATED) & ((fields & OF_ANOTHER) != 0)
        found["fields"][other] &= ~np.uint32(OF_ANOTHER)
        doubted = other | ((found["fate"] == DUPLICATED) & ~sure[near_side])
        doubted |= (found["fate"] == REORDERED) & (not sure.all())
        if not sure.all() or any(map(self._misses.number, (0, 1))):
            vary = (found["fields"] & MAY_VARY) != 0
            found["fields"][vary] &= ~np.uint32(MAY_VARY)
            doubted |= (found["fate"] == REWRITTEN) & (found["fields"] == 0)
        found["fate"][doubted], found["reason"][doubted] = ARRIVED, CAPTURE_MISSED

    def _why_not(
        self, far: int, connection: npt.NDArray[np.int32], first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Why nobody knows whether packets passed the far point, between two times each; 0 where the capture there would hold them."""
        ran = self._ran[far]
        return first_of(
            [
                ~self._followed[connection],
                (first < ran.start_ns) | (last > ran.end_ns),
                np.full(len(first), ran.drops > 0),
                np.full(len(first), self._misses.often(far)) | self._misses.around(far, first),
            ],
            [NOT_FOLLOWED, OUTSIDE, CAPTURE_DROPS, CAPTURE_MISSED],
            0,
        )

    def _strange(self, rows: Rows, found: Rows, strange: npt.NDArray[np.bool_]) -> None:
        """What came and was not sent at the other point."""
        for side in (0, 1):
            at = np.flatnonzero(strange & (rows["side"] == side))
            if not len(at):
                continue
            near = 1 - side
            least, most = self._survey.delays_ns[near]
            why = self._why_not(near, rows["connection"][at], rows["when_ns"][at] - most, rows["when_ns"][at] - least)
            # A capture may have missed one packet alone: it must be strange in itself, the more so where the capture does not say that it missed none.
            far_off = (rows["status"][at] & OTHER_TTL) != 0
            ignored = ((rows["flags"][at] & RST) != 0) & self._misses.went_on(rows[at])
            if self._ran[near].watched:
                foreign = far_off | ignored
            else:
                foreign = far_off & (ignored | (not self._misses.few(near)))
            paired = rows["connection"][at] < self._survey.pairs.shared
            made = (why == 0) & foreign & paired
            found["fate"][at[made]] = INJECTED
            found["reason"][at] = np.where(made, 0, np.where(why == 0, CAPTURE_MISSED, why))
