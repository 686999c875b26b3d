"""Checksums as one verifies them by hand: a frame's bytes and its naive row enter, two words leave.

The first word is the state of the innermost TCP, UDP, ICMP or ICMPv6 checksum, the second that of the innermost IPv4
header. The sum is that of RFC 1071: 16-bit words, big-endian, an odd last byte padded with zero, carries added back.
A checksum is right where the sum over everything that it covers, itself included, is all ones.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tests.naive.decode import Pieces

Row = dict[str, Any]
Words = tuple[str, str]

TCP, UDP, ICMP, ICMPV6, GRE = 6, 17, 1, 58, 47
FRAGMENT, ROUTING, AUTHENTICATION = 44, 43, 51
LOOSE_ROUTE, STRICT_ROUTE = 131, 137
ALL_ONES = 0xFFFF
NOT_READY, CHECKED, SEGMENTED = 0x200, 0x400, 0x800  # epb_flags
FRAGMENTS_LIVE_NS = 30 * 10**9
DATAGRAMS_REMEMBERED = 16384  # before identifications come again (RFC 4963)
LONGEST = 65535


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071, not inverted."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def same_sum(one: int, other: int) -> bool:
    """Ones-complement arithmetic has two zeros, 0 and FFFF."""
    return one % ALL_ONES == other % ALL_ONES


def number(data: bytes, at: int, size: int) -> int:
    """A big-endian number."""
    return int.from_bytes(data[at : at + size], "big")


@lru_cache(maxsize=10_000)
def packed(address: str) -> bytes:
    """An address as it stands in a header."""
    return ipaddress.ip_address(address).packed


# The IPv4 header


def ip_header_word(data: bytes, row: Row) -> str:
    """RFC 791: the sum covers the header with its options."""
    at = row["l3_at"]
    if row["ip_version"] != 4 or len(data) < at + 12:
        return ""
    size = (data[at] & 0xF) * 4
    if size < 20 or len(data) < at + size:
        return "unverifiable"
    if ones_complement_sum(data[at : at + size]) == ALL_ONES:
        return "valid"
    return "bad" if number(data, at + 10, 2) else "zero"


# The pseudo-header


def pseudo_header(row: Row, destination: bytes, size: int) -> bytes:
    """RFC 9293 3.1 and RFC 768 for IPv4, RFC 8200 8.1 for IPv6; ICMP (RFC 792) has none.

    IPv4's length has 16 bits; written with 32 it adds the same, and a packet before segmentation may be longer.
    """
    if row["ip_proto"] == ICMP:
        return b""
    return packed(row["src"]) + destination + struct.pack(">II", size, row["ip_proto"])


def final_destination(data: bytes, row: Row) -> bytes | None:
    """Where the packet is to go after all stops on its way; None where that cannot be told."""
    return end_of_source_route(data, row) if row["ip_version"] == 4 else end_of_routing_headers(data, row)


def end_of_source_route(data: bytes, row: Row) -> bytes:
    """RFC 791: the last address of a source route, until its pointer has passed its end."""
    at = row["l3_at"] + 20
    end = row["l3_at"] + (data[row["l3_at"]] & 0xF) * 4
    while at < end and data[at] != 0:  # 0 ends the list
        if data[at] == 1:
            at += 1
            continue
        if at + 1 == end or data[at + 1] < 2 or at + data[at + 1] > end:
            break
        option = data[at : at + data[at + 1]]
        if option[0] in (LOOSE_ROUTE, STRICT_ROUTE) and len(option) >= 7 and option[2] <= len(option):
            return option[-4:]
        at += len(option)
    return packed(row["dst"])


def end_of_routing_headers(data: bytes, row: Row) -> bytes | None:
    """RFC 8200 8.1: while segments are left, the destination is in the routing header."""
    destination: bytes | None = packed(row["dst"])
    for kind, at, behind in extension_headers(data, row):
        if kind == ROUTING and data[at + 3] > 0:
            destination = end_of_routing_header(data[at:behind])
    return destination


def end_of_routing_header(header: bytes) -> bytes | None:
    """The last stop of a routing header that has segments left."""
    kind, addresses = header[2], header[8:]
    if len(addresses) < 16:
        return None
    if kind == 0:  # RFC 2460: a list of addresses
        last = len(addresses) // 16 * 16 - 16
        return addresses[last : last + 16]
    if kind in (2, 4):  # RFC 6275: the home address; RFC 8754: segments in reverse order, then options
        return addresses[:16]
    return None


def extension_headers(data: bytes, row: Row) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of each extension header before the transport header (RFC 8200 section 4)."""
    kind, at = data[row["l3_at"] + 6], row["l3_at"] + 40
    while at < row["l4_at"]:
        if kind == FRAGMENT:
            behind = at + 8
        elif kind == AUTHENTICATION:
            behind = at + (data[at + 1] + 2) * 4
        else:
            behind = at + (data[at + 1] + 1) * 8
        yield kind, at, behind
        kind, at = data[at], behind


