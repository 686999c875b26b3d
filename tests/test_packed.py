"""A bundle in one file: what is read of it is the bundle, whoever made the archive, and what it holds beside."""

from __future__ import annotations

import gc
import io
import json
import os
import shutil
import struct
import tarfile
from pathlib import Path
from random import Random

import pytest
import zstandard

from analyzer import Analysis, analyze
from analyzer.capture.compression import Damaged
from analyzer.capture.packed import folder_of
from analyzer.capture.tar import BLOCK, Archive
from analyzer.errors import CaptureError, UsageError
from analyzer.output import remove_temporary
from analyzer.text import shown
from tests.command import run_here

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "fast-retransmit" / "client"


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A .tar.zst."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as file:
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            file.addfile(member, io.BytesIO(content))
    path.write_bytes(zstandard.compress(plain.getvalue()))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> tuple[tarfile.TarInfo, bytes]:
    """A member of an archive."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    return info, content


PARTS = [
    member(f"client/{file.name}", content=file.read_bytes()) for file in sorted(SAMPLE.iterdir()) if file.is_file()
]


def test_a_packed_bundle_is_the_bundle(tmp_path: Path) -> None:
    """Whatever its name; members that are no part of it, or try to stand elsewhere, change nothing."""
    hostile = [
        member("client/../../capture-evil.txt", content=b"x"),
        member("client/capture-link.pcap", tarfile.SYMTYPE),
        member("client/capture-hard.pcap", tarfile.LNKTYPE),
        member("client/capture-device.pcap", tarfile.CHRTYPE),
        member("client/notes.md", content=b"x"),
    ]
    file = archive(tmp_path / "bundle", *hostile, *PARTS)
    found, expected = analyze(file), analyze(SAMPLE)
    assert found.counters.equals(expected.counters)
    assert found.flows.equals(expected.flows)
    assert found.host_name == expected.host_name
    assert found.sysctls == expected.sysctls
    assert len(found.sockets) == len(expected.sockets) > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("cut", "an archive that is cut short or damaged"),
        ("empty", "an archive without a capture"),
        ("several", "several bundles in one archive (client, server)"),
        ("large", "may be filled in"),
        ("header", "more than 1,048,576 bytes of headers"),
        ("twice", "stands in it twice"),
    ],
)
def test_an_archive_that_is_no_bundle(change: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what to do; nothing stays in the folder for what is unpacked."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    parts = {
        "empty": [member("client/notes.md", content=b"x")],
        "several": [*PARTS, member("server/capture.pcap", content=b"x")],
        "header": [member("client/" + "x" * 2_000_000, content=b"x")],
        "twice": [*PARTS, *PARTS],
        "cut": [*PARTS, member("client/capture2.pcap", content=Random(1).randbytes(400_000))],
    }.get(change, PARTS)
    file = archive(tmp_path / "bundle.tar.zst", *parts)
    if change == "cut":
        file.write_bytes(file.read_bytes()[:-100_000])
    if change == "large":
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2000))
    with pytest.raises(CaptureError) as refused:
        analyze(file)
    assert said in str(refused.value)
    assert refused.value.todo
    assert list(tmp_path.iterdir()) == [file]


# What an archive may try


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    """One header, right as such."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def said_of_other(kind: bytes, content: bytes) -> bytes:
    """A header that says something of the member behind it."""
    return header(kind, len(content)) + content + bytes(-len(content) % BLOCK)


def pax(name: str, value: str) -> bytes:
    """A pax record."""
    rest = f" {name}={value}\n"
    length = len(rest) + 1
    length += len(str(length + 1)) - 1
    return f"{length}{rest}".encode()


