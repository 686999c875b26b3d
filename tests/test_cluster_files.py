"""Several files read in parts: the same answer as one pass, to the byte, whatever kinds they are of and wherever each is cut."""

from __future__ import annotations

import ast
import bz2
import gzip
import lzma
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import lz4.frame
import pytest
import zstandard

from analyzer import analyze
from analyzer.cluster.asked import SMALL, SMALL_FILES, why_small
from tests import build
from tests.test_cluster import CHAINS, Several, cut_at, records, said, told

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".lz4": lz4.frame.compress,
}
KINDS = ("pcap", "pcapng", "interfaces")


def content_of(found: Sequence[build.Record], kind: str, number: int = 0) -> bytes:
    """A file of these records: pcap, or pcapng with one interface or three, of which the first to send comes last and one is silent."""
    if kind == "pcap":
        return build.pcap(found)
    count = 1 if kind == "pcapng" else 3
    described = [build.idb(link=1, snaplen=262144, name=f"eth{number}.{each}") for each in range(count)]
    blocks = [
        build.epb(each.data, ticks=each.time_ns // 1000, length=each.length, interface=(count - 1) * (at % 2 == 0))
        for at, each in enumerate(found)
    ]
    ends = [build.isb(interface=each, dropped=each + number) for each in range(count)]
    return build.pcapng(build.shb(), *described, *blocks, *ends)


def split(found: Sequence[build.Record], pieces: int, random: Random) -> list[Sequence[build.Record]]:
    """The records in so many pieces, one of them empty if there are more than two."""
    cuts = sorted(random.randrange(1, len(found)) for _ in range(pieces - 1))
    if pieces > 2:
        cuts[1] = cuts[0]
    return [found[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(found)], strict=True)]


def ring(folder: Path, pieces: Sequence[bytes], suffixes: Sequence[str] = ()) -> list[str]:
    """The files of a ring, as dumpcap names them."""
    paths = []
    for at, piece in enumerate(pieces):
        suffix = suffixes[at] if suffixes else ""
        path = folder / f"ring_{1 + at:05}_20231114221320.pcap{suffix}"
        path.write_bytes(PACKED[suffix](piece))
        paths.append(str(path))
    return paths


def as_of(found: list[Any], names: Sequence[str], paths: Sequence[str]) -> list[Any]:
    """What was told of files of these names, as it is told of those at the paths."""
    text = repr(found)
    for name, path in zip(names, paths, strict=True):
        text = text.replace(name, path)
    return list(ast.literal_eval(text))