# A whole datagram


@dataclass(frozen=True)
class Datagram:
    """What follows the IP headers, of which `data` was captured and `size` bytes were on the wire."""

    row: Row  # of the frame in which the transport header is
    destination: bytes | None
    data: bytes
    size: int


def checksum_field(datagram: Datagram) -> int:
    """The field in the transport header."""
    return number(datagram.data, {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}[datagram.row["ip_proto"]], 2)


def is_none(datagram: Datagram) -> bool:
    """RFC 768: over IPv4 (not over IPv6: RFC 8200 8.1) the field may be 0, for no checksum."""
    return (datagram.row["ip_proto"], datagram.row["ip_version"]) == (UDP, 4) and checksum_field(datagram) == 0


def is_whole_without_header(datagram: Datagram) -> bool:
    """Where only the data offset of TCP is wrong, the length of the IP packet still says what is covered."""
    bad = datagram.row["stop"] == "bad_tcp_header" and datagram.row["ip_len"] > 0
    bad = bad and "ip_length_beyond_frame" not in datagram.row["quirks"]
    return bad and 18 <= datagram.size == len(datagram.data)


def verdict(datagram: Datagram) -> str:
    """What the sum says about a datagram of which the checksum field is there."""
    size = datagram.size
    if datagram.row["ip_proto"] == UDP:  # 0 is the length in a jumbogram (RFC 2675), or before segmentation
        size = number(datagram.data, 4, 2) or size
    if size > datagram.size:
        return "unverifiable"
    if is_none(datagram):
        return "none"
    if size > len(datagram.data) or datagram.destination is None:
        return "unverifiable"
    covered = pseudo_header(datagram.row, datagram.destination, size) + datagram.data[:size]
    if ones_complement_sum(covered) == ALL_ONES:
        return "valid"
    if is_partial(datagram, size):
        return "partial"
    return "bad" if checksum_field(datagram) else "zero"


def is_partial(datagram: Datagram, size: int) -> bool:
    """Does the field hold the sum of the pseudo-header, for the card to finish? Some drivers leave out the length."""
    if datagram.row["ip_proto"] == ICMP or datagram.destination is None:
        return False
    headers = [pseudo_header(datagram.row, datagram.destination, length) for length in (size, 0)]
    return any(same_sum(checksum_field(datagram), ones_complement_sum(header)) for header in headers)


# Fragments


@dataclass
class Fragments(Pieces):
    """The same, with what the first of them begins with."""

    first: Datagram | None = None

    @property
    def reach(self) -> int:
        """Where the last of the fragments so far ends."""
        return max((at + len(piece) for at, piece in self.pieces.items()), default=0)


def is_piece(row: Row) -> bool:
    """Is it a fragment that was not put together with the others?"""
    return (row["fragment_offset"] > 0 or bool(row["ip_flags"] & 1)) and not is_joined(row)


def is_joined(row: Row) -> bool:
    """Does it describe a datagram that was put together, of which the IP header is that of a fragment?"""
    fragment = row["fragment_offset"] > 0 or bool(row["ip_flags"] & 1)
    return fragment and "reassembled" in row["layers"] and "fragment" not in row["layers"]


