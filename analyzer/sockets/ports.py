"""How many local ports the sockets of a list take, for each peer and port."""

from __future__ import annotations

import numpy as np

from analyzer.distinct import grouped
from analyzer.flows.ports import IN_USE, MOST
from analyzer.schema import Rows
from analyzer.sockets.batch import Batch
from analyzer.tables import NETIDS, SOCKET_STATES

MOST_ROWS = 200_000
_TCP = NETIDS.index("tcp")
_NOT = [SOCKET_STATES.index(state) for state in ("LISTEN", "UNCONN")]
_STATES = {"time_wait": SOCKET_STATES.index("TIME-WAIT"), "close_wait": SOCKET_STATES.index("CLOSE-WAIT")}


class PortsTaken:
    """Feed it batches; it knows the last list, of 200,000 sockets at most."""

    def __init__(self) -> None:
        self._snapshot = -1
        self._rows: list[Rows] = []
        self._states: list[Rows] = []

    def add(self, batch: Batch) -> None:
        """Take the next rows, in the order of the lists."""
        rows = batch.rows
        newest = int(rows["snapshot"].max())
        if newest > self._snapshot:
            self._snapshot, self._rows, self._states = newest, [], []
        room = MOST_ROWS - self.rows
        wanted = (rows["snapshot"] == self._snapshot) & (rows["netid"] == _TCP) & ~np.isin(rows["state"], _NOT)
        at = np.flatnonzero(wanted & (batch.peer.port >= 0) & (batch.peer.version > 0))[: max(room, 0)]
        kept = np.zeros(len(at), IN_USE)
        for name, ends in (("address", batch.local), ("peer", batch.peer)):
            kept[f"{name}_hi"], kept[f"{name}_lo"] = ends.high[at], ends.low[at]
        kept["peer_port"], kept["version"] = batch.peer.port[at], batch.peer.version[at]
        kept["time_ns"] = rows["time_ns"][at]
        kept["lowest"] = kept["highest"] = batch.local.port[at]
        self._rows.append(kept)
        self._states.append(rows["state"][at])

    @property
    def rows(self) -> int:
        """How many sockets of the last list it knows."""
        return sum(map(len, self._rows))

    def ports(self) -> Rows:
        """Of each address and peer's port (IN_USE), those with most ports first, MOST at most."""
        if not self._rows:
            return np.zeros(0, IN_USE)
        rows, states = np.concatenate(self._rows), np.concatenate(self._states)
        names = ("address_hi", "address_lo", "peer_hi", "peer_lo", "peer_port", "version")
        keys = rows[list(names)]
        _, first, group, count = grouped(keys)
        found = rows[first]
        found["ports"] = count
        np.minimum.at(found["lowest"], group, rows["lowest"])
        np.maximum.at(found["highest"], group, rows["highest"])
        for name, state in _STATES.items():
            found[name] = np.bincount(group, states == state, len(first))
        return found[np.argsort(-count, kind="stable")[:MOST]]
