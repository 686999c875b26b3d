"""What the sockets show, in a few facts: how many, whose accept queue is full, where most data waits."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.fields import of_fields
from analyzer.sockets.batch import Batch
from analyzer.sockets.endpoint import Endpoint
from analyzer.tables import NETIDS, SOCKET_STATES

TOP = 5
MOST_LISTENERS = 1_000
_STATE = SOCKET_STATES.index
_FIN_CAME = tuple(map(_STATE, ("CLOSE-WAIT", "LAST-ACK", "CLOSING", "TIME-WAIT")))
_SYN_OR_FIN_SENT = tuple(map(_STATE, ("SYN-SENT", "FIN-WAIT-1", "LAST-ACK", "CLOSING")))
"""States in which one of the bytes in a queue may be a FIN or SYN: they count as one."""


@of_fields(frozen=True, slots=True)
class Queue:
    """A queue of a socket at its longest: of bytes, or of connections that wait to be accepted. `limit` is -1 where it is not known."""

    length: int
    limit: int
    local: str
    peer: str
    process: str
    flow: int
    time_ns: int


class Tally:
    """Feed it batches.

    `sockets` rows, `snapshots` lists, from `start_ns` to `end_ns`; `states` of the last list (by protocol and state);
    `unread` and `unacknowledged`: the longest queues of bytes, one for each connection; `accept`: the longest accept
    queue of each listener that ever had one, `full` those in which more waited than may.
    """

    def __init__(self) -> None:
        self.sockets = 0
        self.snapshots = 0
        self.start_ns = self.end_ns = 0
        self.tcp = self.in_capture = 0
        self._last = -1
        self._states = np.zeros((len(NETIDS), len(SOCKET_STATES)), np.int64)
        self._unread: dict[tuple[str, str], Queue] = {}
        self._unacknowledged: dict[tuple[str, str], Queue] = {}
        self._accept: dict[str, Queue] = {}

    def add(self, batch: Batch) -> None:
        """Take the next rows."""
        if not len(batch):
            return
        rows = batch.rows
        times = rows["time_ns"]
        first, last = int(times.min()), int(times.max())
        self.start_ns = min(self.start_ns, first) if self.sockets else first
        self.end_ns = max(self.end_ns, last)
        self.sockets += len(batch)
        self._count_states(batch)
        connections = ~batch.listening & (batch.peer.port >= 0)
        unread = connections & (batch.recv_q > np.isin(rows["state"], _FIN_CAME))
        unacknowledged = connections & (batch.send_q > np.isin(rows["state"], _SYN_OR_FIN_SENT))
        _merge(self._unread, _longest(batch, batch.recv_q, unread))
        _merge(self._unacknowledged, _longest(batch, batch.send_q, unacknowledged))
        for row in np.flatnonzero(batch.listening & (batch.recv_q > 0)).tolist():
            queue = _queue(batch, row, batch.recv_q)
            before = self._accept.get(queue.local)
            if before is None and len(self._accept) >= MOST_LISTENERS:
                continue
            if before is None or queue.length > before.length:
                self._accept[queue.local] = queue

    def _count_states(self, batch: Batch) -> None:
        rows = batch.rows
        last = int(rows["snapshot"].max())
        if last != self._last:
            self._last = last
            self._states[:] = 0
            self.tcp = self.in_capture = 0
        newest = rows["snapshot"] == last
        np.add.at(self._states, (rows["netid"][newest], rows["state"][newest]), 1)
        connected = newest & (rows["netid"] == NETIDS.index("tcp")) & ~batch.listening
        self.tcp += int(connected.sum())
        self.in_capture += int((connected & (rows["flow"] >= 0)).sum())

    @property
    def states(self) -> dict[str, dict[str, int]]:
        """Of the last list: protocol, state, and how many."""
        return {
            netid: {state or "unknown": int(count) for state, count in zip(SOCKET_STATES, counts, strict=True) if count}
            for netid, counts in zip(NETIDS, self._states, strict=True)
            if counts.any()
        }

    @property
    def unread(self) -> list[Queue]:
        """Bytes that applications had not read, most first."""
        return _top(self._unread)

    @property
    def unacknowledged(self) -> list[Queue]:
        """Bytes written that were not acknowledged, most first."""
        return _top(self._unacknowledged)

    @property
    def accept(self) -> list[Queue]:
        """Accept queues that were not empty, longest first."""
        return sorted(self._accept.values(), key=lambda each: -each.length)

    @property
    def full(self) -> list[Queue]:
        """Those of them in which more waited than may."""
        return [each for each in self.accept if 0 <= each.limit < each.length]

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return {
            "sockets": self.sockets,
            "snapshots": self.snapshots,
            "start_ns": self.start_ns,
            "end_ns": self.end_ns,
            "states": self.states,
            "tcp_connections": self.tcp,
            "tcp_connections_captured": self.in_capture,
            "full_accept_queues": [_as_dict(each) for each in self.full],
            "accept_queues": [_as_dict(each) for each in self.accept[:TOP]],
            "unread": [_as_dict(each) for each in self.unread],
            "unacknowledged": [_as_dict(each) for each in self.unacknowledged],
        }


def _longest(batch: Batch, lengths: Any, among: Any) -> list[Queue]:
    """The rows with most, enough of them for TOP connections in all."""
    which = np.flatnonzero(among)
    # Of equal ones the first, whatever the batches are.
    order = which[np.lexsort((which, -lengths[which]))]
    found: dict[tuple[str, str], Queue] = {}
    for row in order.tolist():
        queue = _queue(batch, row, lengths)
        found.setdefault((queue.local, queue.peer), queue)
        if len(found) == TOP:
            break
    return list(found.values())


def _merge(kept: dict[tuple[str, str], Queue], found: list[Queue]) -> None:
    for queue in found:
        key = (queue.local, queue.peer)
        if key not in kept or queue.length > kept[key].length:
            kept[key] = queue
    for queue in sorted(kept.values(), key=lambda each: -each.length)[TOP:]:
        del kept[queue.local, queue.peer]


def _top(kept: dict[tuple[str, str], Queue]) -> list[Queue]:
    return sorted(kept.values(), key=lambda each: (-each.length, each.time_ns))


def _queue(batch: Batch, row: int, lengths: Any) -> Queue:
    listed = batch.listed[row]
    return Queue(
        int(lengths[row]),
        int(batch.limit[row]),
        _end_text(listed.local),
        _end_text(listed.peer),
        listed.processes[0].name if listed.processes else "",
        int(batch.rows["flow"][row]),
        int(batch.rows["time_ns"][row]),
    )


def _end_text(end: Endpoint) -> str:
    host = end.address or end.printed or "?"
    port = "*" if end.port is None else str(end.port)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _as_dict(queue: Queue) -> dict[str, Any]:
    found = {name: getattr(queue, name) for name in Queue.__slots__}
    return {**found, "limit": None if queue.limit < 0 else queue.limit, "flow": None if queue.flow < 0 else queue.flow}
