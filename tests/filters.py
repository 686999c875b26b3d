"""Filters in tcpdump's language, generated, against `tcpdump -r`: the same frames.

    python -m tests.filters [CAPTURE...]

tries 200 of them on each capture, or on those of the samples and on random frames of every link type where none is named, with libpcap's
compiler and with our own as far as that knows the words. Prints what differs; exit status 1 where anything does.
"""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from analyzer.capture import open_capture
from analyzer.choose import compiler
from analyzer.choose.filtering import Filter
from analyzer.choose.program import Program
from analyzer.errors import UsageError
from analyzer.schema import address_text
from analyzer.tables import PACKETS
from tests import build, strategies
from tests.helpers import CAPTURES

PROGRAM = shutil.which("tcpdump")
EXPRESSIONS = 200
PROTOCOLS = ("ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "sctp")
LIBPCAP_ONLY = (
    "tcp[tcpflags] & tcp-syn != 0", "ip[8] < 64", "ip multicast", "ip6 proto 17", "len >= 100", "ip[6:2] & 0x1fff != 0", "proto 47",
    "tcp[13] = 16 and ip[2:2] - ((ip[0] & 15) << 2) - ((tcp[12] & 0xf0) >> 2) != 0", "ip protochain 6", "ether[0] & 1 = 1", "ether multicast",
    "ip[0] * 3 / 2 % 7 != 1", "ip[8:4] ^ ip[12:4] | 3 > 0x40000000", "gateway 10.0.0.1", "tcp[2:2] << 3 > 4000", "udp[4:2] > 100",
)  # fmt: skip


class Words:
    """Makes expressions of addresses and ports that a capture has. `common` ones are of the part of the language that our compiler knows."""

    def __init__(self, rng: random.Random, addresses: Sequence[str], ports: Sequence[int], vlans: bool) -> None:
        self._rng = rng
        self._addresses = [*addresses, "192.0.2.1", "2001:db8::1"]
        self._ports = [*ports, 80]
        self._vlans = vlans

    def expression(self, depth: int = 2, common: bool = True) -> str:
        """One expression."""
        rng = self._rng
        if depth == 0 or rng.random() < 0.3:
            return self._atom(common)
        if rng.random() < 0.2:
            return f"not {self._bracketed(depth - 1, common)}"
        word = rng.choice(("and", "or", "&&", "||"))
        return f"{self._bracketed(depth - 1, common)} {word} {self._bracketed(depth - 1, common)}"

    def _bracketed(self, depth: int, common: bool) -> str:
        text = self.expression(depth, common)
        return f"({text})" if self._rng.random() < 0.3 else text

    def _atom(self, common: bool) -> str:
        rng = self._rng
        if not common and rng.random() < 0.5:
            return rng.choice(LIBPCAP_ONLY)
        side = rng.choice(("", "", "src ", "dst ", "src or dst ", "src and dst "))
        kind = rng.randrange(8 if self._vlans else 7)
        if kind == 0:
            return rng.choice(PROTOCOLS)
        if kind == 1:
            address = rng.choice(self._addresses)
            return f"{side}host {address}" + (f" or {rng.choice(self._addresses)}" if rng.random() < 0.3 else "")
        if kind == 2:
            return self._net(side)
        if kind == 3:
            ports = " or ".join(str(rng.choice(self._ports)) for _ in range(rng.choice((1, 1, 2))))
            return f"{rng.choice(('', '', 'tcp ', 'udp '))}{side}port " + (f"({ports})" if " " in ports else ports)
        if kind == 4:
            low, high = sorted((rng.choice(self._ports), rng.randrange(1, 65536)))
            return f"{side}portrange {low}-{high}"
        if kind == 5:
            return f"{rng.choice(('less', 'greater'))} {rng.choice((0, 60, 66, 100, 1514))}"
        if kind == 6:
            return f"{rng.choice(('ip', 'arp'))} {side}host {rng.choice([each for each in self._addresses if ':' not in each])}"
        return rng.choice(("vlan", f"vlan {rng.choice((1, 7, 100))}"))

    def _net(self, side: str) -> str:
        address = self._rng.choice(self._addresses)
        if ":" in address:
            length = self._rng.choice((32, 64, 100, 128))
            number = int.from_bytes(build.packed(address)) >> (128 - length) << (128 - length)
            return f"{side}net {address_text(number >> 64, number & (1 << 64) - 1, 6)}/{length}"
        parts = address.split(".")[: self._rng.choice((1, 2, 3))]
        if self._rng.random() < 0.5:
            return f"{side}net {'.'.join(parts)}"
        return f"{side}net {'.'.join(parts + ['0'] * (4 - len(parts)))}/{8 * len(parts)}"


def words_of(path: Path, rng: random.Random) -> Words:
    """Of what the first frames of a capture hold."""
    from analyzer.decode import decode

    addresses: dict[str, None] = {}
    ports: dict[int, None] = {}
    with open_capture([path]) as capture:
        for batch in capture:
            for row in decode(batch, capture.interfaces)[:400]:
                if row["ip_version"]:
                    addresses |= dict.fromkeys(
                        address_text(int(row[f"{end}_hi"]), int(row[f"{end}_lo"]), int(row["ip_version"]))
                        for end in ("src", "dst")
                    )
                    ports |= dict.fromkeys((int(row["src_port"]), int(row["dst_port"])))
            break
        vlans = set(capture.interfaces.link_types.tolist()) == {1}
    return Words(rng, list(addresses)[:20], [port for port in ports if port][:20], vlans)


def kept_by_tcpdump(path: Path, text: str, *options: str) -> list[bytes] | None:
    """The bytes of the frames that `tcpdump -r` writes; None where it refuses the filter or the file."""
    done = subprocess.run([str(PROGRAM), *options, "-r", path, "-w", "-", text], capture_output=True, check=False)
    if done.returncode:
        return None
    order = "<" if done.stdout[:1] in (b"\xd4", b"\x4d") else ">"
    found, at = [], 24
    while at + 16 <= len(done.stdout):
        (captured,) = struct.unpack_from(order + "I", done.stdout, at + 8)
        found.append(done.stdout[at + 16 : at + 16 + captured])
        at += 16 + captured
    return found


def kept(path: Path, text: str, compiled: Callable[[str, int], Program] | None = None) -> list[bytes] | None:
    """The same by our machine; with another compiler than that which commands take."""
    passing = Filter(text) if compiled is None else Filter(text, compiled)
    found = []
    try:
        with open_capture([path]) as capture:
            for batch in capture:
                rows = np.zeros(len(batch), PACKETS.dtype)
                passing.mark(batch, capture.interfaces, rows)
                found += [batch.data(position) for position in np.flatnonzero(rows["left_out"] == 0)]
    except UsageError:
        return None
    return found


def random_captures(folder: Path, rng: random.Random, count: int = 2000) -> list[Path]:
    """Random frames, whole, cut and hostile, a file for each link type."""
    by_type: dict[int, list[tuple[bytes, int]]] = {}
    for number in range(count):
        link, data, length = strategies.random_frame(rng)
        by_type.setdefault(link, []).append((data, length))
        if number % 2:  # Ethernet is what most filters are written for
            packet = strategies.FrameMaker(rng).transport(4, (build.SRC4, build.DST4))
            tagged = build.vlan(build.ipv4(packet[1], packet[0]), vid=rng.choice((1, 7, 100)))
            frame = build.ethernet(tagged, 0x8100)
            by_type.setdefault(1, []).append((frame, len(frame)))
    paths = []
    for link, frames in by_type.items():
        paths.append(folder / f"link-{link}.pcap")
        head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link)
        paths[-1].write_bytes(
            head + b"".join(struct.pack("<IIII", 0, 0, len(data), length) + data for data, length in frames)
        )
    return paths


