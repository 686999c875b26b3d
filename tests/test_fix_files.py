"""The same capture with right checksums: every format, damage, compression, pipes, and what stands at the end on disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import resource
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
import zstandard

from analyzer.checksums.fix import fix_checksums
from analyzer.errors import CaptureError, TcpcapError
from tests import build, test_fuzz
from tests.fixing import changed, data_of, given_and_wanted, nonzero, pcap_of, pcapng_of, run, some_frames
from tests.naive.fix import Frame, NaiveFixer

ROOT = Path(__file__).resolve().parent.parent

# Formats


def snoop_of(frames: Sequence[Frame]) -> bytes:
    """RFC 1761."""
    content = b"snoop\0\0\0" + struct.pack(">II", 2, 4)
    for position, frame in enumerate(frames):
        size = 24 + len(frame.data) + -len(frame.data) % 4
        content += struct.pack(">IIIIII", len(frame.data), len(frame.data), size, 0, position, 7)
        content += frame.data + b"pad"[: -len(frame.data) % 4]
    return content


def rich_pcapng_of(frames: Sequence[Frame]) -> bytes:
    """Sections of either byte order, every kind of block, options everywhere, and blocks that nobody knows."""
    content = b""
    third = len(frames) // 3
    for part, order in enumerate("<><"):
        mine = frames[part * third : (part + 1) * third if part < 2 else None]
        blocks = [
            build.idb(order=order, name="eth0", resolution=9, offset=-5, extra=[(1, b"a comment")]),
            build.custom(b"\x45" * 21, order=order),
            build.idb(order=order, name="lo", snaplen=65535),
            build.block(0x80000001, b"process information", order=order),
        ]
        for position, frame in enumerate(mine):
            data, kind = frame.data, position % 5
            if kind == 3:
                blocks.append(build.spb(data, order=order))
            elif kind == 4:
                blocks.append(build.pb(data, interface=1, ticks=position, drops=2, flags=1, order=order))
            else:
                extra = [(1, b"seen"), (2988, b"\x20\x7a\0\0custom")]
                blocks.append(build.epb(data, ticks=position * 10**6, drops=3, flags=2, extra=extra, order=order))
            if position % 7 == 0:
                blocks += [build.nrb(order=order), build.isb(order=order), build.dsb(order=order)]
        options = build.options((1, b"section"), (4, b"tests"), order=order)
        content += build.shb(order=order, extra=options) + b"".join(blocks)
    return content


FORMATS: dict[str, Callable[[Sequence[Frame]], bytes]] = {
    "pcap": pcap_of,
    "pcap, big-endian": lambda frames: pcap_of(frames, order=">"),
    "pcap, nanoseconds": lambda frames: pcap_of(frames, magic=build.NANOSECONDS),
    "pcap, nanoseconds, big-endian": lambda frames: pcap_of(frames, magic=build.NANOSECONDS, order=">"),
    "pcap, modified": lambda frames: pcap_of(frames, magic=build.MODIFIED),
    "pcap, modified, big-endian": lambda frames: pcap_of(frames, magic=build.MODIFIED, order=">"),
    "pcap 2.2": lambda frames: pcap_of(frames, version=(2, 2)),
    "pcap 2.3": lambda frames: pcap_of(frames, version=(2, 3)),
    "pcap, FCS length 0": lambda frames: pcap_of(frames, fcs=0, snaplen=96),
    "pcapng": pcapng_of,
    "pcapng, big-endian": lambda frames: pcapng_of(frames, ">"),
    "pcapng, sections": rich_pcapng_of,
    "snoop": snoop_of,
}


@pytest.mark.parametrize("name", FORMATS)
def test_everything_but_checksums_stays_as_it_is(tmp_path: Path, name: str) -> None:
    """To the byte, whatever the format, and however much is worked on at once."""
    frames, wanted = given_and_wanted()
    make = FORMATS[name]
    assert make(frames) != make(wanted)
    for batch_frames in (1, 2, 7, 1000):
        for window_bytes in (64, 1000, 1 << 20):
            sizes = {"batch_frames": batch_frames, "window_bytes": window_bytes}
            out, done = run(tmp_path, make(frames), everything=True, **sizes)
            assert out == make(wanted), sizes
            assert done.frames == len(frames)
            assert not done.damages
    again, done = run(tmp_path, make(wanted), everything=True)
    assert again == make(wanted)
    assert nonzero(done.fixed) == {}


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip, members": lambda data: gzip.compress(data[:500]) + gzip.compress(data[500:]) + bytes(512),
    "zstd": lambda data: zstandard.compress(data),
    "lz4": lz4.frame.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "out.pcap": bytes,
    "out.pcap.gz": gzip.decompress,
    "out.pcap.zst": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "OUT.PCAP.LZ4": lz4.frame.decompress,
    "out.xz": lzma.decompress,
    "out.pcapng.bz2": bz2.decompress,
}


@pytest.mark.parametrize("how", COMPRESSED)
def test_the_input_may_be_compressed(tmp_path: Path, how: str) -> None:
    """Whatever it is called, the output is compressed only if its own name says so."""
    frames, wanted = given_and_wanted()
    out, _ = run(tmp_path, COMPRESSED[how](pcap_of(frames)), everything=True, window_bytes=300)
    assert out == pcap_of(wanted)


@pytest.mark.parametrize("target", DECOMPRESS)
def test_the_output_is_compressed_as_its_name_says(tmp_path: Path, target: str) -> None:
    """And can be read by those who compress so, and by tcpcap."""
    frames, wanted = given_and_wanted()
    out, _ = run(tmp_path, gzip.compress(pcap_of(frames)), target=target, everything=True, batch_frames=3)
    assert DECOMPRESS[target](out) == pcap_of(wanted)
    assert data_of(tmp_path / target) == [frame.data for frame in wanted]


def test_an_empty_capture(tmp_path: Path) -> None:
    """A header and no frame."""
    for content in (build.pcap([]), build.shb(), build.pcapng(build.shb(), build.idb()), snoop_of([])):
        out, done = run(tmp_path, content)
        assert (out, done.frames, nonzero(done.fixed), nonzero(done.left)) == (content, 0, {}, {})


# Damage


def test_what_is_damaged_is_copied(tmp_path: Path) -> None:
    """Between the records, at the end, and in the compressed stream: all that can be read is made right."""
    frames, wanted = given_and_wanted()
    half = len(frames) // 2
    for make, start in ((pcap_of, 24), (pcapng_of, 28 + 20)):
        for junk in (b"\xff" * 200, bytes(range(7, 250)) * 41 + b"abc"):
            junk += bytes(-len(junk) % 4)
            given, right = (
                make(some[:half]) + junk + make(some[half:])[start:] + b"the end" for some in (frames, wanted)
            )
            for window_bytes in (1000, 1 << 20):
                out, done = run(tmp_path, given, everything=True, window_bytes=window_bytes)
                assert out == right
                assert done.frames == len(frames)
                assert done.damages


def test_a_capture_that_ends_anywhere(tmp_path: Path) -> None:
    """Whole frames are made right, the beginning of another one is copied."""
    frames, wanted = (some[:6] for some in given_and_wanted())
    for make, begin in ((pcap_of, 24), (rich_pcapng_of, 400), (snoop_of, 16)):
        given = make(frames)
        for end in range(begin, len(given), 13):
            out, done = run(tmp_path, given[:end], everything=True)
            assert len(out) == end
            right = [frame.data for frame in wanted]
            assert data_of(tmp_path / "out") == right[: done.frames]
            assert data_of(tmp_path / "in") == [frame.data for frame in frames][: done.frames]
            if done.frames == 0:
                assert out == given[:end]


def test_compressed_input_that_breaks_off(tmp_path: Path) -> None:
    """What could be decompressed is there."""
    frames = some_frames(5, 3000)
    wanted = pcap_of(changed(frames, NaiveFixer(frames, everything=True).fixed()))
    stored = gzip.compress(pcap_of(frames), 1)
    out, done = run(tmp_path, stored[: len(stored) // 2], everything=True)
    assert len(done.damages) == 1
    assert done.damages[0].lost is None
    assert 1000 < len(out) < len(wanted)
    whole = out[:-1600]  # at most one frame that is not all there
    assert wanted.startswith(whole)


@pytest.mark.parametrize("seed", range(5))
def test_hostile_captures(tmp_path: Path, seed: int) -> None:
    """Whatever the bytes: as many come out, a second time changes nothing, and sizes do not matter."""
    kinds = ("flip", "length", "splice", "truncate", "noise", "traffic")
    outcomes: Counter[str] = Counter()
    for case in range(150):
        rng = random.Random(f"{seed}/{case}")
        content = test_fuzz.hostile(rng, kinds[case % len(kinds)])
        try:
            out, done = run(tmp_path, content, everything=True)
        except CaptureError:
            outcomes["refused"] += 1
            assert not [path for path in tmp_path.iterdir() if path.name not in ("in", "out", "again")]
            continue
        outcomes["fixed" if any(done.fixed.values()) else "same"] += 1
        assert len(out) == len(content)
        assert any(done.fixed.values()) == (out != content)
        small, counted = run(tmp_path, content, everything=True, batch_frames=2, window_bytes=64)
        assert (small, counted.fixed, counted.left) == (out, done.fixed, done.left)
        again, counted = run(tmp_path, out, everything=True)
        assert again == out
        assert not any(counted.fixed.values())
        assert (counted.left, len(counted.damages)) == (done.left, len(done.damages))
    assert outcomes["fixed"] > 5
    assert outcomes["same"] > 20


# Files


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    """In one line, and nothing is left behind."""
    source = tmp_path / "in.pcap"
    source.write_bytes(pcap_of(some_frames()))
    (tmp_path / "text").write_text("no capture at all\n")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    cases = (
        ("in.pcap", "folder", "folder: cannot be written \\(Is a directory\\); "),
        ("in.pcap", "none/out", "out: cannot be written \\(No such file or directory\\); "),
        ("folder", "out", "folder: a directory; "),
        ("missing", "out", "missing: no such file; "),
        ("text", "out", "text: a text file; "),
        ("empty", "out", "empty: an empty file; "),
    )
    for one_name, other, said in cases:
        with pytest.raises(TcpcapError, match=said):
            fix_checksums(str(tmp_path / one_name), str(tmp_path / other))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "folder", "in.pcap", "text"]


def test_the_output_appears_when_it_is_complete(tmp_path: Path) -> None:
    """An interruption leaves what was there before, and nothing else."""
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(pcap_of(some_frames()))
    target.write_bytes(b"something older")
    seen: list[tuple[int, int]] = []

    def interrupted(work: Any) -> None:
        seen.append((work.done, work.size))
        assert target.read_bytes() == b"something older"
        if len(seen) > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fix_checksums(str(source), str(target), batch_frames=1, progress=interrupted)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pcap", "out.pcap"]
    assert target.read_bytes() == b"something older"
    assert seen == sorted(seen)
    assert {size for _, size in seen} == {2 * source.stat().st_size}


def test_permissions(tmp_path: Path) -> None:
    """Those of a new file, by the umask; a file that is replaced keeps its own; a link keeps pointing."""
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(pcap_of(some_frames()))
    before = os.umask(0o027)
    try:
        fix_checksums(str(source), str(target))
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o640
    target.chmod(0o600)
    (tmp_path / "link").symlink_to("out.pcap")
    fix_checksums(str(source), str(tmp_path / "link"))
    assert target.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "link").is_symlink()


def test_a_full_disk(tmp_path: Path) -> None:
    """Is told in one line, and nothing is left behind."""
    source = tmp_path / "in.pcap"
    source.write_bytes(pcap_of(some_frames(count=2000)))
    with pytest.raises(TcpcapError, match="/dev/full: cannot be written \\(No space left on device\\); make room"):
        fix_checksums(str(source), "/dev/full")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for name in ("out.pcap", "out.pcap.bz2"):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
            with pytest.raises(TcpcapError, match=name + ": cannot be written \\(File too large\\); raise the limit"):
                fix_checksums(str(source), str(tmp_path / name))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["in.pcap"]


CALL = """
import sys
from analyzer.checksums.fix import fix_checksums
done = fix_checksums(sys.argv[1], sys.argv[2], everything=True)
print(done.frames, len(done.damages), *done.damages, file=sys.stderr)
"""


def call(source: str, target: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Fix in another process."""
    command = [sys.executable, "-W", "error", "-c", CALL, source, target]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=300, **options)


