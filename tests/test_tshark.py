"""Captures that tshark reads in one run are read as if each were alone; and what cannot be joined is read alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.tables import WIRESHARK
from tests import build
from tests.helpers import CAPTURES
from tests.tshark import Captures, fields_of, frame_counts, needs_tshark

FIELDS = ["frame.number", "frame.time_epoch", "tcp.stream", "frame.protocols", "ip.checksum.status"]
ANALYSIS = [f"tcp.analysis.{name}" for name in WIRESHARK]
LIKE = (
    "loss-ipv4",
    "fragments",
    "zero-window",
    "reset-forged",
    "tunnel-vxlan",
)  # many with the same addresses and ports

pytestmark = needs_tshark


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that cannot be joined with others."""
    folder = tmp_path_factory.mktemp("odd")
    frame = build.ethernet(build.ipv4(build.tcp(b"payload")))
    contents = {
        "cut": build.pcap([build.Record(frame)] * 2)[:-1],
        "custom": build.pcapng(build.shb(), build.idb(), build.epb(frame), build.custom(), build.epb(frame)),
        "empty": build.pcap([]),
        "none": b"not a capture",
    }
    paths = {name: folder / name for name in contents}
    for name, path in paths.items():
        path.write_bytes(contents[name])
    return paths


def test_joined_as_alone(odd: dict[str, Path]) -> None:
    """Numbers, times, streams, verdicts: nothing of one shows in another."""
    joined = [path for path in CAPTURES if path.parts[-3] in LIKE]
    paths = [*joined, *odd.values()]
    captures = Captures(paths, [*FIELDS, *ANALYSIS], preferences=["ip.check_checksum:TRUE"], whole=False)
    for path in paths:
        alone = fields_of(path, [*FIELDS, *ANALYSIS], preferences=["ip.check_checksum:TRUE"], whole=False)
        assert captures[path] == alone, path
    assert sum(len(captures[path]) > 0 for path in joined) == len(joined) > 5
    assert len({len(captures[path]) for path in joined}) > 3


def test_frames_are_counted_of_intact_files(odd: dict[str, Path]) -> None:
    """What mergecap would not read to the end is not joined."""
    assert frame_counts(odd.values()) == {odd["custom"]: 2, odd["empty"]: 0}
