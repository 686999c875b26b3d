"""The segments of two captures, read in step -> what became of each (PASSED), piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from analyzer.points.passing import CHUNK, Passings
from analyzer.points.pending import NEXT_CAME, NEXT_SENT, OLDEST_CAME, OLDEST_SENT, PASSED, Pending
from analyzer.points.segment import PASSING, UNSURE
from analyzer.points.survey import UNKNOWN, Survey
from analyzer.schema import Rows

WHOLE_ROWS = np.dtype((np.void, PASSING.itemsize))
END = np.iinfo(np.int64).max
OUT = 1 << 14
RANKS = 8  # more than the ranks of those at the same time
FAR_NS = END // RANKS - RANKS


class Matching:
    """Matches the packets of two captures by what a survey knows of them.

    Memory is bounded by what is on the way at a time; the result does not depend on how much is read at once.
    """

    def __init__(self, captures: tuple[Passings, Passings], survey: Survey, chunk: int = CHUNK) -> None:
        self._captures, self._survey, self._chunk = captures, survey, chunk
        self._pending = Pending(survey.pairs.count)
        self._pending.ways["keeps_tsval"] = survey.keeps & 1
        self._pending.ways["keeps_id"] = survey.keeps >> 1 & 1
        self._out = np.zeros(OUT, PASSED)

    @property
    def ways(self) -> Rows:
        """What is known of each way (WAY) at the end."""
        return self._pending.ways

    def passed(self) -> Iterator[Rows]:
        """Every segment of both captures; what is yielded is overwritten by the next."""
        for items in self._merged():
            yield from self._match(items)
        yield from self._left()

    def _match(self, items: Rows) -> Iterator[Rows]:
        from analyzer.points.match_kernel import match

        pending = self._pending
        pending.make_room(len(items))
        at = 0
        while at < len(items):
            at, count = match(
                items,
                at,
                self._survey.wait_ns,
                pending.sent,
                pending.sent_links,
                pending.came,
                pending.came_links,
                pending.state,
                pending.tables,
                pending.ways,
                self._out,
            )
            if count:
                yield self._out[:count]

    def _left(self) -> Iterator[Rows]:
        """What still waits at the end."""
        from analyzer.points.match_kernel import leave

        pending, state = self._pending, self._pending.state
        while state[OLDEST_SENT] < state[NEXT_SENT] or state[OLDEST_CAME] < state[NEXT_CAME]:
            count = leave(
                END, pending.sent, pending.sent_links, pending.came, pending.came_links, state, pending.ways, self._out
            )
            yield self._out[:count]

    def _merged(self) -> Iterator[Rows]:
        """The segments of both captures in order of time; of those at the same time what was sent before what came."""
        sources = [self._prepared(side) for side in (0, 1)]
        held = [np.zeros(0, PASSING), np.zeros(0, PASSING)]
        ended = [False, False]
        while not all(ended) or any(map(len, held)):
            for side in (0, 1):
                if not len(held[side]) and not ended[side]:
                    held[side] = next(sources[side], held[side])
                    ended[side] = not len(held[side])
            # Up to here nothing more can come; what has this very time may have companions in what is not read yet.
            until = min(
                (int(each["key_ns"][-1]) for each, done in zip(held, ended, strict=True) if not done), default=END
            )
            taken = [int(np.searchsorted(each["key_ns"], until, side="left")) for each in held]
            if not any(taken):
                side = next(side for side in (0, 1) if not ended[side] and int(held[side]["key_ns"][-1]) == until)
                more = next(sources[side], np.zeros(0, PASSING))
                ended[side] = not len(more)
                held[side] = np.concatenate([held[side], more])
                continue
            # As bytes: of rows with so many columns NumPy copies each by itself, which takes twenty times as long.
            items = np.concatenate(
                [each[:number].view(WHOLE_ROWS) for each, number in zip(held, taken, strict=True)]
            ).view(PASSING)
            held = [each[number:] for each, number in zip(held, taken, strict=True)]
            yield items.take(_order(items))

    def _prepared(self, side: int) -> Iterator[Rows]:
        """The segments of one capture with their connections, on the clock of the first point."""
        survey, latest = self._survey, np.iinfo(np.int64).min
        pairs, clock = survey.pairs, survey.clock
        slack = survey.slack_ns
        for rows in self._captures[side].chunks(self._chunk, survey.by_part):
            connection = pairs.of_flow[side][rows["member"]]
            rows, connection = _known(rows, connection)
            if not len(rows):
                continue
            rows["connection"], rows["side"] = connection, side
            rows["way"] = rows["low"] ^ pairs.turned[connection] if side else rows["low"]
            nearer = survey.near[2 * connection.astype(np.int64) + rows["way"]]
            rows["near"] = np.where(nearer == UNKNOWN, UNSURE, nearer == side)
            rows["when_ns"] = clock.to_first(rows["time_ns"]) if side and clock is not None else rows["time_ns"]
            key = rows["when_ns"] - np.where(nearer == side, slack, 0)
            rows["key_ns"] = np.maximum(np.maximum.accumulate(key), latest)
            latest = int(rows["key_ns"][-1])
            yield rows


def _order(items: Rows) -> npt.NDArray[np.intp]:
    """In order of time; of those at the same time what was sent before what came, and then the first point before the second."""
    since, rank = items["key_ns"] - items["key_ns"].min(), 2 * (UNSURE - items["near"]) + items["side"]
    if int(since.max()) >= FAR_NS:
        return np.lexsort((rank, since))
    return np.argsort(
        RANKS * since + rank, kind="stable"
    )  # of two runs in order, which one number each puts together at once


def _known(rows: Rows, connection: npt.NDArray[np.int32]) -> tuple[Rows, npt.NDArray[np.int32]]:
    """Those of connections that a sample stands for."""
    known = connection >= 0
    return (rows, connection) if known.all() else (rows.compress(known), connection[known])
