"""Packet rows and events -> increments: what each frame must add to the counters of the host that took the capture."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.prediction.names import ICMP_TYPES, ICMPV6_TYPES, NUMBER
from analyzer.prediction.state import INCREMENT, OUT_CAPACITY, STATES, States
from analyzer.prediction.world import world_of
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
    sysctls : its settings below /proc/sys, such as `net.ipv4.ip_forward`, as far as they are known
    """

    def __init__(
        self, addresses: Sequence[str], mtu: int = DEFAULT_MTU, sysctls: Mapping[str, str] | None = None
    ) -> None:
        self._mtu = mtu
        self._hosts = np.array([_halves(text) for text in addresses], np.uint64).reshape(-1, 2)
        self._types4 = _types("Icmp", ICMP_TYPES)
        self._types6 = _types("Icmp6", ICMPV6_TYPES)
        self._states, self._blanks = _places(FIRST_CAPACITY), _places(1)
        self._world = world_of(sysctls or {})
        self._out = np.zeros(OUT_CAPACITY, INCREMENT)
        self._end_ns = 0

    def add(self, rows: Rows, events: Rows) -> Iterator[Rows]:
        """The increments (INCREMENT) of a part; what is yielded is overwritten by the next."""
        from analyzer.prediction.walk_kernel import predict

        events = events[events["late"] == 0]  # what was said of earlier frames is no news of these
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
                self._world,
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
        from analyzer.prediction.segment_kernel import settle

        blank_rows, used, at = np.zeros(1, PACKETS.dtype), np.zeros(1, np.int64), 0
        while at < 2 * len(self._states.talks):
            used[0] = 0
            at = settle(self._states, self._world, at, self._end_ns, blank_rows, self._out, used)
            yield self._out[: used[0]]

    def finish(self) -> Rows:
        """What may have happened after a frame without leaving one: each row says that its counter moved at most so much more."""
        return np.concatenate([self._given_up(), self._orphans(), self._incomplete()])

    def _given_up(self) -> Rows:
        """A connection whose timer ran out last may have been given up.

        tcp_write_timeout() sends nothing then, but counts the timeout and the end of the connection.
        """
        talks = self._states.talks
        waiting = (talks["timeout_frame"] != 0) & (talks["gone"] == 0) & (talks["flow"] >= 0)[:, None]
        return _late(
            (talks["timeout_ns"][at, side], talks["timeout_frame"][at, side], talks["flow"][at], name)
            for at, side in zip(*np.nonzero(waiting), strict=True)
            for name in (
                "TcpExtTCPTimeouts",
                "TcpExtTCPAbortOnTimeout",
                "TcpEstabResets" if talks["established"][at, side] else "TcpAttemptFails",
            )
        )

    def _orphans(self) -> Rows:
        """A connection in FIN_WAIT_2 is a timewait socket already if its application has closed it: tcp_time_wait()."""
        closings = self._states.closings
        waiting = (closings["acked_frame"] > 0) & (closings["counted"] == 0) & (closings["reset"] == 0)
        waiting &= closings["first"] != 0
        places, sides = np.nonzero(waiting & (self._states.talks["flow"] >= 0)[:, None])
        return _late(
            (
                closings["acked_ns"][at, side],
                closings["acked_frame"][at, side],
                self._states.talks["flow"][at],
                "TcpExtTW",
            )
            for at, side in zip(places, sides, strict=True)
        )

    def _incomplete(self) -> Rows:
        """Fragments that still waited for the rest: ip_expire()."""
        return _late(
            (entry["until_ns"], entry["frame"], NO_FLOW, f"{'Ip6' if entry['six'] else 'Ip'}{name}")
            for entry in self._world.fragments[self._world.fragments["until_ns"] != 0]
            for name in ("ReasmFails", "ReasmTimeout")
        )

    def _grow(self, places: int) -> None:
        size = len(self._states.talks)
        while size < places:
            size *= 2
        if size > len(self._states.talks):
            more = _places(size - len(self._states.talks))
            self._states = States(*map(np.concatenate, zip(self._states, more, strict=True)))


def _late(found: Iterable[tuple[int, int, int, str]]) -> Rows:
    """Rows of what may have come on top, of (time, frame, flow, counter)."""
    rows = [(time_ns, frame, flow, NUMBER[name], 0, 0, 1) for time_ns, frame, flow, name in found]
    return np.array(rows, INCREMENT)


def _places(count: int) -> States:
    """The states of that many places, without flows."""
    found = States(*(np.zeros(count, dtype) for dtype in STATES))
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