@dataclass
class NaiveChecker:
    """Frames in the order of the capture enter; fragments are remembered, unless they were put together before (`joined`)."""

    joined: bool = False
    fragments: dict[tuple[Any, ...], Fragments] = field(default_factory=dict)
    begun: int = 0

    def check(self, data: bytes, row: Row, time_ns: int = 0) -> Words:
        """The two words for a frame of which `data` was captured, and which decodes as `row`."""
        word = self.word_by_sum(data, row, time_ns)
        if word not in ("", "none", "valid") and row["tunnel_depth"] == 0:
            word = word_by_flags(row["record_flags"]) or word
        return word, ip_header_word(data, row)

    def word_by_sum(self, data: bytes, row: Row, time_ns: int) -> str:
        """What the bytes say about the transport checksum."""
        known = row["ip_proto"] in (TCP, UDP, ICMP if row["ip_version"] == 4 else ICMPV6)
        end = row["l3_at"] + row["ip_len"] if row["ip_len"] and not is_joined(row) else len(data)
        if not known or row["l4_at"] == 0 or row["l4_at"] >= min(end, len(data)):
            return ""
        if is_piece(row):
            return word_of_piece(data, row) if self.joined else self.word_for_fragment(data, row, time_ns)
        datagram = payload_of_ip(data, row, row["l4_at"])
        if row["stop"] != "decoded":
            return verdict(datagram) if is_whole_without_header(datagram) else "unverifiable"
        if "ip_length_beyond_frame" in row["quirks"] and not row["udp_len"]:
            return "unverifiable"  # nothing says how much is covered
        return verdict(datagram)

    def word_for_fragment(self, data: bytes, row: Row, time_ns: int) -> str:
        """The word of the whole datagram on the fragment that completes it."""
        begin = row["l4_at"]
        if row["ip_version"] == 6:
            begin = next(behind for kind, _, behind in extension_headers(data, row) if kind == FRAGMENT)
        piece = payload_of_ip(data, row, begin)
        key = row["ip_version"], row["src"], row["dst"], row["ip_id"], row["ip_proto"]
        known = self.fragments.get(key)
        if known is None or self.is_over(known, time_ns):
            known = self.fragments[key] = Fragments(time_ns, self.begun)
            self.begun += 1
        add_fragment(known, piece)
        if known.first is not None and not known.spoilt and known.size is not None and known.has(0, known.size):
            del self.fragments[key]
            return verdict_on_fragments(known)
        return word_of_piece(data, row)

    def is_over(self, known: Fragments, time_ns: int) -> bool:
        """Is it too long ago that its first fragment came?"""
        late = abs(time_ns - known.since_ns) > FRAGMENTS_LIVE_NS
        return late or self.begun - known.number > DATAGRAMS_REMEMBERED


def word_of_piece(data: bytes, row: Row) -> str:
    """The word of a fragment that completes nothing: the first one may say that there is no checksum."""
    is_first = row["fragment_offset"] == 0 and row["stop"] == "decoded"
    return "none" if is_first and is_none(payload_of_ip(data, row, row["l4_at"])) else "unverifiable"


def word_by_flags(record_flags: int) -> str:
    """What the capturing host says about the checksum, in pcapng."""
    if record_flags & NOT_READY:
        return "partial"
    if record_flags & CHECKED:
        return "valid"
    return "partial" if record_flags & SEGMENTED else ""


def payload_of_ip(data: bytes, row: Row, begin: int) -> Datagram:
    """What is in an IP packet from `begin` on."""
    end = len(data) if is_joined(row) else row["l3_at"] + row["ip_len"]
    if row["ip_len"] == 0 or (row["udp_len"] and "ip_length_beyond_frame" in row["quirks"]):  # as far as there is room
        end = row["l4_at"] + row["header_len"] + row["payload_len"]
    return Datagram(row, final_destination(data, row), data[begin:end], end - begin)


def add_fragment(known: Fragments, piece: Datagram) -> None:
    """RFC 791 3.2, RFC 8200 4.5. What was there before is ignored, any other overlap spoils the datagram (RFC 5722)."""
    row = piece.row
    start, end = row["fragment_offset"], row["fragment_offset"] + piece.size
    is_last = not row["ip_flags"] & 1
    whole = len(piece.data) == piece.size and row["ip_len"] > 0
    headless = start == 0 and (row["stop"] != "decoded" or piece.destination is None)
    if not whole or headless or end > LONGEST:
        known.spoilt = True
    if known.spoilt or known.has(start, end):
        return
    if known.overlaps(start, end):
        known.spoilt = True
    if known.size is not None and (is_last or end > known.size):  # ends twice, or goes on behind its end
        known.spoilt = True
    if is_last:
        known.size = end
        known.spoilt |= known.reach > end
    if start == 0:
        known.first = piece
    known.pieces[start] = piece.data


