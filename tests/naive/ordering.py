"""Order of time as one would do it by hand: a heap of frames in which each waits until nothing can come before it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

SECOND = 10**9
BLOCK = 32_768

Frame = tuple[int, int, int]  # its number, its time in ns, its interface


def in_order(frames: Iterable[Frame], several: bool) -> list[int]:
    """The numbers of the frames in order. `several`: more than one interface is described before the first frame."""
    given: list[int] = []
    heap: list[tuple[int, int, int]] = []
    highest: dict[int, int] = {}  # time of each interface
    latest: int | None = None
    ends = [None, None]  # `latest` at the end of the last block, and of the one before
    for count, (number, time_ns, interface) in enumerate(frames):
        key = highest[interface] = max(time_ns, highest.get(interface, time_ns))
        if count % BLOCK == 0:
            ends = [latest, ends[0]]
        if not several and len(highest) > 1:  # what is there has gone out: it was the only interface
            several, ends = True, [latest, latest]
        before, latest = latest, key if latest is None else max(latest, key)
        floor = latest - SECOND if several else latest
        if ends[1] is not None:
            floor = max(floor, ends[1])
        if before is not None and key < before and key < floor:
            key = before  # too late: it stays where it is
        heapq.heappush(heap, (key, count, number))
        while heap and heap[0][0] <= floor:
            given.append(heapq.heappop(heap)[2])
    return given + [number for _, _, number in sorted(heap)]
