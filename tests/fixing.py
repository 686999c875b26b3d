"""What the tests of fix_checksums share: frames with wrong checksums, captures of them, and the comparison with the twin."""

from __future__ import annotations

import itertools
import random
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.capture import open_capture
from analyzer.checksums import Checker
from analyzer.checksums.fix import Fixed, fix_checksums
from analyzer.schema import address_text
from tests import build, strategies
from tests.helpers import contents
from tests.naive.checksums import ALL_ONES, ones_complement_sum, pseudo_header
from tests.naive.fix import (
    FIELD_AT,
    GRE,
    ICMP,
    ICMPV6,
    MILLISECOND,
    NOT_READY,
    TCP,
    UDP,
    VERIFIED,
    Frame,
    NaiveFixer,
    Way,
    levels,
    never,
)
from tests.tshark import fields_of

# Captures of frames


def changed(frames: Sequence[Frame], contents: Sequence[bytes]) -> list[Frame]:
    """The frames with other bytes."""
    return [replace(frame, data=data) for frame, data in zip(frames, contents, strict=True)]


def pcapng_of(frames: Sequence[Frame], order: str = "<") -> bytes:
    """One section, an interface for each link type, a millisecond from frame to frame."""
    kinds = list(dict.fromkeys((frame.link, frame.fcs) for frame in frames))
    blocks = [build.idb(link=link, fcs_bits=8 * fcs if fcs else None, order=order) for link, fcs in kinds]
    for position, frame in enumerate(frames):
        blocks.append(
            build.epb(
                frame.data,
                interface=kinds.index((frame.link, frame.fcs)),
                ticks=position * 1000,
                length=frame.length,
                flags=frame.flags or None,
                order=order,
            )
        )
    return build.shb(order=order) + b"".join(blocks)


def pcap_of(frames: Sequence[Frame], **fields: Any) -> bytes:
    """Classic pcap."""
    records = [build.Record(frame.data, position * MILLISECOND, ifindex=3) for position, frame in enumerate(frames)]
    return build.pcap(records, **fields)


# The real one


def marked_by(is_marked: Way) -> Callable[[Checker], npt.NDArray[np.bool_]]:
    """What fix_checksums asks about the directions of a Checker."""

    def offloaded(checker: Checker) -> npt.NDArray[np.bool_]:
        found = []
        for row in checker.directions:
            version = int(row["version"])
            ends = [address_text(int(row[f"{end}_hi"]), int(row[f"{end}_lo"]), version) for end in ("src", "dst")]
            found.append(is_marked((version, *ends, int(row["proto"]))))
        return np.array(found, np.bool_)

    return offloaded


def run(
    folder: Path, content: bytes, *, target: str = "out", marked: Way = never, **options: Any
) -> tuple[bytes, Fixed]:
    """Fix the capture `content`."""
    source = folder / "in"
    source.write_bytes(content)
    done = fix_checksums(str(source), str(folder / target), offloaded=marked_by(marked), **options)
    assert source.read_bytes() == content
    return (folder / target).read_bytes(), done


def nonzero(counts: dict[str, int] | Counter[str]) -> dict[str, int]:
    """What was counted."""
    return {name: count for name, count in counts.items() if count}


def compare(folder: Path, frames: Sequence[Frame], *, marked: Way = never, **options: Any) -> Fixed:
    """The twin's bytes and counts are the compiled kernel's."""
    naive = NaiveFixer(frames, everything=options.get("everything", False), marked=marked)
    expected = changed(frames, naive.fixed())
    out, done = run(folder, pcapng_of(frames), marked=marked, **options)
    if out != pcapng_of(expected):
        actual = data_of(folder / "out")
        for position, (frame, want, got) in enumerate(zip(frames, expected, actual, strict=True)):
            assert got == want.data, (
                f"frame {position + 1}, link {frame.link}, cut {frame.cut}, fcs {frame.fcs}, flags {frame.flags:x}\n"
                f"given  {frame.data.hex()}\nwanted {want.data.hex()}\ngot    {got.hex()}"
            )
    assert out == pcapng_of(expected)
    assert done.frames == len(frames)
    assert not done.damages
    assert nonzero(done.fixed) == naive.wrote
    ours, theirs = nonzero(done.left), dict(naive.left)
    ours.pop("fragment", None)
    theirs.pop("fragment", None)
    assert ours == theirs
    return done


def data_of(path: Path | str, most: int | None = None) -> list[bytes]:
    """The captured bytes of each frame of a file."""
    found: list[bytes] = []
    with open_capture([str(path)]) as capture:
        for batch in capture:
            found += contents(batch)
            if most is not None and len(found) >= most:
                break
    return found[:most]


# Frames with wrong checksums


def spoilt(rng: random.Random, frame: Frame) -> Frame:
    """The frame with some of its checksums partial, zero, minus zero or anything."""
    data = bytearray(frame.data)
    for row in levels(frame):
        at = row["l3_at"]
        if row["ip_version"] == 4 and at + 12 <= len(data) and rng.random() < 0.3:
            data[at + 10 : at + 12] = rng.choice((b"\0\0", b"\xff\xff", rng.randbytes(2)))
        field = row["l4_at"] + FIELD_AT.get(row["ip_proto"], 0)
        known = row["ip_proto"] in FIELD_AT and row["l4_at"] and field + 2 <= len(data) and not row["fragment_offset"]
        if known and rng.random() < 0.6:
            size = row["header_len"] + row["payload_len"]
            partial = ones_complement_sum(pseudo_header(row, build.packed(row["dst"]), rng.choice((size, 0))))
            value = rng.choice((0, ALL_ONES, partial, partial, rng.getrandbits(16)))
            data[field : field + 2] = value.to_bytes(2, "big")
        if row["ip_proto"] == GRE and row["l4_at"] and row["l4_at"] + 6 <= len(data) and rng.random() < 0.2:
            data[row["l4_at"] + 4] ^= 1
    return replace(frame, data=bytes(data))


