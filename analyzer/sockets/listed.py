"""The lists of sockets of one capture: joined to its flows, and read when somebody asks for what they show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from analyzer.flows import FlowTracker
from analyzer.sockets.batch import Batch
from analyzer.sockets.joined import FlowIndex
from analyzer.sockets.lists import SocketLists
from analyzer.sockets.seen import SocketsSeen


class Listed:
    """`local` gives the addresses of the host that took the capture. It knows nothing of who asks, and so goes with the last of them."""

    def __init__(self, lists: SocketLists, flows: FlowTracker, local: Callable[[], Sequence[str]]) -> None:
        self.lists, self._flows, self._local = lists, flows, local

    def batches(self) -> Iterator[tuple[str, Batch]]:
        """All sockets, in the order of the lists, each batch with the name of its host. Reads the lists."""
        return self.lists.read(self._index)

    @cached_property
    def seen(self) -> SocketsSeen:
        """Of each socket the rows worth keeping."""
        seen = SocketsSeen()
        for _, batch in self.batches():
            seen.add(batch)
        return seen

    @cached_property
    def _index(self) -> FlowIndex:
        return FlowIndex(self._flows.row_parts(), self._local())
