"""Two capture points that are next to each other: surveyed, matched and judged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields
from analyzer.output import temporary_file
from analyzer.points.counted import Ran
from analyzer.points.fates import Judgement, Misses
from analyzer.points.matching import Matching
from analyzer.points.passing import CHUNK, Passings
from analyzer.points.paths import PathTally
from analyzer.points.pending import PASSED
from analyzer.points.repeats import Repeats
from analyzer.points.sampling import RST
from analyzer.points.segment import DATAGRAM
from analyzer.points.survey import Survey
from analyzer.schema import Rows
from analyzer.tables import PASSAGES, PATHS
from analyzer.together import joined, taken

MOST_NOTABLE = 40_000  # rows
ARRIVED, UNKNOWN = (PASSAGES.bit("fate", word) for word in ("arrived", "unknown"))


@of_fields(frozen=True, slots=True)
class Notable:
    """What of the packets between two points is no plain arrival, the first of it: matched rows (PASSED), their `passages`, and which packets repeat what came damaged."""

    rows: Rows
    passages: Rows
    damaged: set[int]


class Between:
    """What became of the packets between two points, given by their numbers.

    The match is kept in a file without a name, since what a capture has missed is known at its end.
    """

    def __init__(
        self,
        points: tuple[int, int],
        captures: tuple[Passings, Passings],
        survey: Survey,
        ran: tuple[Ran, Ran],
        chunk: int = CHUNK,
    ) -> None:
        self.points, self.survey = points, survey
        self._file = temporary_file()
        self._count = 0
        # What is known of datagrams says nothing of segments: an offload that cuts or merges them would seem to have lost them.
        self.misses = of_all = Misses(survey, ran)
        if any(each.datagrams for each in captures):
            of_all = Misses(survey, ran)
        matching = Matching(captures, survey, chunk)
        for rows in matching.passed():
            self._file.write(rows.tobytes())
            self._count += len(rows)
            of_all.add(rows)
            if of_all is not self.misses:
                self.misses.add(rows[(rows["flags"] & DATAGRAM) == 0])
        self._judgements = [Judgement(survey, ran, misses) for misses in (self.misses, of_all)]
        self.paths = self._paths(matching.ways)

    def passages(self) -> Iterator[Rows]:
        """The rows of `passages`, some at a time, with the times of the first point."""
        for _, found in self._told(Repeats()):
            yield found

    def _told(self, repeats: Repeats) -> Iterator[tuple[Rows, Rows]]:
        """What was matched (PASSED), and its rows of `passages`, some at a time; `repeats` is a new one."""
        for rows in self._passed():
            found = self._judgements[0].passages(rows, self.points)
            datagram = (rows["flags"] & DATAGRAM) != 0
            if datagram.any():
                found[datagram] = self._judgements[1].passages(rows[datagram], self.points)
            repeats.judge(rows, found)
            yield rows, found

    def nearer(self, flow: int, direction: int) -> int:
        """Which of the two points (0 or 1) the packets of this direction of a flow of the first point pass first; 0 where nobody knows."""
        for rows in self._passed():
            some = rows[(rows["side"] == 0) & (rows["flow"] == flow) & (rows["direction"] == direction)]
            if len(some):
                nearer = int(self.survey.near[2 * int(some["connection"][0]) + int(some["way"][0])])
                return nearer if nearer < 2 else 0
        return 0

    def close(self) -> None:
        """Give the room on disk back."""
        self._file.close()

    def _passed(self) -> Iterator[Rows]:
        for at in range(0, self._count, CHUNK):
            self._file.seek(at * PASSED.itemsize)
            number = min(CHUNK, self._count - at)
            yield np.frombuffer(self._file.read(number * PASSED.itemsize), PASSED)

    def _paths(self, ways: Rows) -> Rows:
        tallies = [PathTally(side) for side in (0, 1)]
        repeats, kept = Repeats(), [(np.zeros(0, PASSED), np.zeros(0, PASSAGES.dtype))]
        room = MOST_NOTABLE
        for rows, told in self._told(repeats):
            for tally in tallies:
                tally.add(rows, told)
            some = np.flatnonzero(_notable(rows, told))[:room]
            room -= len(some)
            if len(some):
                kept.append((taken(rows, some), taken(told, some)))
        some_rows, some_told = (joined(each) for each in zip(*kept, strict=True))
        self.notable = Notable(some_rows, some_told, repeats.damaged)
        clock = self.survey.clock
        first, second = self.points
        found = [
            tallies[0].row(self.survey, clock, ways, (first, second)),
            tallies[1].row(self.survey, clock.turned() if clock else None, ways, (second, first)),
        ]
        rows = np.zeros(2, PATHS.dtype)
        rows[0], rows[1] = found[0][0], found[1][0]
        return rows


def _notable(rows: Rows, told: Rows) -> npt.NDArray[np.bool_]:
    """Was it lost, changed or made, sent again, does it close a window or reset a connection?"""
    fate, reset = told["fate"], (rows["flags"] & (RST | DATAGRAM)) == RST
    found: npt.NDArray[np.bool_] = (fate != ARRIVED) & (fate != UNKNOWN)
    found |= (told["retransmission"] != 0) | (told["window"] != 0) | reset
    return found