def random_frame(rng: random.Random) -> Frame:
    """A frame of any kind and link type, of any interface, with flags or without."""
    link, data, length = strategies.random_frame(rng)
    fcs = rng.choice((0, 0, 0, 4, 4, 2)) if link in (1, 274, 281, 282, 285, 113) else 0
    if fcs == 4 and length == len(data) and rng.random() < 0.8:
        data += zlib.crc32(data).to_bytes(4, "little")
        length += 4
    flags = rng.choice((NOT_READY, VERIFIED, 1, 2)) if rng.random() < 0.1 else 0
    if length < len(data):  # the file says that more was captured than there was
        data = data[:length]
    return Frame(data, link, length - len(data), fcs, flags)


def segment(rng: random.Random, protocol: int, size: int, between: tuple[str, str]) -> bytes:
    """A transport datagram with a right checksum, or UDP without."""
    payload = rng.randbytes(size)
    if protocol == TCP:
        return build.tcp(payload, between=between)
    if protocol == UDP:
        return build.udp(payload, between=between, check=0 if rng.random() < 0.15 else None)
    if protocol == ICMP:
        return build.icmp(payload)
    return build.icmpv6(payload, between=between)


def tunnelled(rng: random.Random, between: tuple[str, str]) -> bytes:
    """A UDP datagram that carries a frame whose checksums are wrong, as when the card is to finish them."""
    inner = Frame(build.ethernet(build.ipv4(build.tcp(rng.randbytes(200)))))
    check = rng.choice((0, None, None, rng.getrandbits(16)))
    datagram = build.udp(build.vxlan(inner.data), dst_port=4789, between=between, check=check)
    return datagram[:16] + spoilt(rng, inner).data


def fragments(rng: random.Random, ident: int) -> list[Frame]:
    """A datagram in pieces, on the wire or in a tunnel, sometimes one lost, doubled or late."""
    version = rng.choice((4, 6))
    between = (build.SRC4, build.DST4) if version == 4 else (build.SRC6, build.DST6)
    protocol = rng.choice((TCP, UDP, UDP, ICMP if version == 4 else ICMPV6))
    whole = bytearray(segment(rng, protocol, rng.randint(20, 300), between))
    if rng.random() < 0.2:
        protocol, whole = UDP, bytearray(tunnelled(rng, between))
    elif rng.random() < 0.7:
        field = FIELD_AT[protocol]
        whole[field : field + 2] = rng.choice((b"\0\0", b"\xff\xff", rng.randbytes(2)))
    edges = sorted({0, *(8 * rng.randint(1, len(whole) // 8) for _ in range(rng.randint(1, 5))), len(whole)})
    packets = []
    for start, end in itertools.pairwise(edges):
        more = end < len(whole)
        if version == 4:
            packets.append(build.ipv4(bytes(whole[start:end]), protocol, ident=ident, flags=int(more), offset=start))
        else:
            headers = [build.options_header(0)] * rng.randint(0, 1) + [
                build.fragment_header(offset=start, more=more, ident=ident)
            ]
            packets.append(build.ipv6(bytes(whole[start:end]), protocol, extensions=headers))
    if rng.random() < 0.2:
        packets.append(packets.pop(0))
    if rng.random() < 0.15:
        packets.pop(rng.randrange(len(packets)))
    if rng.random() < 0.15:
        packets.append(rng.choice(packets))
    found = []
    inside = rng.random() < 0.2
    for packet in packets:
        data = build.ethernet(packet, build.IPV4 if version == 4 else build.IPV6)
        if inside:
            data = build.ethernet(build.ipv4(build.udp(build.vxlan(data), dst_port=4789), UDP, src="203.0.113.7"))
        frame = Frame(data)
        found.append(spoilt(rng, frame) if rng.random() < 0.3 and not levels(frame)[-1]["l4_at"] else frame)
    return found


def some_frames(seed: int = 1, count: int = 40) -> list[Frame]:
    """Ethernet frames with wrong checksums, of any size and kind."""
    rng = random.Random(seed)
    return [spoilt(rng, Frame(strategies.FrameMaker(rng).ethernet(0))) for _ in range(count)]


@cache
def given_and_wanted() -> tuple[list[Frame], list[Frame]]:
    """Frames, and the same with right checksums."""
    frames = some_frames()
    return frames, changed(frames, NaiveFixer(frames, everything=True).fixed())


# What tshark says

CHECKED = (
    *(f"{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")),
    "eth.check_fcs:TRUE",
    "tcp.desegment_tcp_streams:FALSE",
    "tcp.analyze_sequence_numbers:FALSE",
)


def said_of(path: Path, *fields: str, options: Sequence[str] = ()) -> list[list[str]]:
    """The fields of each frame, with every checksum verified."""
    return fields_of(path, fields, preferences=CHECKED, options=options, whole=False)
