"""What is known of a capture beside its packets: when it ran, what it lost, and what it was told to leave out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analyzer.capture import Interfaces
from analyzer.capture.bundle import Host
from analyzer.fields import of_fields
from analyzer.flows import FlowTracker
from analyzer.schema import Rows
from analyzer.summary import Summary

LEAST_SEGMENT = 536  # bytes that every host takes in one (TCP_MSS_DEFAULT)


@of_fields(frozen=True, slots=True)
class Facts:
    """Why a capture may not hold all that its host sent and received.

    Attributes
    ----------
    first_ns, last_ns : times of the first and the last frame; 0 where there is none
    dropped : packets that the capture lost by its own count
    filters : capture filters that its interfaces name
    cut_headers : frames of which too little was captured to read their headers
    chosen : what was asked for, where that is not the whole capture
    left_out : interfaces of the host whose addresses are in no conversation of the capture
    begun_before : TCP connections of the host of which no part of the handshake was captured
    before_segments : so many segments they sent and received, at most
    """

    first_ns: int = 0
    last_ns: int = 0
    dropped: int = 0
    filters: tuple[str, ...] = ()
    cut_headers: int = 0
    left_out: tuple[str, ...] = ()
    begun_before: int = 0
    chosen: str = ""
    before_segments: int = 0

    @property
    def losing(self) -> bool:
        """Does the file itself say that it does not hold everything?"""
        return bool(self.dropped or self.filters or self.cut_headers or self.chosen)

    @property
    def part(self) -> str:
        """That not the whole capture was asked for, in words; empty where it was."""
        return f"only a part of the capture was asked for ({self.chosen})" if self.chosen else ""

    def causes(self) -> Iterator[str]:
        """Each thing that may be missing, in words."""
        if self.dropped:
            yield f"the capture dropped {self.dropped:,} packets by its own count"
        for text in self.filters:
            yield f'it was taken with the filter "{text}"'
        if self.part:
            yield self.part
        if self.cut_headers:
            frames = "1 frame is" if self.cut_headers == 1 else f"{self.cut_headers:,} frames are"
            yield f"{frames} cut within the headers (snaplen)"
        if self.left_out:
            names = ", ".join(self.left_out)
            yield f"it holds no conversation of the host's addresses on {names}"


def facts_of(
    summary: Summary,
    interfaces: Interfaces,
    drops: Mapping[str, int | None],
    hosts: Sequence[Host],
    flows: FlowTracker,
    local: Sequence[str],
    chosen: str = "",
) -> Facts:
    """The facts of a capture that was read, of the hosts that recorded it; `local` are the addresses of the one whose counters are compared, `chosen` says what of the capture was asked for, if not all."""
    dropped = sum(value or 0 for name, value in drops.items() if name != "interface_received")
    filters = tuple(dict.fromkeys(interface.filter for interface in interfaces if interface.filter))
    left_out = tuple(name for host in hosts for name in _left_out(host, interfaces, flows))
    first, last = summary.total("first_ns"), summary.total("last_ns")
    begun = flows.begun_at({_halves(text) for text in local})
    segments = begun.packets + begun.payload // LEAST_SEGMENT
    cut = summary.stops.get("truncated", 0)
    return Facts(first, last, dropped, filters, cut, left_out, begun.connections, chosen, segments)


def _left_out(host: Host, interfaces: Interfaces, flows: FlowTracker) -> Iterator[str]:
    """Interfaces of the host that have addresses, none of them in any conversation, and that the capture does not name."""
    named = {interface.name for interface in interfaces}
    if "any" in named or len(host.interfaces) < 2:
        return
    rows = flows.rows()
    for name, addresses in host.interfaces:
        if addresses and name not in named and not any(_is_end(rows, text) for text in addresses):
            yield name or addresses[0]


def _is_end(flows: Rows, text: str) -> bool:
    """Is the address one end of a conversation?"""
    high, low = map(np.uint64, _halves(text))
    return any(bool(((flows[f"{end}_hi"] == high) & (flows[f"{end}_lo"] == low)).any()) for end in ("client", "server"))


def _halves(text: str) -> tuple[int, int]:
    """An address as flows hold it."""
    address = ipaddress.ip_address(text)
    value = int(address) if address.version == 6 else 0xFFFF << 32 | int(address)
    return value >> 64, value & (1 << 64) - 1
