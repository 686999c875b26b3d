"""What tshark says of a capture: it is asked for fields, and for those that hold the same as a column of `packets`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

PROGRAM = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(PROGRAM is None, reason="needs tshark")

TRANSPORTS = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6"}
IPV4_FIELDS = {
    "src": "ip.src",
    "dst": "ip.dst",
    "tos": "ip.dsfield",
    "ttl": "ip.ttl",
    "ip_id": "ip.id",
    "ip_len": "ip.len",
    "ip_flags": "ip.flags",
    "fragment_offset": "ip.frag_offset",
    "ip_proto": "ip.proto",
    "ip_checksum": "ip.checksum",
}
IPV6_FIELDS = {
    "src": "ipv6.src",
    "dst": "ipv6.dst",
    "tos": "ipv6.tclass",
    "ttl": "ipv6.hlim",
    "flow_label": "ipv6.flow",
    "ip_len": "ipv6.plen",
    "ip_proto": "ipv6.nxt",
}
TRANSPORT_FIELDS = {
    "tcp": {
        "src_port": "tcp.srcport",
        "dst_port": "tcp.dstport",
        "seq": "tcp.seq_raw",
        "ack": "tcp.ack_raw",
        "flags": "tcp.flags",
        "window": "tcp.window_size_value",
        "urgent": "tcp.urgent_pointer",
        "checksum_field": "tcp.checksum",
        "header_len": "tcp.hdr_len",
        "payload_len": "tcp.len",
    },
    "udp": {
        "src_port": "udp.srcport",
        "dst_port": "udp.dstport",
        "udp_len": "udp.length",
        "checksum_field": "udp.checksum",
    },
    "icmp": {"icmp_type": "icmp.type", "icmp_code": "icmp.code", "checksum_field": "icmp.checksum"},
    "icmpv6": {"icmp_type": "icmpv6.type", "icmp_code": "icmpv6.code", "checksum_field": "icmpv6.checksum"},
}
OPTION_FIELDS = {
    "mss": "tcp.options.mss_val",
    "window_scale": "tcp.options.wscale.shift",
    "tsval": "tcp.options.timestamp.tsval",
    "tsecr": "tcp.options.timestamp.tsecr",
}
TUNNEL_FIELDS = {"vxlan": "vxlan.vni", "geneve": "geneve.vni", "gre": "gre.key", "gtpu": "gtp.teid"}

# Headers as they stand in the frame, and not what tshark makes of several.
AS_THEY_STAND = (
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
    "ipv6.tso_support:TRUE",
    "tcp.relative_sequence_numbers:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
)


def fields_of(
    path: Path,
    fields: Iterable[str],
    *,
    preferences: Iterable[str] = (),
    options: Iterable[str] = (),
    whole: bool = True,
) -> list[list[str]]:
    """The fields of each frame as text: of one that occurs more than once all occurrences, outermost first, joined by `;`.

    `whole`: tshark must read the file to its end; without, there may be fewer frames.
    """
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=/t", "-E", "aggregator=;", *options]
    command += [word for name in fields for word in ("-e", name)]
    command += [word for preference in preferences for word in ("-o", preference)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=whole)
    return [line.split("\t") for line in done.stdout.splitlines()]
