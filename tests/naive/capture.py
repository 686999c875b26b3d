"""A capture file as one reads it aloud: its bytes enter, records, interfaces and damage leave.

For well-formed files and files that simply end too early; a record that is not complete is damage, not a record.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

MICROSECONDS, NANOSECONDS, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
SECTION_HEADER = 0x0A0D0D0A
BYTE_ORDER = 0x1A2B3C4D
SECOND = 10**9
INT64 = -(2**63), 2**63 - 1


@dataclass
class NaiveInterface:
    """Where records come from: `ticks` per second and `offset` in seconds make a time of a record's time stamp."""

    link: int
    snaplen: int
    fcs: int = 0  # bytes
    ticks: int = 10**6
    offset: int = 0
    name: str = ""


@dataclass
class NaiveRecord:
    """One record. `interface` counts over all sections; `pkt_type` None where the record says nothing."""

    time_ns: int
    length: int
    data: bytes
    interface: int
    link: int
    fcs: int
    record_flags: int = 0
    ifindex: int = 0
    pkt_type: int | None = None
    drops: int = 0


@dataclass
class NaiveCapture:
    """Everything in a file. `damage` is where in the file something was wrong, and what."""

    kind: str  # pcap, pcapng, or empty for neither
    records: list[NaiveRecord] = field(default_factory=list)
    interfaces: list[NaiveInterface] = field(default_factory=list)
    damage: list[tuple[int, str]] = field(default_factory=list)


def read_capture(content: bytes) -> NaiveCapture:
    """Read a file of either format; its first four bytes tell which."""
    if content[:4] == SECTION_HEADER.to_bytes(4, "big"):
        return read_pcapng(content)
    for order in "<>":
        if len(content) >= 4 and struct.unpack(f"{order}I", content[:4])[0] in (MICROSECONDS, NANOSECONDS, MODIFIED):
            return read_pcap(content, order)
    return NaiveCapture("", damage=[(0, "not a capture file")])


def clamp(time_ns: int) -> int:
    """The nearest time that fits into 64 bits."""
    return min(max(time_ns, INT64[0]), INT64[1])


# Classic pcap


