"""Sockets and the conversations of a capture, brought together by their addresses and ports."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.distinct import grouped
from analyzer.flows.addresses import among
from analyzer.schema import Rows
from analyzer.sockets.batch import Batch, Ends
from analyzer.tables import FLOWS, NETIDS

TCP, UDP = NETIDS.index("tcp"), NETIDS.index("udp")
_FLOW_PROTOCOLS = {NETIDS.index(name): FLOWS["protocol"].words.index(name) for name in ("tcp", "udp")}
_MIXED = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
_SEED = np.uint64(secrets.randbits(64))  # nobody can prepare connections that hide each other
_FIELDS = (
    "flow", "protocol", "ip_version", "start_ns", "client_hi", "client_lo", "client_port", "server_hi", "server_lo", "server_port",
)  # fmt: skip
_KEPT = np.dtype([(name, FLOWS.dtype[name]) for name in _FIELDS])
Hashes = npt.NDArray[np.uint64]


class FlowIndex:
    """The conversations of a capture by both ends.

    Parameters
    ----------
    flows : rows of FLOWS, in the order of their numbers, piece by piece
    local : addresses of the host whose sockets they are, where they are known: an address of any stands for these
    """

    def __init__(self, flows: Iterable[Rows], local: Sequence[str] = ()) -> None:
        flows = np.concatenate([np.zeros(0, _KEPT), *map(_kept, flows)])
        protocol, version = flows["protocol"].astype(np.uint64), flows["ip_version"].astype(np.int64)
        client = _end_hash(flows["client_hi"], flows["client_lo"], flows["client_port"])
        server = _end_hash(flows["server_hi"], flows["server_lo"], flows["server_port"])
        hashes = _pair_hash(client, server, protocol)
        order = np.lexsort((flows["start_ns"], hashes))
        self._hashes, self._flows = hashes[order], flows[order]
        self._starts = self._flows["start_ns"]
        tcp = flows["protocol"] == _FLOW_PROTOCOLS[TCP]
        self._servers, _, _, self._to_server = grouped(server[tcp])
        ours = tcp & among(flows["server_hi"], flows["server_lo"], local)
        self._to_port = {
            family: np.bincount(flows["server_port"][ours & (version == family)], minlength=1 << 16)
            for family in (4, 6)
        }

    def join(self, batch: Batch) -> None:
        """Fill `flow` and the flows of listeners in."""
        rows = batch.rows
        rows["flow"] = self._flow_of(batch)
        batch.listener_flows[:] = self._accepted(batch)

    def _flow_of(self, batch: Batch) -> npt.NDArray[np.int64]:
        local, peer, rows = batch.local, batch.peer, batch.rows
        found = np.full(len(rows), -1, np.int64)
        connected = (local.version != 0) & (peer.version == local.version) & (local.port >= 0) & (peer.port >= 0)
        connected &= np.isin(rows["netid"], list(_FLOW_PROTOCOLS)) & ~batch.listening
        which = np.flatnonzero(connected)
        if not len(which) or not len(self._hashes):
            return found
        protocols = np.zeros(len(NETIDS), np.uint64)
        protocols[list(_FLOW_PROTOCOLS)] = list(_FLOW_PROTOCOLS.values())
        hashes = _pair_hash(
            _end_hash(local.high[which], local.low[which], local.port[which]),
            _end_hash(peer.high[which], peer.low[which], peer.port[which]),
            protocols[rows["netid"][which]],
        )
        first = np.searchsorted(self._hashes, hashes, "left")
        last = np.searchsorted(self._hashes, hashes, "right") - 1
        there = last >= first
        which, at = which[there], self._begun_by(first[there], last[there], rows["time_ns"][which[there]])
        candidates = self._flows[at]
        same = _same(candidates, "client", local, which) & _same(candidates, "server", peer, which)
        same |= _same(candidates, "server", local, which) & _same(candidates, "client", peer, which)
        found[which[same]] = candidates["flow"][same]
        return found

    def _begun_by(
        self, first: npt.NDArray[np.intp], last: npt.NDArray[np.intp], times: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.intp]:
        """A 4-tuple that is used again is several flows: of those from `first` to `last` the latest that had begun by its time, else the first."""
        while (open_ := first < last).any():
            middle = first + (last - first + 1) // 2
            had = self._starts[middle] <= times
            first, last = np.where(open_ & had, middle, first), np.where(open_ & ~had, middle - 1, last)
        return first

    def _accepted(self, batch: Batch) -> npt.NDArray[np.int64]:
        """How many connections were opened to each listener, -1 for what is none."""
        local = batch.local
        counts = np.full(len(batch), -1, np.int64)
        which = np.flatnonzero(batch.listening & (batch.rows["netid"] == TCP) & (local.port >= 0))
        v6only = batch.whole("v6only")
        for row in which.tolist():
            end, port = local.endpoints[row], int(local.port[row])
            if end.address is None:
                continue
            if end.address in ("*", "::", "0.0.0.0"):
                families = {"*": (4, 6), "0.0.0.0": (4,), "::": (6,) if v6only[row] == 1 else (4, 6)}[end.address]
                counts[row] = sum(int(self._to_port[family][port]) for family in families)
            else:
                (own,) = _end_hash(local.high[row : row + 1], local.low[row : row + 1], local.port[row : row + 1])
                at = int(np.searchsorted(self._servers, own))
                known = at < len(self._servers) and self._servers[at] == own
                counts[row] = int(self._to_server[at]) if known else 0
        return counts


def _kept(flows: Rows) -> Rows:
    """Of each flow what is needed to find it: a tenth of its row."""
    rows = np.zeros(len(flows), _KEPT)
    for name in _FIELDS:
        rows[name] = flows[name]
    return rows


def _end_hash(high: Hashes, low: Hashes, port: npt.NDArray[np.integer]) -> Hashes:
    return _mixed(_mixed(_mixed(low.astype(np.uint64) ^ _SEED) ^ high.astype(np.uint64)) ^ port.astype(np.uint64))


def _mixed(values: Hashes) -> Hashes:
    values = (values ^ values >> _SHIFT) * _MIXED
    values = (values ^ values >> _SHIFT) * _MIXED
    return values ^ values >> _SHIFT


def _pair_hash(one: Hashes, other: Hashes, protocol: Hashes) -> Hashes:
    """The same whichever end is which."""
    return _mixed(one + other + protocol)


def _same(flows: Rows, side: str, ends: Ends, which: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    equal: npt.NDArray[np.bool_] = (
        (flows[f"{side}_hi"] == ends.high[which])
        & (flows[f"{side}_lo"] == ends.low[which])
        & (flows[f"{side}_port"] == ends.port[which])
    )
    return equal