@pytest.mark.parametrize("how", ["plain", "zstd"])
def test_standard_input_and_output(tmp_path: Path, how: str) -> None:
    """Pipes: the input is kept in a temporary file, which nobody sees."""
    frames, wanted = given_and_wanted()
    stored = COMPRESSED[how](pcap_of(frames))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    done = call("-", "-", input=stored, env=environment)
    assert (done.stdout, done.stderr) == (pcap_of(wanted), f"{len(frames)} 0\n".encode())
    done = call("-", str(tmp_path / "out.pcap.gz"), input=stored, env=environment)
    assert done.returncode == 0, done.stderr
    assert gzip.decompress((tmp_path / "out.pcap.gz").read_bytes()) == pcap_of(wanted)
    (tmp_path / "in").write_bytes(stored)
    assert call(str(tmp_path / "in"), "-", env=environment).stdout == pcap_of(wanted)
    done = call("-", "-", input=pcap_of(frames)[:-3], env=environment)
    assert done.stderr.startswith(f"{len(frames) - 1} 1 -: byte ".encode())
    assert len(done.stdout) == len(pcap_of(wanted)) - 3
    done = call("-", "-", input=b"", env=environment)
    assert b"CaptureError: -: an empty file" in done.stderr
    assert list(scratch.iterdir()) == []