@pytest.mark.parametrize("kind", [*KINDS, "mixed"])
@pytest.mark.parametrize("chain", CHAINS)
def test_a_ring_of_files(tmp_path: Path, chain: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 or 7 of them, in any order, packed or not, each cut at any byte, for 1 to 4 workers; an empty one among them."""
    random = Random(f"{chain} {kind}")
    for files, width in ((2, 1), (2, 4), (7, 2), (7, 3)):
        kinds = [random.choice(KINDS) if kind == "mixed" else kind for _ in range(files)]
        pieces = [content_of(piece, kinds[at], at) for at, piece in enumerate(split(records(chain), files, random))]
        suffixes = [random.choice(list(PACKED)) if width > 2 else "" for _ in pieces]
        folder = tmp_path / f"{files} {width}"
        folder.mkdir()
        paths = ring(folder, pieces, suffixes)
        random.shuffle(paths)
        cut_at(monkeypatch, [random.randrange(max(map(len, pieces))) for _ in range(width)])
        expected, found = analyze(paths), analyze(paths, cluster=Several(width))
        assert found.one_pass == ""
        assert told(found) == told(expected), (files, width)
        assert (found.files, found.damages, list(found.interfaces)) == (
            expected.files, expected.damages, list(expected.interfaces),
        )  # fmt: skip
    assert said(found) == said(expected)


def test_files_that_overlap_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read side by side; and so are those of which one begins when the one before ends, but comes first by its place."""
    found = list(records("losses"))
    half = len(found) // 2
    same = [*found[:half], build.Record(found[half].data, found[half - 1].time_ns), *found[half + 1 :]]
    overlapping = "there are several files that overlap in time, which are read side by side"
    cases = {
        "apart": ([found[:half], found[half:]], ""),
        "in turns": ([found[::2], found[1::2]], overlapping),
        "one inside": ([found[:10] + found[-10:], found[10:-10]], overlapping),
        "same moment": ([same[:half], same[half:]], ""),
        "same moment, the other way round": ([same[half:], same[:half]], overlapping),
    }
    for name, (pieces, reason) in cases.items():
        (tmp_path / name).mkdir()
        paths = ring(tmp_path / name, [build.pcap(piece) for piece in pieces])
        cut_at(monkeypatch, [Path(paths[0]).stat().st_size // 2])
        analysis = analyze(paths, cluster=Several(2))
        assert (analysis.one_pass, told(analysis)) == (reason, told(analyze(paths))), name


def damaged(pieces: list[bytes]) -> list[bytes]:
    """A record in the middle of the second file is none."""
    broken = bytearray(pieces[1])
    broken[24 + 8 : 24 + 16] = b"\xff" * 8
    return [pieces[0], bytes(broken), *pieces[2:]]


def split_datagram(pieces: list[bytes]) -> list[bytes]:
    """A fragment of a datagram ends the first file, and the other begins the second."""
    found = records("losses")
    packet = build.ipv4(build.udp(bytes(3000)), 17)
    first, second = [build.ethernet(each) for each in build.cut_up(packet, [1480])]
    last = found[len(found) // 2 - 1].time_ns
    return [
        build.pcap([*found[: len(found) // 2], build.Record(first, last)]),
        build.pcap([build.Record(second, last), *found[len(found) // 2 :]]),
    ]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (lambda pieces: [pieces[0][:-7], *pieces[1:]], ""),
        (lambda pieces: [*pieces[:-1], pieces[-1][:-7]], ""),
        (damaged, "the file is damaged"),
        (split_datagram, "fragments of IP datagrams are missing where a file ends and another goes on"),
    ],
)
def test_what_is_at_the_ends_of_files(
    tmp_path: Path, changed: Callable[[list[bytes]], list[bytes]], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage there stands where it does in one pass; what goes on in the next file, or a damage in the middle, is left to that."""
    found = records("losses")
    third = len(found) // 3
    paths = ring(tmp_path, changed([build.pcap(found[at : at + third]) for at in range(0, len(found), third)]))
    cut_at(monkeypatch, [Path(paths[0]).stat().st_size // 2])
    analysis, expected = analyze(paths, cluster=Several(2)), analyze(paths)
    assert (analysis.one_pass, told(analysis)) == (reason, told(expected))
    assert (analysis.damages, analysis.files) == (expected.damages, expected.files)


def test_an_interface_that_is_seen_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets its number then in one pass, which nobody knows before: and one that was described behind frames does not have it at all."""
    found = records("windows")
    half = len(found) // 2
    block: Callable[[Any, int], bytes] = lambda each, over: build.epb(  # noqa: E731
        each.data, ticks=each.time_ns // 1000, length=each.length, interface=over
    )
    described = [build.idb(link=1, snaplen=262144)] * 2
    late = [block(each, int(at == half - 1)) for at, each in enumerate(found[:half])]
    cases = {
        "seen": [*described, *late],
        "described": [described[0], *late[:-1], described[1], late[-1]],
    }
    monkeypatch.setattr("analyzer.capture.capture.LOOK_FRAMES", 10)
    for name, blocks in cases.items():
        (tmp_path / name).mkdir()
        for suffix in ("", ".gz"):
            paths = ring(
                tmp_path / name, [build.pcapng(build.shb(), *blocks), build.pcap(found[half:])], [suffix, suffix]
            )
            analysis = analyze(paths, cluster=Several(2))
            assert analysis.one_pass.startswith(
                "an interface has its first frame" if name == "seen" else "interfaces are"
            )
            assert told(analysis) == told(analyze(paths))


def test_small_files_are_read_by_one_process() -> None:
    """Each costs as much as some megabytes of one; with enough processes it is worth while."""
    mega = 1 << 20

    def reason(files: int, each: int, jobs: int) -> str:
        capture: Any = SimpleNamespace(size=files * each, paths=["ring.pcap"] * files)
        return why_small(capture, jobs, 256 * mega)

    assert reason(1, 255 * mega, 8) == SMALL
    assert [reason(1, 256 * mega, jobs) for jobs in (2, 3, 8)] == ["", "", ""]
    assert [reason(1000, mega, jobs) for jobs in (3, 8, 16)] == [SMALL_FILES, SMALL_FILES, ""]
    assert reason(20, 100 * mega, 3) == ""


def test_what_many_files_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system is asked about each of them, and not about each beside each other: of twice as many, twice as often."""
    found, asked_for = records("losses"), [0]
    stat = Path.stat

    def counted(self: Path, **ways: Any) -> Any:
        asked_for[0] += 1
        return stat(self, **ways)

    counts = []
    for count in (20, 40):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        step = len(found) // count
        ring(folder, [build.pcap(found[at * step : (at + 1) * step]) for at in range(count)])
        with monkeypatch.context() as patched:
            patched.setattr(Path, "stat", counted)
            asked_for[0] = 0
            assert analyze(str(folder), cluster=Several(2)).one_pass == ""
        counts.append(asked_for[0])
    assert counts[1] < 2.5 * counts[0]
