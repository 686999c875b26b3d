"""Of each socket in a series of lists the rows worth keeping: the one in which most waited in its queue, and that of the last list."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.distinct import distinct
from analyzer.sockets.batch import Batch
from analyzer.sockets.endpoint import Endpoint
from analyzer.sockets.ports import PortsTaken
from analyzer.sockets.slow_start import SlowStarts
from analyzer.sockets.words import WHOLES
from analyzer.tables import NETIDS, SOCKET_STATES, TIMERS

CONNECTED = ("ESTAB", "CLOSE-WAIT", "FIN-WAIT-1", "FIN-WAIT-2")
MOST = 25_000  # of each sort
_ODD = [
    SOCKET_STATES.index(state) for state in ("SYN-SENT", "SYN-RECV", "CLOSE-WAIT", "LAST-ACK", "FIN-WAIT-1", "CLOSING")
]
_FIN_CAME = [SOCKET_STATES.index(state) for state in ("CLOSE-WAIT", "LAST-ACK", "CLOSING", "TIME-WAIT")]
_SENT = [SOCKET_STATES.index(state) for state in ("SYN-SENT", "FIN-WAIT-1", "LAST-ACK", "CLOSING")]
_DETAILS = ("backoff", "rwnd_limited_ms", "sndbuf_limited_ms", "timer_expires_ms", "timer_retransmissions")
Row = dict[str, Any]


class SocketsSeen:
    """Feed it batches. `states` are those of any list, with `accept_queue`, `unread`, `unacknowledged` where a queue held something; `taken` local ports, `slow_starts` those that HyStart ended."""

    def __init__(self) -> None:
        self.states: set[str] = set()
        self.taken = PortsTaken()
        self.slow_starts = SlowStarts()
        self._longest: dict[tuple[Any, ...], Row] = {}
        self._last: list[tuple[Batch, list[int]]] = []
        self._snapshot = -1

    def add(self, batch: Batch) -> None:
        """Take the next rows, in the order of the lists."""
        if not len(batch):
            return
        self.taken.add(batch)
        self.slow_starts.add(batch)
        states = batch.rows["state"]
        self.states.update(SOCKET_STATES[state] for state in distinct(states).tolist() if state)
        queue = np.maximum(batch.recv_q, np.where(batch.listening, -1, batch.send_q))
        # A SYN or FIN counts as one byte, and is none that anybody wrote.
        unread = ~batch.listening & (batch.recv_q > np.isin(states, _FIN_CAME))
        unacknowledged = ~batch.listening & (batch.send_q > np.isin(states, _SENT))
        for name, which in (
            ("accept_queue", batch.listening & (batch.recv_q > 0)),
            ("unread", unread),
            ("unacknowledged", unacknowledged),
        ):
            if which.any():
                self.states.add(name)
        waiting = (batch.listening & (batch.recv_q > 0)) | unread | unacknowledged | np.isin(states, _ODD)
        for at in np.flatnonzero(waiting).tolist():
            self._keep(batch, at, int(queue[at]))
        snapshots = batch.rows["snapshot"]
        if int(snapshots.max()) > self._snapshot:
            self._snapshot = int(snapshots.max())
            self._last = []
        room = MOST - sum(len(rows) for _, rows in self._last)
        newest = np.flatnonzero(snapshots == self._snapshot)[: max(room, 0)].tolist()
        if newest:
            self._last.append((batch, newest))

    def _keep(self, batch: Batch, at: int, queue: int) -> None:
        key = (*_end(batch.listed[at].local), *_end(batch.listed[at].peer), int(batch.rows["state"][at]))
        before = self._longest.get(key)
        if before is None and len(self._longest) >= MOST:
            return
        if before is None or queue > max(before["recv_q"], before["send_q"]):
            self._longest[key] = _row(batch, at)

    @property
    def foreign(self) -> bool:
        """Does the last list have three connections or more, and the capture none of them?"""
        connected = joined = 0
        for batch, rows in self._last:
            for at in rows:
                if SOCKET_STATES[int(batch.rows["state"][at])] in CONNECTED:
                    connected += 1
                    joined += int(batch.rows["flow"][at]) >= 0
        return connected >= 3 and not joined

    def rows(self) -> list[Row]:
        """The rows that were kept, those of the last list marked."""
        last = [_row(batch, at) | {"last": 1} for batch, rows in self._last for at in rows]
        there = {(row["snapshot"], row["local"], row["local_port"], row["peer"], row["peer_port"]) for row in last}
        earlier = [
            row
            for row in self._longest.values()
            if (row["snapshot"], row["local"], row["local_port"], row["peer"], row["peer_port"]) not in there
        ]
        return [*earlier, *last]


def _end(end: Endpoint) -> tuple[str, int]:
    return end.address or end.printed or "", -1 if end.port is None else end.port


def _row(batch: Batch, at: int) -> Row:
    listed, rows = batch.listed[at], batch.rows
    details, known = batch.details.wholes[at], batch.details.known[at]
    (local, local_port), (peer, peer_port) = _end(listed.local), _end(listed.peer)
    numbers = {name: int(details[number]) if known[number] else -1 for name, number in _NUMBERS.items()}
    return {
        "time_ns": int(rows["time_ns"][at]),
        "snapshot": int(rows["snapshot"][at]),
        "netid": NETIDS[int(rows["netid"][at])],
        "state": SOCKET_STATES[int(rows["state"][at])],
        "recv_q": int(batch.recv_q[at]),
        "send_q": int(batch.send_q[at]),
        "accept_queue": int(batch.recv_q[at]) if batch.listening[at] else -1,
        "accept_limit": int(batch.limit[at]),
        "local": local,
        "local_port": local_port,
        "peer": peer,
        "peer_port": peer_port,
        "flow": int(rows["flow"][at]),
        "process": listed.processes[0].name if listed.processes else "",
        "timer": TIMERS[int(rows["timer"][at])],
        "last": 0,
        **numbers,
    }


_NUMBERS = {name: WHOLES.index(name) for name in _DETAILS}