def read_pcap(content: bytes, order: str) -> NaiveCapture:
    """File header: magic 4, version 2 and 2, zone 4, accuracy 4, snap length 4, link type 4. Then records."""
    capture = NaiveCapture("pcap")
    if len(content) < 24:
        capture.damage.append((0, "file header cut short"))
        return capture
    magic, major, minor, _, _, snaplen, link_field = struct.unpack(f"{order}IHHiIII", content[:24])
    fcs = (link_field >> 28) * 2 if link_field & 0x04000000 else 0
    ticks = SECOND if magic == NANOSECONDS else 10**6
    capture.interfaces.append(NaiveInterface(link_field & 0xFFFF, snaplen, fcs, ticks))
    header = 24 if magic == MODIFIED else 16
    at = 24
    while at < len(content):
        if at + header > len(content):
            capture.damage.append((at, "record header cut short"))
            break
        seconds, fraction, captured, length = struct.unpack(f"{order}IIII", content[at : at + 16])
        if minor < 3 or major == 543 or (minor == 3 and captured > length):
            captured, length = length, captured
        data = content[at + header : at + header + captured]
        if len(data) < captured:
            capture.damage.append((at, "record cut short"))
            break
        time_ns = seconds * SECOND + fraction * (SECOND // ticks)
        record = NaiveRecord(clamp(time_ns), length, data, 0, link_field & 0xFFFF, fcs)
        if magic == MODIFIED:
            ifindex, _, record.pkt_type = struct.unpack(f"{order}IHB", content[at + 16 : at + 23])
            record.ifindex = ifindex
        capture.records.append(record)
        at += header + captured
    return capture


# pcapng


def read_pcapng(content: bytes) -> NaiveCapture:
    """Blocks: type 4, length 4, body, length 4. A section header sets the byte order and forgets the interfaces."""
    capture = NaiveCapture("pcapng")
    order = "<"
    first_interface = 0  # of this section, among all
    at = 0
    while at < len(content):
        if at + 12 > len(content):
            capture.damage.append((at, "block header cut short"))
            break
        if content[at : at + 4] == SECTION_HEADER.to_bytes(4, "big"):  # the same in both byte orders
            order = "<" if struct.unpack("<I", content[at + 8 : at + 12])[0] == BYTE_ORDER else ">"
            first_interface = len(capture.interfaces)
        kind, size = struct.unpack(f"{order}II", content[at : at + 8])
        if size < 12 or size % 4:
            capture.damage.append((at, "impossible block length"))
            break
        if at + size > len(content):
            capture.damage.append((at, "block cut short"))
            break
        body = content[at + 8 : at + size - 4]
        problem = read_block(capture, kind, body, order, first_interface)
        if problem:
            capture.damage.append((at, problem))
        at += size
    return capture


def read_block(capture: NaiveCapture, kind: int, body: bytes, order: str, first_interface: int) -> str:
    """Take from one block what it has; the answer is what is wrong with it, if anything."""
    if kind == 1:
        return interface_block(capture, body, order)
    if kind == 2:
        return packet_block(capture, body, order, first_interface)
    if kind == 3:
        return simple_block(capture, body, order, first_interface)
    if kind == 6:
        return enhanced_block(capture, body, order, first_interface)
    return ""


def interface_block(capture: NaiveCapture, body: bytes, order: str) -> str:
    """Interface: link type 2, reserved 2, snap length 4, options."""
    if len(body) < 8:
        return "interface block too short"
    link, _, snaplen = struct.unpack(f"{order}HHI", body[:8])
    interface = NaiveInterface(link, snaplen)
    options = read_options(body[8:], order)
    interface.name = options.get(2, b"").decode("utf-8", "replace")
    if len(options.get(9, b"")) == 1:
        resolution = options[9][0]
        interface.ticks = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    if len(options.get(13, b"")) == 1:
        interface.fcs = options[13][0] // 8
    if len(options.get(14, b"")) == 8:
        (interface.offset,) = struct.unpack(f"{order}q", options[14])
    capture.interfaces.append(interface)
    return ""


def enhanced_block(capture: NaiveCapture, body: bytes, order: str, first_interface: int) -> str:
    """Enhanced packet: interface 4, time 4 and 4, captured 4, length 4, data padded to 4, options."""
    if len(body) < 20:
        return "packet block too short"
    number, high, low, captured, length = struct.unpack(f"{order}IIIII", body[:20])
    return timed_packet(capture, body, order, first_interface + number, high << 32 | low, captured, length, 0)


def packet_block(capture: NaiveCapture, body: bytes, order: str, first_interface: int) -> str:
    """The obsolete packet: interface 2, drops 2 (all ones: unknown), time 4 and 4, captured 4, length 4, data, options."""
    if len(body) < 20:
        return "packet block too short"
    number, drops, high, low, captured, length = struct.unpack(f"{order}HHIIII", body[:20])
    drops = 0 if drops == 0xFFFF else drops
    return timed_packet(capture, body, order, first_interface + number, high << 32 | low, captured, length, drops)


def timed_packet(
    capture: NaiveCapture, body: bytes, order: str, number: int, ticks: int, captured: int, length: int, drops: int
) -> str:
    """What the two packet blocks with a time have in common."""
    if number >= len(capture.interfaces):
        return "packet of an unknown interface"
    if 20 + captured > len(body):
        return "packet longer than its block"
    interface = capture.interfaces[number]
    options = read_options(body[20 + (captured + 3) // 4 * 4 :], order)
    flags = struct.unpack(f"{order}I", options[2])[0] if len(options.get(2, b"")) == 4 else 0
    if len(options.get(4, b"")) == 8:
        (drops,) = struct.unpack(f"{order}Q", options[4])
    time_ns = clamp(ticks * SECOND // interface.ticks + interface.offset * SECOND)
    data = body[20 : 20 + captured]
    capture.records.append(
        NaiveRecord(time_ns, length, data, number, interface.link, interface.fcs, flags, drops=drops)
    )
    return ""


def simple_block(capture: NaiveCapture, body: bytes, order: str, first_interface: int) -> str:
    """Simple packet: length 4, data. It came from the section's first interface, whose snap length may have cut it."""
    if len(body) < 4:
        return "packet block too short"
    if first_interface >= len(capture.interfaces):
        return "packet of an unknown interface"
    interface = capture.interfaces[first_interface]
    (length,) = struct.unpack(f"{order}I", body[:4])
    captured = min(length, interface.snaplen or length, len(body) - 4)
    data = body[4 : 4 + captured]
    capture.records.append(NaiveRecord(0, length, data, first_interface, interface.link, interface.fcs))
    return ""


def read_options(content: bytes, order: str) -> dict[int, bytes]:
    """Options: code 2, length 2, value padded to 4, until code 0. The first of a code counts."""
    options: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(content):
        code, size = struct.unpack(f"{order}HH", content[at : at + 4])
        if code == 0 or at + 4 + size > len(content):
            break
        options.setdefault(code, content[at + 4 : at + 4 + size])
        at += 4 + (size + 3) // 4 * 4
    return options