def test_a_named_pipe(tmp_path: Path) -> None:
    """On either side."""
    frames, wanted = given_and_wanted()
    received: list[bytes] = []
    os.mkfifo(tmp_path / "in")
    os.mkfifo(tmp_path / "out")
    threads = [
        threading.Thread(target=lambda: (tmp_path / "in").write_bytes(pcap_of(frames))),
        threading.Thread(target=lambda: received.append((tmp_path / "out").read_bytes())),
    ]
    for thread in threads:
        thread.start()
    fix_checksums(str(tmp_path / "in"), str(tmp_path / "out"), everything=True)
    for thread in threads:
        thread.join(60)
    assert received == [pcap_of(wanted)]


def test_no_room_for_a_pipe(tmp_path: Path) -> None:
    """The temporary file cannot grow."""
    program = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n" + CALL
    command = [sys.executable, "-c", program, "-", "-"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    content = pcap_of(some_frames())
    done = subprocess.run(command, cwd=ROOT, input=content, env=environment, capture_output=True, check=False)
    said = (
        f"TcpcapError: TMPDIR: nothing can be written in {tmp_path} (File too large); make room, or set it to a folder"
    )
    assert said in done.stderr.decode()
    assert done.stdout == b""


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """Is for the command to be quiet about."""
    source = tmp_path / "in.pcap"
    content = pcap_of(some_frames(count=5000))
    source.write_bytes(content[:24] + content[24:] * 20)  # more than a pipe holds
    command = [sys.executable, "-c", CALL, str(source), "-"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        assert b"BrokenPipeError" in process.stderr.read()
