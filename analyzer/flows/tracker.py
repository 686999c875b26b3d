"""Packet rows -> flows: room for them, and the `flows` table in the end."""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt

from analyzer.flows.state import ACKED, EMPTY, FIN, FLOW_STATE, RST, SYN, SYN_ACK, TCP
from analyzer.schema import Rows
from analyzer.tables import FLOW_STATES, FLOWS, PACKETS

MAX_FLOWS = 1_000_000
FIRST_CAPACITY = 1 << 12


class FlowTracker:
    """Follows every TCP and UDP conversation of a capture.

    Memory grows with the number of flows, up to `max_flows`; packets of flows beyond that are counted in
    `untracked_frames` and `untracked_bytes`, never dropped silently.
    """

    def __init__(self, max_flows: int = MAX_FLOWS) -> None:
        self.max_flows = max_flows
        self._states = np.zeros(min(FIRST_CAPACITY, max_flows), FLOW_STATE)
        self._count = 0
        # A secret seed: nobody can prepare a capture whose flows all fall into one place of the table.
        self._seed = np.uint64(secrets.randbits(64))
        self._table = self._new_table()
        self._untracked = np.zeros(2, np.int64)

    def __len__(self) -> int:
        return self._count

    @property
    def untracked_frames(self) -> int:
        """Frames of flows for which there was no room."""
        return int(self._untracked[0])

    @property
    def untracked_bytes(self) -> int:
        """Bytes of these frames."""
        return int(self._untracked[1])

    def add(self, rows: Rows) -> None:
        """Follow the packet rows of the next batch."""
        from analyzer.flows.flow_kernel import track

        at = 0
        while True:
            full = len(self._states) >= self.max_flows
            room = self._untracked if full else self._untracked[:0]
            at, self._count = track(rows, at, self._states, self._count, self._table, self._seed, room)
            if at == len(rows):
                return
            self._grow()

    def load(self) -> None:
        """Have the kernel loaded (or compiled) now that otherwise waits for the tracker to grow."""
        from analyzer.flows.flow_kernel import rehash

        rehash(self._states, 0, self._table, self._seed, np.zeros(1, PACKETS.dtype))

    @property
    def previous(self) -> npt.NDArray[np.int64]:
        """For each flow so far the one that used the same tuple before, or -1: a view, valid until the next `add`."""
        return self._states["previous"][: self._count]

    def rows(self, which: slice | npt.NDArray[np.intp] = slice(None)) -> Rows:
        """The `flows` rows, in order of first frames; `which` takes some of them."""
        numbers = np.arange(self._count)[which]
        states = self._states[: self._count][which]
        flows = np.zeros(len(states), FLOWS.dtype)
        flows["flow"] = numbers
        flows["protocol"] = np.where(states["protocol"] == TCP, 0, 1)
        client = states["client"].astype(np.intp)
        every = np.arange(len(states))
        for name, end in (("client", client), ("server", 1 - client)):
            flows[f"{name}_hi"] = states["address_hi"][every, end]
            flows[f"{name}_lo"] = states["address_lo"][every, end]
            flows[f"{name}_port"] = states["port"][every, end]
            for counted in ("packets", "bytes", "payload"):
                flows[f"{name}_{counted}"] = states[counted][every, end]
        for same in ("ip_version", "roles", "start_ns", "end_ns", "first_frame", "last_frame", "previous"):
            flows[same] = states[same]
        flows["handshake_rtt_ns"] = states["rtt_ns"]
        flows["state"] = _final_states(states, client)
        return flows

    def busiest(self, count: int) -> Rows:
        """The `flows` rows with most bytes, most first."""
        size = self._states["bytes"][: self._count].sum(axis=1)
        return self.rows(np.argsort(-size, kind="stable")[:count])

    def state_counts(self) -> dict[str, int]:
        """TCP connections per word of `flows.state`."""
        states = self._states[: self._count]
        numbers = _final_states(states, states["client"].astype(np.intp))[states["protocol"] == TCP]
        counts = np.bincount(numbers, minlength=len(FLOW_STATES))
        return {word: int(counts[i]) for i, word in enumerate(FLOW_STATES) if counts[i]}

    def _grow(self) -> None:
        from analyzer.flows.flow_kernel import rehash

        # In place: for large arrays the system moves pages instead of copying bytes, and there are never two of them.
        self._states.resize(min(2 * len(self._states), self.max_flows), refcheck=False)
        self._table = self._new_table()
        rehash(self._states, self._count, self._table, self._seed, np.zeros(1, PACKETS.dtype))

    def _new_table(self) -> np.ndarray:
        """At most half full, so that a search stays short."""
        return np.full(1 << (2 * len(self._states) - 1).bit_length(), EMPTY, np.int32)


def _final_states(states: Rows, client: np.ndarray) -> np.ndarray:
    """The word of `flows.state` for each flow, as its number."""
    seen = states["seen"].astype(np.int64)
    both_fins = FIN | FIN << 1
    reset = (seen & (RST | RST << 1)) != 0
    reset_by_client = (seen & (RST << client)) != 0
    handshake = seen & (SYN | SYN_ACK | ACKED)
    conditions = [
        (states["protocol"] != TCP, ""),
        (reset & (handshake == SYN) & ~reset_by_client, "refused"),
        (reset_by_client, "reset_by_client"),
        (reset, "reset_by_server"),
        ((seen & both_fins) == both_fins, "closed"),
        ((seen & both_fins) != 0, "half_closed"),
        (handshake == SYN, "unanswered"),
        ((handshake & (SYN_ACK | ACKED)) == SYN_ACK, "half_open"),
    ]
    numbers = [FLOWS.bit("state", word) for _, word in conditions]
    return np.select([condition for condition, _ in conditions], numbers, FLOWS.bit("state", "open"))
