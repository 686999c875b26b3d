"""Our words on a frame's checksums against tshark's, and where the two may differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analyzer.crosscheck.shape import TRANSPORTS, Shape
from analyzer.fields import of_fields

Row = Mapping[str, Any]

STATUS = {"": "", "0": "bad", "1": "good", "2": "unverified", "3": "none", "4": "illegal"}
STATUS_FIELDS = ("ip.checksum.status", *(f"{name}.checksum.status" for name in TRANSPORTS.values()))
AGREEING = {
    ("", ""),
    ("valid", "good"),
    ("none", "none"),
    ("unverifiable", "unverified"),
    ("unverifiable", ""),  # a fragment, or a header that is not complete
    *((word, "bad") for word in ("bad", "partial", "zero")),
    ("zero", "illegal"),  # UDP over IPv6
}


@of_fields(frozen=True)
class Checked:
    """A frame, its row (words of `quirks` and `layers` as sets), our words on its checksums, and those of tshark on the same headers."""

    number: int
    data: bytes
    row: Row
    checksum: str
    header: str
    said_checksum: str
    said_header: str
    shape: Shape

    @property
    def comparable(self) -> bool:
        """Are both about the same transport?"""
        return self.shape.transport == TRANSPORTS.get(self.row["ip_proto"])


@of_fields(frozen=True)
class Exclusion:
    """Words of tcpcap and of tshark for a frame of which `applies` holds, though they do not agree."""

    name: str
    reason: str
    words: tuple[str, ...]
    said: tuple[str, ...]
    applies: Callable[[Checked], bool]

    def explains(self, frame: Checked) -> bool:
        """Is this why they differ?"""
        return frame.checksum in self.words and frame.said_checksum in self.said and self.applies(frame)


def same_headers(row: Row, shape: Shape) -> bool:
    """Is what tshark says about the headers that the row is about?"""
    same_depth = row["tunnel_depth"] + (row["ip_version"] > 0) == len(shape.versions)
    return bool(same_depth and shape.versions and shape.versions[-1] == row["ip_version"])


def of_innermost(shape: Shape, row: Row, said: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """tshark's words on the transport and on the IP header that the row is about: the last before a quoted packet."""
    transport = header = ""
    place = shape.versions.count(4) - 1
    if row["ip_version"] == 4 and place < len(said["ip.checksum.status"]):
        header = said["ip.checksum.status"][place]
    if shape.transport and shape.transports <= len(said[f"{shape.transport}.checksum.status"]):
        transport = said[f"{shape.transport}.checksum.status"][shape.transports - 1]
    return STATUS[transport], STATUS[header]


def _size_in_packet(row: Row) -> int:
    """Bytes of the IP packet behind its headers."""
    return int(row["l3_at"] + row["ip_len"] - row["l4_at"])


def _pointer_at_end(frame: Checked) -> bool:
    """Does the pointer of a source route point to the last byte of the route?"""
    option = frame.data[frame.row["l3_at"] + 20 : frame.row["l4_at"]].lstrip(b"\x01")
    return option[0] in (131, 137) and option[1] == option[2]


EXCLUSIONS = (
    Exclusion(
        "length beyond the frame",
        "the IP packet is said to be longer than its frame; tshark takes the frame's end for its end",
        ("unverifiable",),
        ("good", "bad"),
        lambda frame: "ip_length_beyond_frame" in frame.row["quirks"],
    ),
    Exclusion(
        "bad TCP header",
        "tshark does not verify a segment whose data offset is too small, of which the IP packet says how long it is",
        ("bad",),
        ("",),
        lambda frame: frame.row["stop"] == "bad_tcp_header",
    ),
    Exclusion(
        "cut behind what is covered",
        "UDP ends early in its packet; tshark does not verify what is cut anywhere",
        ("valid", "bad", "partial", "zero"),
        ("unverified",),
        lambda frame: frame.row["udp_len"] > 0 and "cut" in frame.row["quirks"],
    ),
)
# With frames made to be odd, these also:
ODD_EXCLUSIONS = (
    Exclusion(
        "unknown routing header",
        "segments are left in a routing header of an unknown type; tshark takes the destination of the IPv6 header",
        ("unverifiable",),
        ("good", "bad", "illegal"),
        lambda frame: "extension" in frame.row["layers"],
    ),
    Exclusion(
        "pointer of a source route",
        "one that points into its last address has not passed it (RFC 791); tshark wants it to leave a whole address",
        ("valid", "bad", "partial", "none"),
        ("bad", "good", "none"),
        lambda frame: "ip_options" in frame.row["layers"] and _pointer_at_end(frame),
    ),
    Exclusion(
        "length 0 of UDP",
        "which tshark does not go into but in a jumbogram",
        ("valid", "bad", "partial", "zero", "none"),
        ("",),
        lambda frame: frame.row["ip_proto"] == 17 and frame.row["udp_len"] == 0,
    ),
    Exclusion(
        "UDP longer than its packet",
        "tshark says that there is no checksum before it says that the length is wrong",
        ("unverifiable",),
        ("none", "illegal"),
        lambda frame: frame.row["ip_proto"] == 17 and frame.row["udp_len"] > _size_in_packet(frame.row),
    ),
    Exclusion(
        "FFFF for 0",
        "a right sum, which a receiver accepts, but a badly computed one (RFC 1624), which tshark calls bad",
        ("valid",),
        ("bad",),
        lambda frame: frame.row["checksum_field"] == 0xFFFF,
    ),
)
