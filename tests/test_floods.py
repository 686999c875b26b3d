"""The floods of tests/floods.py in small: each is what it says, and is answered. What they cost: `python -m tests.floods`."""

from __future__ import annotations

import io
import ipaddress
from pathlib import Path

import pytest

from analyzer import analyze
from tests.command import run_here
from tests.floods import ARCHIVES, BOMB_BYTES, FLOODS, OF_FRAMES

COUNT = 70_000  # more than there are ports


def written(flood: str, count: int, folder: Path) -> Path:
    """A flood in a file."""
    path = folder / ("flood.tar.zst" if flood in ARCHIVES else "flood.pcap")
    with path.open("wb") as file:
        FLOODS[flood][1](file, count)
    return path


@pytest.mark.parametrize("flood", ["syn", "tuples"])
def test_connections_that_never_open(flood: str, tmp_path: Path) -> None:
    """Each frame is another connection, and of who never answered nothing is kept."""
    found = analyze(written(flood, COUNT, tmp_path))
    assert (found.flow_tracker.total, found.summary.total("frames")) == (COUNT, COUNT)
    assert len(found.flow_tracker) == COUNT
    assert int(found.flow_tracker.ends_room[0]) < 1.01 * COUNT


def test_addresses_and_ports_that_cancel(tmp_path: Path) -> None:
    """What tells the connections apart is in the address where it says, and in no byte twice."""
    flows = analyze(written("tuples", COUNT, tmp_path)).flows
    for number in (1, 65535, 65536, COUNT - 1):
        port, more = number % 65536, number // 65536
        row = flows.iloc[number]
        ends = {(row["client"], row["client_port"]), (row["server"], row["server_port"])}
        last = f"{port:x}" if port else "0"
        parts = [f"2001:db8:1:{last}", f"0:0:{more:x}:{last}"]
        assert (str(ipaddress.ip_address(":".join(parts))), port) in ends


@pytest.mark.parametrize("flood", [name for name in FLOODS if name not in ("syn", "tuples")])
def test_others_are_answered(flood: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With an answer, one up to where it cannot be read on, or one line that says why."""
    ran = run_here("analyze", written(flood, 2000 if flood in OF_FRAMES else 4000, tmp_path), capsys=capsys)
    assert ran.status in (0, 2, 3)
    assert ran.err.count("\n") == 1 if ran.status == 2 else "frames" in ran.out


@pytest.mark.parametrize("flood", [name for name in FLOODS if name not in (*OF_FRAMES, "members")])
def test_bombs_are_bombs(flood: str) -> None:
    """What is unpacked is hundreds of times what is read."""
    file = io.BytesIO()
    FLOODS[flood][1](file, 4000)
    assert len(file.getvalue()) * 50 < 4000 * BOMB_BYTES
