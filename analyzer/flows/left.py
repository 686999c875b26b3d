"""Flows that leave for want of room: which they are, and what is still known of them when their places are others'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from analyzer.flows.coverage import Coverage
from analyzer.flows.state import ACKED, FIN, RST, SUCCEEDED, SYN, SYN_ACK
from analyzer.schema import Rows
from analyzer.tables import FLOW_STATES, FLOWS, TIME_CAUSES
from analyzer.together import joined, taken

LEAVING = 4  # every fourth flow leaves when there is no room: so that making room is rare
WORST = 100

Places = npt.NDArray[np.intp]


class Left:
    """What is known of flows that left: `states` and `legs` (other sides of a NAT) by the word of `flows.state`, `coverage`, how many were
    `troubled`, their time by cause (`spent`, ns), and `rows` of `flows` that wait to be taken, where they are kept."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.legs: Counter[str] = Counter()
        self.coverage = Coverage()
        self.troubled = 0
        self.spent = np.zeros(len(TIME_CAUSES), np.int64)
        self.rows: list[Rows] = []
        self._worst = np.zeros(0, FLOWS.dtype)  # and how bad they were
        self._trouble = np.zeros(0)

    def count(self, final: npt.NDArray[np.int64], are_legs: npt.NDArray[np.bool_]) -> None:
        """Some more, that ended in these states (as numbers)."""
        numbers = np.bincount(final, minlength=len(FLOW_STATES))
        self.states.update({word: int(count) for word, count in zip(FLOW_STATES, numbers, strict=True) if count})
        self.legs.update(FLOW_STATES[word] for word in final[are_legs])

    def remember_worst(
        self, flows: npt.NDArray[np.int64], trouble: npt.NDArray[np.float64], rows_of: Callable[[Places], Rows]
    ) -> None:
        """Of some more, with their numbers and their trouble, those that the ranking will need; `rows_of` makes the rows of those of them."""
        self.troubled += int(np.count_nonzero(trouble))
        order = np.lexsort((flows, -trouble))[:WORST]
        least = self._trouble[-1] if len(self._trouble) == WORST else 0.0
        order = order[trouble[order] > least]
        if len(order):
            self._worst, self._trouble = self._ranked(rows_of(order), trouble[order], WORST)

    def worst_with(self, rows: Rows, trouble: npt.NDArray[np.float64], count: int) -> Rows:
        """So many rows with most trouble, most first: of those that left (the WORST are known) and of these."""
        return self._ranked(rows, trouble, count)[0]

    def _ranked(self, rows: Rows, trouble: npt.NDArray[np.float64], count: int) -> tuple[Rows, npt.NDArray[np.float64]]:
        both = np.concatenate([self._trouble, trouble])
        order = np.argsort(-both, kind="stable")[:count]
        return taken(joined([self._worst, rows]), order), both[order]


def leaving(states: Rows) -> Places:
    """Where those are that matter least: closed ones first, then handshakes that never completed, then the others, of each the longest idle."""
    seen = states["seen"].astype(np.int64)
    both = FIN | FIN << 1
    over = (seen & both == both) | (seen & (RST | RST << 1 | SUCCEEDED) != 0)
    opening = (seen & (SYN | SYN_ACK) != 0) & (seen & ACKED == 0)
    classes = [over, opening & ~over, ~over & ~opening]
    return np.concatenate([np.zeros(0, np.intp), *_longest_idle(states, classes, max(1, len(states) // LEAVING))])


def _longest_idle(states: Rows, classes: list[npt.NDArray[np.bool_]], count: int) -> Iterator[Places]:
    """`count` places, of the classes in their order, and of a class those whose last frame is the oldest."""
    for members in classes:
        places = np.flatnonzero(members)
        if len(places) > count:
            # Not a sort of all: only those as old as the youngest that leaves need to be told apart.
            idle = states["end_ns"][places]
            limit = np.partition(idle, count - 1)[count - 1] if count else 0
            older, equal = places[idle < limit], places[idle == limit] if count else places[:0]
            equal = equal[np.argsort(states["flow"][equal], kind="stable")]
            places = np.concatenate([older, equal])[:count]
        count -= len(places)
        yield places
