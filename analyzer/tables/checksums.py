"""The table of what checksums mean, by direction."""

from __future__ import annotations

from analyzer.schema import Column, Table
from analyzer.tables.packets import CHECKSUM_STATES, HEADER_CHECKSUM_STATES

CHECKED_PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6", 47: "gre"}
CHECKSUM_VERDICTS = (
    "", "valid", "offload", "virtual", "merged", "stale", "corruption", "middlebox", "tunnel", "wrong",
    "unverifiable", "none", "rewritten",
)  # fmt: skip

CHECKSUMS = Table(
    "checksums",
    "One row per direction: a source, a destination and a protocol of the innermost IP packet, or of one of a tunnel around it, with what its checksums mean. `tcpcap checksums` gives the evidence in words.",
    (
        Column("ip_version", "u1", "4 or 6."),
        Column("src", "", "Source address.", kind="address", version="ip_version"),
        Column("dst", "", "Destination address.", kind="address", version="ip_version"),
        Column("protocol", "u1", "Protocol whose checksum was verified; empty for others, of which only the IPv4 header was.", kind="enum", words=("", *CHECKED_PROTOCOLS.values())),
        Column("verdict", "u1", "`valid` all are right; `offload` the sender's card finishes them; `virtual` nobody does, on a virtual link or within one host; `merged` merged on arrival (GRO, LRO); `stale` the field holds anything, and the receiver got it right; `corruption` changed on the way, or by the sender; `middlebox` a field was rewritten without updating the checksum; `tunnel` nobody computed those of the outer headers of a tunnel, and the receiver drops them; `wrong` wrong, and nothing tells why; `unverifiable` too little was captured; `none` UDP without checksums; `rewritten` right on the way, and changed where the capture was taken, or in the file (anonymised).", kind="enum", words=CHECKSUM_VERDICTS),
        Column("outer", "u1", "1 if these are the headers of a tunnel, around another packet: its UDP or GRE checksums, and those of its IPv4 headers."),
        Column("frames", "i8", "Frames of this direction."),
        *(
            Column(word, "i8", f"Frames whose `checksum` is `{word}`.")
            for word in CHECKSUM_STATES if word
        ),
        *(
            Column(f"ip_header_{word}", "i8", f"Frames whose `ip_header_checksum` is `{word}`.")
            for word in HEADER_CHECKSUM_STATES if word
        ),
        Column("first_wrong", "i8", "First frame that is bad or zero, or has a wrong IPv4 header; 0 without one."),
        Column("repaired", "i8", "Wrong TCP segments that were sent again before they were acknowledged (up to 16 are watched at a time)."),
        Column("acknowledged", "i8", "Wrong TCP segments that were acknowledged as they are."),
        Column("offset", "i4", "By how much the sum of wrong frames is off (new value of the changed field less the old one, modulo 65535), if 9 of 10 agree; else -1."),
        Column("start_ns", "i8", "Time of the first frame.", unit="ns"),
        Column("end_ns", "i8", "Time of the last frame.", unit="ns"),
    ),
)  # fmt: skip
