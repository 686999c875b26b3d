"""What of the conversations the capture holds: one direction or both, from their beginning or later, on which ports."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields
from analyzer.flows.state import ACKED, SYN, SYN_ACK, TCP
from analyzer.schema import Rows
from analyzer.together import taken

TICK_NS, DENIED_NS, MANY_TIMES = 1_000_000, 50_000_000, 10
MANY_PACKETS, LONG_NS = 10, 3_000_000_000  # who gets no answer to data sends it again within that time


@of_fields(slots=True)
class Coverage:
    """Counts over conversations; those of NAT's other legs are not among them, since they are the same."""

    conversations: int = 0
    packets: int = 0
    connections: int = 0
    begun: int = 0  # connections of which no part of the handshake was captured
    begun_packets: int = 0
    client_only: int = 0  # connections of which the server's packets exist, and were not captured
    server_only: int = 0
    one_way_packets: int = 0
    tcp_packets: int = 0
    contradicted: int = 0  # connections both of whose clocks deny the times of the capture
    contradicted_packets: int = 0
    contradicted_ns: int = 0  # by the most
    ports: frozenset[int] | None = None  # that all conversations have

    def __add__(self, other: Coverage) -> Coverage:
        ports = other.ports if self.ports is None else self.ports
        if self.ports is not None and other.ports is not None:
            ports = self.ports & other.ports
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMMED}
        most = max(self.contradicted_ns, other.contradicted_ns)
        return Coverage(**sums, ports=ports, contradicted_ns=most)


SUMMED = [name for name in Coverage.__dataclass_fields__ if name not in ("ports", "contradicted_ns")]


def coverage_of(states: Rows, ends: Rows, places: npt.NDArray[np.intp]) -> Coverage:
    """Of the flows at `places`; `ends` has those of all flows. Field by field: a copy of whole states would be large."""
    places = places[states["leg_of"][places] < 0]
    packets = states["packets"][places].sum(axis=1)
    ports = states["port"][places]
    common = frozenset(int(port) for port in (ports[0] if len(ports) else ()) if (ports == port).any(axis=1).all())
    tcp = places[states["protocol"][places] == TCP]
    tcp_packets = packets[states["protocol"][places] == TCP]
    seen, client = states["seen"][tcp], states["client"][tcp].astype(np.intp)
    begun = seen & (SYN | SYN_ACK) == 0
    without_server = _is_silent(states, ends, tcp, 1 - client)
    without_client = _is_silent(states, ends, tcp, client)
    denied_ns = _denied_ns(states, ends, tcp)
    return Coverage(
        conversations=len(places),
        packets=int(packets.sum()),
        connections=len(tcp),
        begun=int(begun.sum()),
        begun_packets=int(tcp_packets[begun].sum()),
        client_only=int(without_server.sum()),
        server_only=int(without_client.sum()),
        one_way_packets=int(tcp_packets[without_server | without_client].sum()),
        tcp_packets=int(tcp_packets.sum()),
        contradicted=int((denied_ns > 0).sum()),
        contradicted_packets=int(tcp_packets[denied_ns > 0].sum()),
        contradicted_ns=int(denied_ns.max(initial=0)),
        ports=common if len(places) else None,
    )


class Begun(NamedTuple):
    """Connections of which no part of the handshake was captured: how many, their packets, and the payload of these."""

    connections: int = 0
    packets: int = 0
    payload: int = 0


def begun_at(states: Rows, places: npt.NDArray[np.intp], addresses: Collection[tuple[int, int]]) -> Begun:
    """Those at `places` of which one of the addresses (their high and low halves) is an end."""
    own = states["leg_of"][places] < 0
    begun = (states["protocol"][places] == TCP) & (states["seen"][places] & (SYN | SYN_ACK) == 0)
    lows = np.array([low for _, low in addresses], np.uint64)
    near = np.isin(states["address_lo"][places], lows).any(axis=1)
    found = taken(states, places[own & begun & near])
    pairs = zip(found["address_hi"].tolist(), found["address_lo"].tolist(), strict=True)
    mine = found[np.array([any(pair in addresses for pair in zip(*ends, strict=True)) for ends in pairs], np.bool_)]
    return Begun(len(mine), int(mine["packets"].sum()), int(mine["payload"].sum()))


def _denied_ns(states: Rows, ends: Rows, places: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """By how much the timestamps of both ends (RFC 7323) ran on while the times of the capture hardly moved; 0 where that may be.

    A queue on the way holds packets up and passes them on together; then the round trip on its side is as long. A clock that ticks faster than
    once in a millisecond (tcp_usec_ts) does so all the time.
    """
    found = np.zeros(len(places), np.int64)
    at = states["ends"][places]
    known = np.flatnonzero(ends["timestamps"][at].all(axis=1) & (ends["rtt_count"][at] > 0).all(axis=1))
    if not len(known):
        return found
    places, at = places[known], at[known]
    gains_ns = ends["clock_gain_ns"][at]
    gain_ns, ticks = gains_ns.min(axis=1), (ends["tsval"][at] - ends["tsval_first"][at]).max(axis=1)
    lasted_ns = states["end_ns"][places] - states["start_ns"][places]
    slow = ticks * np.float64(TICK_NS) <= 1.1 * lasted_ns
    unexplained = gains_ns > MANY_TIMES * ends["rtt_max_ns"][at][:, ::-1]  # that of what the other end sent
    denied = slow & (gain_ns >= DENIED_NS) & unexplained.any(axis=1)
    found[known] = np.where(denied, gain_ns, 0)
    return found


def _is_silent(
    states: Rows, ends: Rows, places: npt.NDArray[np.intp], end: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Was nothing captured of this end, although the other end shows that it was there?

    What it sent was acknowledged; or the client went on after its SYN; or much was sent for long, and nothing of it again.
    """
    silent = np.zeros(len(places), np.bool_)
    unheard = np.flatnonzero(ends["heard"][states["ends"][places, end]] == 0)
    if not len(unheard):
        return silent
    places, end = places[unheard], end[unheard]
    una, you = ends["una"][states["ends"][places, end]], states["ends"][places, 1 - end]
    other_heard, again = ends["heard"][you], ends["retransmissions"][you]
    seen = states["seen"][places]
    answered = (states["client"][places] != end) & (seen & (SYN | SYN_ACK | ACKED) == SYN | ACKED)
    lasted = states["end_ns"][places] - states["start_ns"][places] > LONG_NS
    many = (states["packets"][places, 1 - end] >= MANY_PACKETS) & (states["payload"][places, 1 - end] > 0)
    shown = (una > 1) | answered | (lasted & many & (again == 0))
    silent[unheard] = (other_heard > 0) & shown
    return silent
