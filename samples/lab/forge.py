"""Segments that no kernel sent: an open connection and flags go in, a frame as a stranger would forge it goes out.

It leaves through a packet socket on one of the hosts, so the host captures it, but its counters know nothing of it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .checksum import checksum, pseudo_header
from .frames import ICMP, TCP
from .hosts import INTERFACE, Host

_REPAIR, _QUEUE, _QUEUE_SEQ = 19, 20, 21
_RECEIVE, _SEND, _OFF = 1, 2, -1
_WINDOW = 501


@dataclass(frozen=True, slots=True)
class Position:
    """The next sequence number that an end of a connection will send, and the next that it expects."""

    seq: int
    ack: int


def position(end: socket.socket) -> Position:
    """Where an end of a connection is, as its kernel knows."""
    with _repairing(end):
        numbers = [_queue_seq(end, queue) for queue in (_SEND, _RECEIVE)]
    return Position(*numbers)


def forget(end: socket.socket) -> None:
    """Let a connection vanish from its host, without a FIN or RST."""
    end.setsockopt(socket.IPPROTO_TCP, _REPAIR, 1)
    end.close()


@contextmanager
def _repairing(end: socket.socket) -> Iterator[None]:
    end.setsockopt(socket.IPPROTO_TCP, _REPAIR, 1)
    try:
        yield
    finally:
        end.setsockopt(socket.IPPROTO_TCP, _REPAIR, _OFF)


def _queue_seq(end: socket.socket, queue: int) -> int:
    end.setsockopt(socket.IPPROTO_TCP, _QUEUE, queue)
    return end.getsockopt(socket.IPPROTO_TCP, _QUEUE_SEQ) & 0xFFFFFFFF


def send(
    source: Host, target: Host, ports: tuple[int, int], seq: int, ack: int, flags: int, by: Host | None = None
) -> None:
    """A segment without data from `source` to `target` (IPv4 only), which leaves another host (`by`) if one is given."""
    addresses = socket.inet_aton(source.address) + socket.inet_aton(target.address)
    tcp = struct.pack("!HHIIHHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 12 | flags, _WINDOW, 0, 0)
    tcp = tcp[:16] + struct.pack("!H", checksum(tcp, pseudo_header(addresses, TCP, len(tcp)))) + tcp[18:]
    raw(by or source, target, _header(addresses, TCP, len(tcp)) + tcp)


def icmp_error(source: Host, target: Host, peer: Host, ports: tuple[int, int], seq: int, kind: int, code: int) -> None:
    """An ICMP error of `source` about a segment that `target` has sent to `peer` between these ports, or not (IPv4 only)."""
    quoted = _header(socket.inet_aton(target.address) + socket.inet_aton(peer.address), TCP, 20)
    quoted += struct.pack("!HHI", *ports, seq & 0xFFFFFFFF)
    message = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    addresses = socket.inet_aton(source.address) + socket.inet_aton(target.address)
    raw(source, target, _header(addresses, ICMP, len(message)) + message)


def raw(source: Host, target: Host, packet: bytes, ether_type: int = 0x0800) -> None:
    """Any packet from `source` to `target`, whatever it is."""
    macs = bytes.fromhex((target.mac + source.mac).replace(":", ""))
    with source.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((INTERFACE, 0))
        wire.send(macs + struct.pack("!H", ether_type) + packet)


def _header(addresses: bytes, protocol: int, length: int) -> bytes:
    """The header of an IPv4 packet with so many bytes behind it."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, protocol, 0) + addresses
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]
