"""Hostile captures: whatever the bytes, reading and decoding end soon, in success, damages or a CaptureError.

20,000 seeded cases by default. A wider run: `TCPCAP_FUZZ_CASES=200000 python -m pytest tests/test_fuzz.py`.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import random
import struct
import time
from collections import Counter
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
import zstandard

from analyzer.capture import open_capture
from analyzer.decode import decode
from analyzer.errors import CaptureError
from analyzer.tables import STOPS
from tests import build, strategies
from tests.helpers import batch_of

CASES = int(os.environ.get("TCPCAP_FUZZ_CASES", "20000"))
SEEDS = 40  # tests that share the cases
CASE_SECONDS = 5
ROOT = Path(__file__).parent.parent

LENGTHS = (
    0,
    1,
    3,
    4,
    7,
    8,
    11,
    12,
    16,
    20,
    24,
    28,
    32,
    0xFFFF,
    2**16,
    262144,
    262145,
    2**20,
    2**26,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
HEADS = (
    build.pcap([]),
    build.pcap([], order=">", magic=build.NANOSECONDS),
    build.pcap([], magic=build.MODIFIED),
    build.pcap([], version=(2, 2), snaplen=2**32 - 1),
    build.shb(),
    build.shb() + build.idb(),
    build.shb(order=">") + build.idb(order=">", resolution=0xFF, offset=-(2**63)),
    b"snoop\0\0\0" + struct.pack(">II", 2, 4),
    b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"\x50\x2a\x4d\x18\x04\0\0\0skip",
    b"\xfd7zXZ\0",
    b"BZh9",
)
COMPRESS = (
    lambda data: gzip.compress(data, 1, mtime=0),
    zstandard.ZstdCompressor(level=1, write_checksum=True).compress,
    lz4.frame.compress,
    lambda data: lzma.compress(data, preset=0),
    lambda data: bz2.compress(data, 1),
)
NAMES = ("flip", "length", "splice", "truncate", "noise", "compressed", "traffic")


def snoop(rng: random.Random) -> bytes:
    """A well-formed snoop file."""
    content = b"snoop\0\0\0" + struct.pack(">II", 2, rng.choice((0, 4, 8)))
    for _ in range(rng.randint(0, 5)):
        data = rng.randbytes(4 * rng.randint(0, 15))
        content += struct.pack(">IIIIII", len(data) + 3, len(data), 24 + len(data), 0, rng.getrandbits(32), 7) + data
    return content


def traffic(rng: random.Random) -> bytes:
    """A classic or pcapng file with frames of every kind."""
    frames = [strategies.random_frame(rng) for _ in range(rng.randint(1, 6))]
    if rng.randint(0, 1):
        return build.pcap([build.Record(data, 0, length) for _, data, length in frames], link=frames[0][0])
    blocks = [build.idb(link=link, fcs_bits=rng.choice((None, 32))) for link, _, _ in frames]
    blocks += [build.epb(data, interface=number, length=length) for number, (_, data, length) in enumerate(frames)]
    return build.pcapng(build.shb(), *blocks)


def whole(rng: random.Random) -> bytes:
    """A well-formed capture of any format."""
    kind = rng.randint(0, 9)
    if kind == 0:
        return snoop(rng)
    return strategies.random_capture(rng)[1] if kind < 7 else traffic(rng)


def flip(rng: random.Random, content: bytes) -> bytes:
    """Some bits turned over."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 8, 50))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randint(0, 7)
    return bytes(changed)