PART = header(b"0", 5, "b/host.json") + b"{}   ".ljust(BLOCK, b"\0")
HOSTILE = {
    "names on names": said_of_other(b"L", b"a/capture.pcap\0") * 3000,
    "records on records": said_of_other(b"x", pax("path", "b/capture.pcap")) * 3000,
    "records of all": said_of_other(b"g", pax("path", "b/capture.pcap")) * 3000,
    "no size": said_of_other(b"x", pax("size", "many")) + PART,
    "less than none": said_of_other(b"x", pax("size", "-5")) + PART,
    "more than all": said_of_other(b"x", pax("size", "9" * 17)) + PART,
    "passed over": header(b"0", 1 << 45, "b/notes") + PART,
    "a long folder": header(b"x", 1 << 40) + PART,
    "no record": said_of_other(b"x", b"0 path=b\n" * 3) + PART,
    "no length": said_of_other(b"x", b"9" * 600_000) + PART,
    "sparse": said_of_other(b"x", pax("GNU.sparse.size", "many")) + PART,
    "not a header": PART + b"x" * BLOCK,
    "a cut header": PART + PART[:100],
    "a zero in a name": said_of_other(b"x", pax("path", "b/capture\0.pcap")) + PART,
    "nothing": b"",
}


@pytest.mark.parametrize("packing", ["plain", "zst"])
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_archives(what: str, packing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer, at once, in one line; and nothing is left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    content = PART + HOSTILE[what] + bytes(2 * BLOCK)
    file = tmp_path / "bundle"
    file.write_bytes(content if packing == "plain" else zstandard.compress(content))
    with pytest.raises(
        CaptureError, match=r"bundle: an archive that is cut|bytes, and .* may be filled|without a capture"
    ):
        analyze(file)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_are_read_as_tarfile_reads_them(form: int) -> None:
    """Names of any length, kinds, sizes, contents; and what is changed in them at random is damage, or another archive."""
    names = ["a", "d/" + "n" * 90, "e/" * 40 + "f", "g" * 90 + "/" + "h" * 90]
    names += [] if form == tarfile.USTAR_FORMAT else ["i" * 300, "ü/" * 200 + "k"]
    plain, expected = io.BytesIO(), []
    with tarfile.open(fileobj=plain, mode="w", format=form) as file:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 300 * number, 1.5
            file.addfile(info, io.BytesIO(bytes([number]) * info.size))
            expected.append((info.name, info.size, True, bytes([number]) * info.size))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("other")
            info.type, info.linkname = kind, "l" * 90
            file.addfile(info)
            expected.append(("other/" if kind == tarfile.DIRTYPE else "other", 0, False, b""))
    content = plain.getvalue()
    archive = Archive(io.BytesIO(content))
    assert [(*member, b"".join(archive.chunks())) for member in archive] == expected
    random = Random(form)
    for _ in range(300):
        changed = bytearray(content)
        block = BLOCK * random.randrange(len(content) // BLOCK)
        for _ in range(random.randrange(1, 4)):
            changed[block + random.randrange(BLOCK)] = random.choice([0, 32, 48, 55, 57, 76, 120, 128, 255])
        if random.random() < 0.7:  # as one who means it
            changed[block + 148 : block + 156] = b" " * 8
            changed[block + 148 : block + 155] = b"%06o\0" % sum(changed[block : block + BLOCK])
        try:
            for number, _ in enumerate(Archive(io.BytesIO(changed))):
                assert number <= len(expected) + 8
        except Damaged as error:
            assert str(error)


def test_a_capture_that_speaks_of_archives(tmp_path: Path) -> None:
    """The word in a frame makes none of it."""
    frame = bytes(12) + b"\x88\xb5" + bytes(203) + b"ustar\x0000" + bytes(400)
    file = tmp_path / "a.pcap"
    content = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    content += struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame
    assert content[257:262] == b"ustar"
    file.write_bytes(content)
    assert folder_of(str(file)) == str(file)
    assert analyze(file).summary.total("frames") == 1


def test_names_are_those_of_the_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not those of a folder that nobody has seen, and that is gone when they are read."""
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "client"))
    for name, cut in (("capture.pcap", 10), ("counters.jsonl", 300), ("sockets.jsonl", 20)):
        os.truncate(folder / name, (folder / name).stat().st_size - cut)
    host = json.loads((folder / "host.json").read_text()) | {"recording": {"ended": None}}
    (folder / "host.json").write_text(json.dumps(host))
    parts = [member(f"client/{file.name}", content=file.read_bytes()) for file in sorted(folder.iterdir())]
    file = archive(tmp_path / "incident.tar.zst", *parts)
    ran = run_here("analyze", file, "--json", capsys=capsys)
    found = json.loads(ran.out)
    assert "/tcpcap-" not in ran.out + ran.err
    assert found["capture"]["files"][0]["path"] == f"{file}/capture.pcap"
    for name in ("capture.pcap", "counters.jsonl", "sockets.jsonl", "host.json"):
        assert any(text.startswith(f"{file}/{name}: ") for text in found["warnings"]), found["warnings"]
    (folder / "host.json").write_text("{")
    parts[2] = member("client/host.json", content=b"{")
    file = archive(tmp_path / "other.tar.zst", *parts)
    ran = run_here("analyze", file, capsys=capsys)
    assert (ran.status, ran.err.startswith(f"tcpcap: {file}/host.json: cannot be read as JSON")) == (2, True)


# How long what was unpacked stays


def leftovers(folder: Path) -> list[str]:
    """What is there for a while."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("tcpcap-"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for what is temporary."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize("given", ["archive", "bytes", "file"])
def test_what_was_unpacked_goes_with_the_analysis(given: str, place: Path, tmp_path: Path) -> None:
    """With the last one that reads it: by itself, or when it is closed."""
    file, data = archive(tmp_path / "bundle.tar.zst", *PARTS), (SAMPLE / "capture.pcap").read_bytes()

    def asked() -> Analysis:
        return analyze(file if given == "archive" else data if given == "bytes" else io.BytesIO(data))

    first, second = asked(), asked()
    flows, packets = first.flows, len(first.packets)
    assert len(leftovers(place)) == (1 if given == "archive" else 2)
    del first
    gc.collect()
    assert len(leftovers(place)) == 1
    assert len(second.packets) == packets
    second.close()
    second.close()
    assert leftovers(place) == []
    assert second.flows.equals(flows)
    with asked() as third:
        assert third.flows.equals(flows)
        assert len(leftovers(place)) == 1
    assert leftovers(place) == []


def test_what_was_unpacked_goes_with_what_could_not_be_read(place: Path, tmp_path: Path) -> None:
    """An error leaves nothing behind, either; and what was forgotten is unpacked anew."""
    file = archive(tmp_path / "bundle.tar.zst", *PARTS)
    for _ in range(2):
        with pytest.raises(UsageError, match=r"192\.0\.2\.99"):
            analyze(file, hosts="192.0.2.99")
        gc.collect()
        assert leftovers(place) == []
    assert shown(str(place / "x")) == str(place / "x")


def test_an_archive_that_changed_is_unpacked_again(place: Path, tmp_path: Path) -> None:
    """Both stay for those who read them, and go with them."""
    file = archive(tmp_path / "bundle.tar.zst", *PARTS)
    first = analyze(file)
    archive(file, *(each for each in PARTS if each[0].name.endswith("capture.pcap")))
    second = analyze(file)
    assert len(leftovers(place)) == 2
    assert len(first.packets) == len(second.packets)
    for each in (first, second):
        each.close()
    assert leftovers(place) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_was_unpacked_stays_when_a_fork_ends(place: Path, tmp_path: Path) -> None:
    """Its Analysis is a copy, and so is the list of what goes at the end of a process."""
    found = analyze(archive(tmp_path / "bundle.tar.zst", *PARTS))
    child = os.fork()
    if not child:
        found.close()
        remove_temporary()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert len(leftovers(place)) == 1
    assert len(found.packets) == found.summary.total("frames")
    found.close()
    assert leftovers(place) == []
