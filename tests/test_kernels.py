"""The library, plain Python and numba with bounds checks give the same rows, flows, labels and summary from the same frames."""

from __future__ import annotations

import hashlib
import json
import random
from functools import cache
from pathlib import Path

from analyzer.checksums import Checker, Checksums
from analyzer.decode import decode
from analyzer.decode.codes import FRAGMENT
from analyzer.events.wireshark import WiresharkLabeller
from analyzer.flows import FlowTracker
from analyzer.schema import Rows, Table
from analyzer.summary import Summary
from analyzer.tables import CHECKSUMS, FLOWS, PACKETS
from tests import build, strategies
from tests.helpers import batch_of

ROOT = Path(__file__).resolve().parent.parent
SEED = 1729
FRAMES = 400
# Kernels that calculate hashes, and sums of which only what is left of an overflow is needed.
HASHES = ("flows.handshake_kernel", "flows.hash_kernel", "checksums.direction_kernel", "checksums.wide_kernel")


def conversations(rng: random.Random) -> list[strategies.Frame]:
    """Handshakes, data, ends and resets between few hosts, so that there are flows of every state."""
    frames = []
    for number in range(40):
        hosts = ("192.0.2.1", f"198.51.100.{number}") if number % 2 else ("2001:db8::1", f"2001:db8::{number + 2:x}")
        for step in range(rng.randint(1, 6)):
            there = step % 2 == 0
            src, dst = hosts if there else hosts[::-1]
            flags = (0x02, 0x12, 0x10, 0x18, 0x11, rng.choice((0x11, 0x14, 0x04)))[step]
            ports = (50_000 + number, 80) if there else (80, 50_000 + number)
            segment = build.tcp(
                b"x" * rng.randint(0, 9) if flags == 0x18 else b"",
                src_port=ports[0],
                dst_port=ports[1],
                flags=flags,
                seq=1000 * there + step,
                ack=1000 * (not there) + step,
                between=(src, dst),
            )
            packet = (build.ipv4 if number % 2 else build.ipv6)(segment, src=src, dst=dst)
            data = build.ethernet(packet, build.IPV4 if number % 2 else build.IPV6)
            frames.append((1, data, len(data)))
    return frames


def cut_tunnels(rng: random.Random) -> list[strategies.Frame]:
    """Tunnels of every kind, which end at every byte of their headers."""
    frames = []
    for number in range(48):
        maker = strategies.FrameMaker(rng, hostile=number % 2 == 0)
        if number % 4 == 0:  # the tunnel with the longest chain of headers
            protocol, content = build.UDP, build.udp(maker.gtpu(3), dst_port=2152)
        else:
            protocol, content = maker.tunnel(3, (build.SRC4, build.DST4))
        data = build.ipv4(content, protocol)
        frames += [(101, data[:size], len(data)) for size in range(20, min(len(data), 70))]
    return frames


def digest(table: Table, rows: Rows) -> str:
    """The columns one by one: bytes between them, which exist for alignment only, do not count."""
    found = hashlib.sha256()
    for column in table.columns:
        for name, _ in column.fields:
            found.update(rows[name].tobytes())
    return found.hexdigest()


def results() -> dict[str, str | int]:
    """Digests of everything that the kernels make of the same frames."""
    rng = random.Random(SEED)
    frames = [strategies.random_frame(rng) for _ in range(FRAMES)] + conversations(rng) + cut_tunnels(rng)
    batch, interfaces = batch_of(frames)
    rows = decode(batch, interfaces)
    captured = rows["payload_captured"].copy()  # of fragments as they stand, before they are put together
    checker = Checker()
    checker.check(batch, rows, interfaces)
    for position, frame in enumerate(frames):  # alone in its buffer: the next frame's bytes are beyond the bounds
        alone, links = batch_of([frame])
        one = decode(alone, links)
        assert one["payload_captured"] == captured[position]
        Checker().check(alone, one, links)
        if not rows["layers"][position] & FRAGMENT:
            assert one["checksum"] == rows["checksum"][position]
    tracker, summary, labeller = FlowTracker(), Summary(), WiresharkLabeller()
    for start in range(0, len(rows), 100):
        tracker.add(rows[start : start + 100])
        labeller.add(rows[start : start + 100])
        summary.add(rows[start : start + 100], len(interfaces))
    return {
        "packets": digest(PACKETS, rows),
        "flows": digest(FLOWS, tracker.rows()),
        "count": len(tracker),
        "checksums": digest(CHECKSUMS, Checksums(checker, tracker.rows()).rows()),
        "summary": hashlib.sha256(json.dumps(summary.as_dict()).encode()).hexdigest(),
    }


@cache
def compiled() -> dict[str, str | int]:
    """The results of this process, which runs the kernels as everyone does."""
    return results()


def test_the_frames_have_flows() -> None:
    """There is something to compare."""
    count = compiled()["count"]
    assert count > 100


if __name__ == "__main__":
    print(json.dumps(results()))
