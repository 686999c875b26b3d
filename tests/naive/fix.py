"""Right checksums as one computes them by hand, frame after frame: the twin of fix_checksums."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.naive import decode as naive_decode
from tests.naive.checksums import (
    ALL_ONES,
    Datagram,
    Fragments,
    NaiveChecker,
    Row,
    final_destination,
    ip_header_word,
    number,
    ones_complement_sum,
    outer_words,
    pseudo_header,
    verdict,
)

TCP, UDP, ICMP, ICMPV6, GRE = 6, 17, 1, 58, 47
FIELD_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}
NAMES = {TCP: "TCP", UDP: "UDP", ICMP: "ICMP", ICMPV6: "ICMPv6"}
TUNNEL_PORTS = {4789, 8472, 6081, 2152, 1701, 3544, 5247, 37008}
NOT_READY, VERIFIED = 0x200, 0x400
MILLISECOND = 10**6


@dataclass(frozen=True)
class Frame:
    """A captured frame with all that matters here."""

    data: bytes
    link: int = 1
    cut: int = 0  # bytes that were on the wire behind those captured
    fcs: int = 0  # bytes of check sequence that the interface says a frame ends with
    flags: int = 0

    @property
    def length(self) -> int:
        """Bytes on the wire."""
        return len(self.data) + self.cut


def levels(frame: Frame) -> list[Row]:
    """The rows of the IP packets in a frame, the outermost first."""
    rows: list[Row] = []
    while True:
        with naive_decode.no_deeper(len(rows)) as stopped:
            row: Row = naive_decode.decode_frame(frame.data, frame.length, frame.link, fcs=frame.fcs)
        if row["ip_version"] == 0 or row["tunnel_depth"] < len(rows):
            return rows
        rows.append(row)
        if not stopped:  # with room for one tunnel more it would be the same
            return rows


def whole_levels(frame: Frame, joiner: naive_decode.Joiner) -> list[tuple[bytes, Row]]:
    """The bytes and rows of the packets in a frame, or in the datagram that it completes, the outermost first."""
    before = joiner.copy()

    def at_most(depth: int, joiner: naive_decode.Joiner) -> naive_decode.Frame:
        with naive_decode.no_deeper(depth):
            return naive_decode.decoded(
                frame.data, frame.length, frame.link, fcs=frame.fcs, record_flags=frame.flags, joiner=joiner
            )

    innermost = at_most(1 << 10, joiner)
    outer = [at_most(level, before.copy()) for level in range(innermost.row["tunnel_depth"])]
    return [(each.data, each.row) for each in (*outer, innermost)]


def is_piece(row: Row) -> bool:
    """Is it a fragment?"""
    return bool(row["fragment_offset"] or row["ip_flags"] & 1)


def way(row: Row) -> tuple[Any, ...]:
    """The direction that the packet belongs to."""
    return row["ip_version"], row["src"], row["dst"], row["ip_proto"]


Way = Callable[[tuple[Any, ...]], bool]


def never(_: tuple[Any, ...]) -> bool:
    """No host leaves checksums to its card."""
    return False


def odd(direction: tuple[Any, ...]) -> bool:
    """Some hosts do, whatever their checksums look like."""
    return zlib.crc32(repr(direction).encode()) % 2 == 1


def reason(row: Row) -> str:
    """Why a checksum cannot be verified."""
    if "fragment" in row["layers"]:
        return "fragment"
    missing = row["stop"] == "truncated" or row["payload_captured"] < row["payload_len"]
    return "cut" if missing and "cut" in row["quirks"] else "other"


def checksum(*parts: bytes) -> int:
    """RFC 1071."""
    return ALL_ONES - ones_complement_sum(b"".join(parts))


class NaiveFixer:
    """All frames of a capture; `fix` gives one of them with right checksums."""

    def __init__(self, frames: Sequence[Frame], *, everything: bool = False, marked: Way = never) -> None:
        self.frames = frames
        self.everything = everything
        self.rows = [levels(frame) for frame in frames]
        self.wrote: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.later: dict[tuple[int, int], bytes] = {}  # of a datagram: what its first fragment does not hold
        self.collect()
        seen = self.directions()
        self.marked = lambda row, outer: (way(row), outer) in seen and marked(way(row))

    def collect(self) -> None:
        """Put fragments together."""
        checker = NaiveChecker()
        owners: dict[int, tuple[int, int]] = {}
        for position, (frame, rows) in enumerate(zip(self.frames, self.rows, strict=True)):
            for level in reversed(range(len(rows))):
                row = rows[level]
                if not is_piece(row) or not NaiveChecker().word_by_sum(frame.data, row, 0):
                    continue
                owners[id(row)] = position, level
                key = row["ip_version"], row["src"], row["dst"], row["ip_id"], row["ip_proto"]
                before = checker.fragments.get(key)
                checker.word_by_sum(frame.data, row, position * MILLISECOND)
                if before is not None and key not in checker.fragments:
                    assert before.first is not None
                    self.later[owners[id(before.first.row)]] = self.without_first(before)

    @staticmethod
    def without_first(datagram: Fragments) -> bytes:
        """The other fragments."""
        return b"".join(piece for offset, piece in sorted(datagram.pieces.items()) if offset)

    def directions(self) -> set[tuple[tuple[Any, ...], bool]]:
        """Those that a Checker knows, of whole datagrams; and is it one of packets around others?"""
        checker, joiner = NaiveChecker(joined=True), naive_decode.Joiner()
        found = set()
        for position, frame in enumerate(self.frames):
            joiner.time_ns = position * MILLISECOND
            around = whole_levels(frame, joiner)
            data, row = around[-1]
            if not row["ip_version"]:
                continue
            words = checker.check(data, row, joiner.time_ns)
            known = [*outer_words(around, words, frame.data), words]
            found |= {
                (way(row), row is not around[-1][1]) for (_, row), said in zip(around, known, strict=True) if any(said)
            }
        return found

    def fixed(self) -> list[bytes]:
        """The bytes of all frames."""
        return [self.fix(position) for position in range(len(self.frames))]

    def fix(self, position: int) -> bytes:
        """The bytes of one frame."""
        frame, rows = self.frames[position], self.rows[position]
        data = bytearray(frame.data)
        wrote: set[str] = set()
        left: set[str] = set()
        for level in reversed(range(len(rows))):
            row = rows[level]
            inside = bool(wrote)
            if row["ip_version"] == 4:
                self.fix_header(data, row, level < len(rows) - 1, wrote, left)
            outer = level < len(rows) - 1
            known = bool(frame.flags & (NOT_READY | VERIFIED)) and len(rows) == 1
            self.fix_transport(data, row, (position, level), outer, inside, known, wrote, left)
        if wrote and self.has_fcs(frame, rows[0]):
            begin = 8 if frame.link == 274 else 0
            data[-4:] = struct.pack("<I", zlib.crc32(bytes(data[begin:-4])))
            wrote.add("FCS")
        self.wrote.update(wrote)
        self.left.update(left)
        return bytes(data)

    def fix_header(self, data: bytearray, row: Row, outer: bool, wrote: set[str], left: set[str]) -> None:
        """RFC 791."""
        word, at = ip_header_word(bytes(data), row), row["l3_at"]
        if word == "unverifiable":
            left.add(reason(row))
        elif word == "bad" and not self.everything and not self.marked(row, outer):
            left.add("corrupt")
        elif word in ("bad", "zero") or (word == "valid" and self.everything):
            header = bytes(data[at : at + (data[at] & 15) * 4])
            if word == "valid" and header[10:12] != b"\xff\xff":
                return
            self.put(data, at + 10, checksum(header[:10], header[12:]), "IPv4 header", wrote)

    @staticmethod
    def put(data: bytearray, at: int, value: int, name: str, wrote: set[str]) -> None:
        """Write 16 bits."""
        if number(data, at, 2) != value:
            wrote.add(name)
        data[at : at + 2] = value.to_bytes(2, "big")

    def fix_transport(
        self,
        data: bytearray,
        row: Row,
        place: tuple[int, int],
        outer: bool,
        inside: bool,
        known: bool,
        wrote: set[str],
        left: set[str],
    ) -> None:
        """TCP, UDP, ICMP, ICMPv6 or GRE."""
        protocol, at = row["ip_proto"], row["l4_at"]
        if not NaiveChecker().word_by_sum(bytes(data), row, 0):
            if protocol == GRE and (inside or self.everything) and not is_piece(row):
                self.fix_gre(data, row, wrote, left)
            elif row["stop"] == "truncated" and not outer:
                left.add(reason(row))
            return
        if is_piece(row):
            if place not in self.later:
                return  # the test for fragments counts them
            whole = bytes(data[at : row["l3_at"] + row["ip_len"]]) + self.later[place]
            if protocol == UDP and row["udp_len"] != len(whole):
                return
            word = verdict(Datagram(row, final_destination(bytes(data), row), whole, len(whole)))
        else:
            word = NaiveChecker().word_by_sum(bytes(data), row, 0)
            size = row["header_len"] + row["payload_len"]
            if row["stop"] == "bad_tcp_header":
                size = row["l3_at"] + row["ip_len"] - at
                if "ip_length_beyond_frame" in row["quirks"]:
                    word = "unverifiable"
            if protocol == UDP and row["udp_len"]:
                size = row["udp_len"]
            whole = bytes(data[at : at + size])
        if word == "unverifiable":
            left.add(reason(row))
            return
        field = FIELD_AT[protocol]
        value = number(whole, field, 2)
        if protocol == UDP and value == 0 and row["ip_version"] == 6:
            if outer or TUNNEL_PORTS & {row["src_port"], row["dst_port"]}:
                return
            word = "zero"
        if word == "valid" and self.everything and value == ALL_ONES and protocol != UDP:
            word = "zero"
        if word == "bad" and not (inside or known or self.everything or self.marked(row, outer)):
            left.add("corrupt")
        elif word in ("bad", "zero", "partial"):
            destination = final_destination(bytes(data), row)
            assert destination is not None
            right = checksum(pseudo_header(row, destination, len(whole)), whole[:field], b"\0\0", whole[field + 2 :])
            if protocol == UDP:
                right = right or ALL_ONES
            self.put(data, at + field, right, NAMES[protocol], wrote)

    def fix_gre(self, data: bytearray, row: Row, wrote: set[str], left: set[str]) -> None:
        """RFC 2784."""
        at = row["l4_at"]
        packet = bytes(data[at : at + row["payload_len"]])
        if len(packet) < 8 or len(packet) < row["payload_len"] or number(packet, 0, 2) & 0x8007 != 0x8000:
            return
        if "ip_length_beyond_frame" in row["quirks"]:
            left.add("other")
        elif ones_complement_sum(packet) != ALL_ONES:
            self.put(data, at + 4, checksum(packet[:4], packet[6:]), "GRE", wrote)

    @staticmethod
    def has_fcs(frame: Frame, outermost: Row) -> bool:
        """Does an Ethernet frame end with a check sequence, which was captured?"""
        if frame.cut or row_end(outermost) > len(frame.data) - 4:
            return False
        if frame.link == 274:
            return frame.data[7] == 0xD5 and len(frame.data) >= 26 and frame.fcs in (0, 4)
        return frame.link in (1, 281, 284, 285) and frame.fcs == 4 and len(frame.data) >= 18


def row_end(row: Row) -> int:
    """Where the IP packet ends."""
    end: int = row["l3_at"] + row["ip_len"]
    return end
