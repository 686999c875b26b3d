"""What tshark says of a capture: it is asked for fields, and for those that hold the same as a column of `packets`."""

from __future__ import annotations

import gzip
import lzma
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests import build

PROGRAM = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(PROGRAM is None, reason="needs tshark")

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


# Many captures

FEW = 2000  # frames: tshark begins in less time than it takes to read so many
AT_ONCE = 40  # captures in one run


class Captures:
    """What tshark says of the frames of many captures, asked for when the first is wanted.

    Most of the time for a small capture goes by before tshark begins to read. So several are read in one run: mergecap puts them behind
    each other, each filled up to the same number of frames, and after so many tshark forgets all that it knows (`-M`), so that each
    is read as if alone. Alone are read those of which `alone` holds, long ones, and those of which mergecap would not take every frame.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        fields: Iterable[str],
        *,
        preferences: Iterable[str] = (),
        most: int | None = None,
        whole: bool = True,
        alone: Callable[[Path], bool] = lambda path: False,
    ) -> None:
        """`most`: no more frames of each are wanted; `whole` as of `fields_of`."""
        self._paths, self._fields, self._preferences = list(paths), list(fields), list(preferences)
        self._options = [] if most is None else ["-c", str(most)]
        self._whole, self._alone = whole, alone
        self._groups: dict[Path, dict[Path, int]] | None = None
        self._said: dict[Path, list[list[str]]] = {}

    def __getitem__(self, path: Path) -> list[list[str]]:
        """The fields of each frame, as `fields_of` gives them."""
        if path not in self._said:
            if self._groups is None:
                self._groups = self._grouped()
            if path in self._groups:
                self._said |= self._said_of(self._groups[path])
            else:
                self._said[path] = self._fields_of(path, self._options, self._whole)
        return self._said[path]

    def _fields_of(self, path: Path, options: Iterable[str], whole: bool) -> list[list[str]]:
        return fields_of(path, self._fields, preferences=self._preferences, options=options, whole=whole)

    def _grouped(self) -> dict[Path, dict[Path, int]]:
        """The captures that are read together, and their frames: those that have about as many."""
        counts = {
            path: count
            for path, count in frame_counts(self._paths).items()
            if 0 < count <= FEW and not self._alone(path) and not custom_blocks(path)
        }
        by_length = sorted(counts, key=lambda path: (counts[path], path))
        groups: dict[Path, dict[Path, int]] = {}
        for start in range(0, len(by_length), AT_ONCE):
            group = {path: counts[path] for path in by_length[start : start + AT_ONCE]}
            groups |= dict.fromkeys(group, group)
        return groups

    def _said_of(self, group: dict[Path, int]) -> dict[Path, list[list[str]]]:
        """The fields of the captures of a group."""
        length = max(group.values())
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for path, count in group.items():
                files.append(path)
                if count < length:
                    files.append(Path(folder) / f"{length - count}.pcap")
                    files[-1].write_bytes(build.pcap([build.Record(b"")] * (length - count)))
            joined = Path(folder) / "joined.pcapng"
            subprocess.run(["mergecap", "-a", "-F", "pcapng", "-w", joined, *files], check=True, timeout=600)
            rows = self._fields_of(joined, ["-M", str(length)], whole=True)
        assert len(rows) == length * len(group), list(group)
        starts = range(0, len(rows), length)
        return {path: rows[start : start + group[path]] for path, start in zip(group, starts, strict=True)}


def frame_counts(paths: Iterable[Path]) -> dict[Path, int]:
    """The number of frames of each file that Wireshark's library reads to its end, and takes for a capture: it reads any file as one frame of some type."""
    by_name = {str(path): path for path in paths}
    done = subprocess.run(["capinfos", "-TMtcr", *by_name], capture_output=True, text=True, timeout=600, check=False)
    lines = [line.rsplit("\t", 2) for line in done.stdout.splitlines()]
    return {
        by_name[name]: int(count) for name, kind, count in lines if kind != "mime" and f'"{name}"' not in done.stderr
    }


def custom_blocks(path: Path) -> int:
    """How many custom blocks a pcapng file has: tshark numbers them as frames."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    elif content[:4] == b"\xfd7zX":
        content = lzma.decompress(content)
    if content[:4] != b"\x0a\x0d\x0d\x0a":
        return 0
    found, at, order = 0, 0, "<"
    while at + 12 <= len(content):
        if content[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if content[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, size = struct.unpack(f"{order}II", content[at : at + 8])
        found += kind in (0xBAD, 0x40000BAD)
        at += max(size, 12)
    return found
