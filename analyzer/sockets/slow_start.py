"""Connections whose slow start was ended by HyStart, as lists of sockets show it: a threshold, and nothing lost before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.sockets.batch import Batch

MOST = 25_000  # connections that are remembered
HYBRID = (b"cubic", b"cdg")  # the congestion controls that have it
LEAST_WINDOW = 16  # below which it is not asked (hystart_low_window in net/ipv4/tcp_cubic.c)
_LOSSES = ("retrans_total", "retrans", "bytes_retrans", "lost", "delivered_ce", "dsack_dups")


class Ended(NamedTuple):
    """A slow start that was over when a list was made, and the congestion window at its end, in segments."""

    time_ns: int
    window: int


class SlowStarts:
    """Feed it batches in the order of their lists; `ended` has one of each connection.

    `ss -i` prints ssthresh once it is set. Without a loss, or a mark that asks for less, only HyStart sets it (hystart_update() in
    net/ipv4/tcp_cubic.c, tcp_cdg_hystart_update() in net/ipv4/tcp_cdg.c), to what the congestion window is then.
    """

    def __init__(self) -> None:
        self._ended: dict[tuple[str, int, str, int], Ended] = {}

    def add(self, batch: Batch) -> None:
        """Take the next rows."""
        threshold = batch.whole("ssthresh")
        which = (threshold >= LEAST_WINDOW) & ~batch.listening
        for name in _LOSSES:
            which &= batch.whole(name) <= 0
        for at in np.flatnonzero(which).tolist():
            start, end = batch.details.spans[at, :2].tolist()
            if bytes(batch.details.text[start:end]) not in HYBRID or len(self._ended) >= MOST:
                continue
            local, peer = batch.local.endpoints[at], batch.peer.endpoints[at]
            key = (
                local.printed or str(local.address),
                local.port or -1,
                peer.printed or str(peer.address),
                peer.port or -1,
            )
            self._ended.setdefault(key, Ended(int(batch.rows["time_ns"][at]), int(threshold[at])))

    @property
    def ended(self) -> list[Ended]:
        """In order of time."""
        return sorted(self._ended.values())
