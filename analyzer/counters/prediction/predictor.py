"""Packet rows and events -> increments: what each frame must add to the counters of the host that took the capture."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.counters.prediction.names import ICMP_TYPES, ICMPV6_TYPES, NUMBER
from analyzer.counters.prediction.state import INCREMENT, OUT_CAPACITY, POOLS, STATES, States
from analyzer.schema import Rows
from analyzer.tables import PACKETS

FIRST_CAPACITY = 1 << 12
NO_FLOW = -1
DEFAULT_MTU = 1500


class Predictor:
    """Predicts the counters of one host, part by part, after the Judge has said the events of the rows.

    Parameters
    ----------
    addresses : of the host's interfaces, as text
    mtu : the largest IP packet that these carry; a larger one was captured merged, or before it was segmented
    """

    def __init__(self, addresses: Sequence[str], mtu: int = DEFAULT_MTU) -> None:
        self._mtu = mtu
        self._hosts = np.array([_halves(text) for text in addresses], np.uint64).reshape(-1, 2)
        self._types4 = _types("Icmp", ICMP_TYPES)
        self._types6 = _types("Icmp6", ICMPV6_TYPES)
        self._states, self._blanks = _places(FIRST_CAPACITY), _places(1)
        self._out = np.zeros(OUT_CAPACITY, INCREMENT)
        self._end_ns = 0

    def add(self, rows: Rows, events: Rows) -> Iterator[Rows]:
        """The increments (INCREMENT) of a part; what is yielded is overwritten by the next."""
        from analyzer.counters.prediction.walk_kernel import predict

        self._grow(int(rows["place"].max(initial=-1)) + 1)
        self._end_ns = max(self._end_ns, int(rows["time_ns"].max(initial=0)))
        at = event_at = 0
        used = np.zeros(1, np.int64)
        while True:
            used[0] = 0
            at, event_at = predict(
                rows,
                at,
                events,
                event_at,
                self._hosts,
                self._mtu,
                self._types4,
                self._types6,
                self._states,
                self._blanks,
                self._out,
                used,
            )
            yield self._out[: used[0]]
            if at == len(rows):
                return

    def settle(self) -> Iterator[Rows]:
        """The increments of frames whose answer, or the lack of it, only the end of the capture makes certain.

        They are made once, after all rows, and overwritten as those of add().
        """
        from analyzer.counters.prediction.walk_kernel import settle

        blank_rows, used, at = np.zeros(1, PACKETS.dtype), np.zeros(1, np.int64), 0
        while at < 2 * len(self._states.talks):
            used[0] = 0
            at = settle(self._states, at, self._end_ns, blank_rows, self._out, used)
            yield self._out[: used[0]]

    def finish(self) -> Rows:
        """What may have happened after a frame without leaving one: a connection whose timer ran out last may have been given up.

        tcp_write_timeout() sends nothing then, but counts the timeout and the end of the connection.
        """
        waiting = [
            (talk, side)
            for talk in self._states.talks[self._states.talks["flow"] >= 0]
            for side in (0, 1)
            if talk["timeout_frame"][side]
        ]
        found = np.zeros(2 * len(waiting), INCREMENT)
        for at, (talk, side) in enumerate(waiting):
            for row, name in zip(found[2 * at : 2 * at + 2], ("TcpExtTCPTimeouts", "TcpEstabResets"), strict=True):
                row["time_ns"], row["frame"] = talk["timeout_ns"][side], talk["timeout_frame"][side]
                row["flow"], row["counter"], row["most"] = talk["flow"], NUMBER[name], 1
        return found

    def _grow(self, places: int) -> None:
        size = len(self._states.talks)
        while size < places:
            size *= 2
        if size > len(self._states.talks):
            more = _places(size - len(self._states.talks))
            grown = {
                name: np.concatenate([getattr(self._states, name), getattr(more, name)])
                for name in States._fields
                if name not in POOLS
            }
            self._states = self._states._replace(**grown)


def _places(count: int) -> States:
    """The states of that many places, without flows."""
    found = States(*(np.zeros(POOLS.get(name, count), dtype) for name, dtype in STATES._asdict().items()))
    found.talks["flow"] = NO_FLOW
    return found


def _halves(text: str) -> tuple[int, int]:
    """An address as the tables store it."""
    address = ipaddress.ip_address(text)
    value = int(address) if address.version == 6 else 0xFFFF << 32 | int(address)
    return value >> 64, value & (1 << 64) - 1


def _types(group: str, names: dict[int, str]) -> npt.NDArray[np.int32]:
    """The counter of each ICMP type, received and sent; -1 without one."""
    found = np.full((2, 256), -1, np.int32)
    for number, name in names.items():
        found[0, number], found[1, number] = NUMBER[f"{group}In{name}"], NUMBER[f"{group}Out{name}"]
    return found