def verdict_on_fragments(known: Fragments) -> str:
    """The word of a datagram of which all fragments are there."""
    assert known.first is not None
    joined = b"".join(piece for _, piece in sorted(known.pieces.items()))
    row = known.first.row
    # In IPv6, headers may stand between the fragment header and the transport header.
    transport = joined[known.first.size - (row["l3_at"] + row["ip_len"] - row["l4_at"]) :]
    whole = Datagram(row, known.first.destination, transport, len(transport))
    if row["ip_proto"] == UDP and row["udp_len"] != len(transport):
        return "unverifiable"
    return verdict(whole)


# Around the innermost packet


def is_wrong(word: str) -> bool:
    """Wrong or not finished."""
    return word in ("partial", "zero", "bad")


def outer_word(data: bytes, row: Row) -> str:
    """The word of the UDP or GRE checksum of a packet that carries another one, as it stands."""
    if row["ip_proto"] == UDP:
        word = NaiveChecker(joined=True).word_by_sum(data, row, 0)
        silent = row["ip_version"] == 6 and word not in ("", "unverifiable") and row["checksum_field"] == 0
        return "none" if silent else word  # RFC 6935
    at, size = row["l4_at"], row["payload_len"]
    if row["ip_proto"] != GRE or len(data) < at + 8 or number(data, at, 2) & 0x8007 != 0x8000:
        return ""
    if is_piece(row) or len(data) < at + size or "ip_length_beyond_frame" in row["quirks"] or size < 8:
        return "unverifiable"
    if ones_complement_sum(data[at : at + size]) == ALL_ONES:
        return "valid"
    return "bad" if number(data, at + 4, 2) else "zero"


def finish(data: bytearray, row: Row, words: Words) -> None:
    """Make the checksums of one packet right, as far as they are known to be wrong."""
    if is_wrong(words[1]):
        at = row["l3_at"]
        size = (data[at] & 0xF) * 4
        put_right(data, at + 10, bytes(data[at : at + size]), b"")
    if not is_wrong(words[0]):
        return
    at, protocol = row["l4_at"], row["ip_proto"]
    if protocol == GRE:
        put_right(data, at + 4, bytes(data[at : at + row["payload_len"]]), b"")
        return
    datagram = payload_of_ip(bytes(data), row, at)
    size = (number(datagram.data, 4, 2) if protocol == UDP else 0) or datagram.size
    assert datagram.destination is not None
    field = at + {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}[protocol]
    put_right(data, field, datagram.data[:size], pseudo_header(row, datagram.destination, size))


def put_right(data: bytearray, field: int, covered: bytes, pseudo: bytes) -> None:
    """Write the checksum with which what is covered is right."""
    missing = ALL_ONES - ones_complement_sum(pseudo + covered)
    data[field : field + 2] = (ones_complement_sum(data[field : field + 2] + missing.to_bytes(2, "big"))).to_bytes(
        2, "big"
    )


def outer_words(levels: list[tuple[bytes, Row]], innermost: Words, captured: bytes) -> list[Words]:
    """The words of the packets around the innermost one, which is the last of `levels`; they begin with the outermost.

    A checksum that covers others that are wrong is right too if it would be with these made right. The bytes of a level
    are those of the frame as it was captured, or with a datagram that was put together; where that was part of another one
    that was put together, what was around it is not looked at.
    """
    found: list[Words] = []
    finished, inside = bytearray(levels[-1][0]), levels[-1][0]
    finish(finished, levels[-1][1], innermost)
    for data, row in reversed(levels[:-1]):
        if data not in (inside, captured):
            found.insert(0, ("", ""))
            continue
        if data != inside:
            finished, inside = bytearray(data), data
        word = outer_word(data, row)
        if is_wrong(word) and outer_word(bytes(finished), row) == "valid":
            word = "valid"
        words = word, ip_header_word(data, row)
        finish(finished, row, words)
        found.insert(0, words)
    return found


def worst(words: list[str]) -> str:
    """What is wrong in any of them, the innermost first; else what the outermost says that says anything."""
    bad = [word for word in reversed(words) if word in ("bad", "zero")]
    return (bad or [word for word in words if word] or [""])[0]