def lengthen(rng: random.Random, content: bytes) -> bytes:
    """Some words, which may be lengths, set to something interesting in either byte order."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(changed)) // 4 * 4
        value = rng.choice((*LENGTHS, len(content), len(content) - at, rng.getrandbits(16), rng.getrandbits(32)))
        changed[at : at + 4] = struct.pack(rng.choice("<>") + "I", value)
    return bytes(changed)


def splice(rng: random.Random, content: bytes) -> bytes:
    """Parts taken out, doubled, moved, or put in from another capture."""
    first, last = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    other = whole(rng)
    start = rng.randrange(len(other))
    return rng.choice(
        (
            content[:first] + content[last:],
            content[:last] + content[first:],
            content[:first] + other[start:] + content[last:],
            content + other,
            content[:first] + bytes(rng.choice((1, 16, 5000))) + content[last:],
        )
    )


def noise(rng: random.Random) -> bytes:
    """Random bytes, or random words of small numbers, behind a valid beginning."""
    size = rng.choice((0, 3, 30, 300, 3000))
    if rng.randint(0, 1):
        return rng.choice(HEADS) + rng.randbytes(size)
    words = [rng.choice((*LENGTHS, 1, 2, 3, 5, 6, 6, 6, 10, 36, 40)) for _ in range(size // 4)]
    return rng.choice(HEADS) + struct.pack(f"{rng.choice('<>')}{len(words)}I", *words)


def hostile(rng: random.Random, kind: str) -> bytes:
    """The content of one case."""
    if kind == "noise":
        return noise(rng)
    content = whole(rng)
    if kind == "flip":
        return flip(rng, content)
    if kind == "length":
        return lengthen(rng, content)
    if kind == "splice":
        return splice(rng, content)
    if kind == "truncate":
        return content[: rng.randrange(len(content) + 1)]
    if kind == "compressed":
        packed = rng.choice(COMPRESS)(content * rng.choice((1, 1, 40)))
        return rng.choice((flip, lengthen, splice))(rng, packed)[: rng.choice((None, None, -1, len(packed) // 2))]
    return flip(rng, traffic(rng))


def read(path: Path, digest: hashlib._Hash | None, window_bytes: int, batch_frames: int) -> str:
    """Read and decode a file: 'read', 'damaged' or 'refused'; what came out goes into the digest."""
    try:
        with open_capture([path], window_bytes=window_bytes, batch_frames=batch_frames) as capture:
            frames = 0
            for batch in capture:
                frames += len(batch)
                rows = decode(batch, capture.interfaces)
                assert batch.rows["offset"].min() >= 0
                assert (batch.rows["offset"] + batch.rows["captured"]).max() <= len(batch.buffer)
                assert batch.rows["interface"].max() < len(capture.interfaces)
                assert rows["stop"].max() < len(STOPS)
                # Doubling while it waits for a long record, a window may hold twice what there is.
                assert len(batch.buffer) <= 2 * capture.files[0].read + max(
                    len(batch.buffer) // 2, window_bytes, 1 << 23
                )
                if digest is not None:
                    for name in batch.rows.dtype.names or ():
                        if name != "offset":
                            digest.update(batch.rows[name].tobytes())
                    digest.update(packed_bytes(rows))
            (info,) = capture.files
            assert info.frames == frames
            assert len(info.notes) <= 100
            assert len(capture.damages) <= 1000
            for damage in capture.damages:
                assert 0 <= damage.offset <= info.read
                assert 0 <= damage.frame <= frames
                assert damage.lost is None or 0 <= damage.lost <= info.read
            outcome = "damaged" if capture.damages else "read"
    except CaptureError as error:
        assert error.where == str(path)
        assert error.found
        assert error.todo
        outcome = "refused"
    if digest is not None:
        digest.update(outcome.encode())
    return outcome


def packed_bytes(rows: np.ndarray) -> bytes:
    """The columns one after the other, without what lies between them."""
    return b"".join(np.ascontiguousarray(rows[name]).tobytes() for name in rows.dtype.names or ())


def run_cases(seed: int, count: int, path: Path, digest: hashlib._Hash | None = None) -> Counter[tuple[str, str]]:
    """How often each kind of case had each outcome; a failure names the case."""
    outcomes: Counter[tuple[str, str]] = Counter()
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        kind = NAMES[number % len(NAMES)]
        path.write_bytes(hostile(rng, kind))
        started = time.monotonic()
        try:
            outcome = read(path, digest, rng.choice((64, 4096, 1 << 20)), rng.choice((1, 5, 1000)))
        except BaseException as error:
            error.add_note(f"case {number} ({kind}) of seed {seed}")
            raise
        assert time.monotonic() - started < CASE_SECONDS, f"case {number} ({kind}) of seed {seed} took too long"
        outcomes[kind, outcome] += 1
    return outcomes


def compile_kernels(path: Path) -> None:
    """Compile what there is to compile, for mapped files and for streams: it must not count as the time of a case."""
    for content in (
        build.pcap([build.Record(b"frame")]) + b"\xff" * 40,
        build.pcapng(build.shb(), build.idb(), build.epb(b"frame")) + b"\xff" * 40,
    ):
        for stored in (content, gzip.compress(content)):
            path.write_bytes(stored)
            assert read(path, None, 1 << 16, 10) == "damaged"


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Before the first case."""
    compile_kernels(tmp_path_factory.mktemp("compile") / "capture")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_hostile_captures(seed: int, tmp_path: Path) -> None:
    """Every kind of case, with every outcome it can have."""
    count = max(CASES // SEEDS, len(NAMES))
    outcomes = run_cases(seed, count, tmp_path / "capture")
    assert outcomes.total() == count
    if count >= 500:
        for kind in NAMES:
            assert outcomes[kind, "damaged"] > 0, kind
        for outcome in ("read", "refused"):
            assert sum(outcomes[kind, outcome] for kind in NAMES) > count // 20


@pytest.mark.parametrize("seed", [2, 3])
def test_every_link_type_number_decodes_anything(seed: int) -> None:
    """Random bytes and real frames under every number from 0 to 300, complete or not."""
    rng = random.Random(seed)
    frames = []
    for link in range(301):
        for _ in range(30):
            data = (
                strategies.mutate(rng, strategies.random_frame(rng)[1])
                if rng.randint(0, 1)
                else rng.randbytes(rng.randint(0, 120))
            )
            length = rng.choice((len(data), len(data), 0, len(data) + 1, 2**16, 2**32 - 1))
            frames.append((link, data, length))
    rng.shuffle(frames)
    batch, interfaces = batch_of(frames)
    rows = decode(batch, interfaces)
    assert rows["frame"].tolist() == list(range(1, len(frames) + 1))
    assert rows["stop"].max() < len(STOPS)
    assert rows["captured"].tolist() == [len(data) for _, data, _ in frames]
    assert (rows["payload_captured"] <= rows["captured"]).all()
    assert (rows["l4_at"] <= rows["captured"]).all()
    assert (rows["l3_at"] <= rows["captured"]).all()
    assert len(np.unique(rows["stop"])) > 10


SAMPLE = """
import hashlib, sys
from pathlib import Path
from tests.test_fuzz import compile_kernels, run_cases
compile_kernels(Path(sys.argv[3]))
digest = hashlib.sha256()
outcomes = run_cases(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), digest)
print(digest.hexdigest(), outcomes.total())
"""