def differing(path: Path, texts: Sequence[str], common: bool) -> Iterator[str]:
    """What is not as tcpdump has it, a sentence each."""
    for text in texts:
        ways = {"libpcap's": None} | ({"our own": compiler.compiled} if common else {})
        for name, compiled in ways.items():
            expected = kept_by_tcpdump(path, text)
            actual = kept(path, text, compiled)
            if name == "our own" and (actual is None or (expected is None and not actual)):
                continue  # a link type that it does not know, or a filter that no frame can pass, which libpcap refuses
            # libpcap's optimiser may spare a load, and ours may not: that matters for a frame that is cut there.
            if actual != expected and not (compiled and actual == kept_by_tcpdump(path, text, "-O")):
                sizes = ["refused" if each is None else f"{len(each):,} frames" for each in (expected, actual)]
                yield f"{path}: {text!r}, {name} compiler: tcpdump {sizes[0]}, tcpcap {sizes[1]}"


def tried(path: Path, rng: random.Random, count: int) -> Iterator[str]:
    """`count` expressions on one capture, half of them common."""
    words = words_of(path, rng)
    for common in (True, False):
        yield from differing(path, [words.expression(common=common) for _ in range(count // 2)], common)


def main(names: Sequence[str]) -> int:
    """Try all; 1 where something differs."""
    rng, found = random.Random(20_26), 0
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(name) for name in names] or [*CAPTURES[::8], *random_captures(Path(folder), rng)]
        readable = [path for path in paths if kept_by_tcpdump(path, "")]
        for path in readable:
            for text in tried(path, rng, EXPRESSIONS):
                print(text)
                found += 1
    print(
        f"{EXPRESSIONS} filters on each of {len(readable)} captures ({len(paths) - len(readable)} in which tcpdump finds no frame): {found} differ"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
