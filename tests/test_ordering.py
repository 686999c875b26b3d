"""Frames of several interfaces in order of time: against a naive twin, in every batch size, and where the order of the file is right."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analyzer import analyze
from analyzer.capture import open_capture
from analyzer.ordering import FileOrder, TimeOrder
from analyzer.ordering.order import contradictions
from analyzer.passes import decoded, table_rows
from analyzer.schema import Rows
from analyzer.tables import PACKETS
from analyzer.together import joined
from tests import build, pkt
from tests.naive.ordering import BLOCK, Frame, in_order

MS, SECOND = 10**6, 10**9
START_NS = 1_763_660_000 * SECOND
LATE = """
--- The answers come on an interface of their own, which is written 50 ms later
+0        < S  0:0(0) win 64240 <mss 1460> [interface 0]
+0.020    > S. 0:0(0) ack 1 win 65160 <mss 1460> [interface 1]
+0.0001   < .  1:1(0) ack 1 win 64240 [interface 0]
"""


def rows_of(frames: list[Frame]) -> Rows:
    """Packet rows that hold nothing but these."""
    rows = np.zeros(len(frames), PACKETS.dtype)
    rows["frame"], rows["time_ns"], rows["interface"] = np.array(frames, np.int64).T
    return rows


def capture(interfaces: int, described: int = 2) -> Any:
    """What TimeOrder asks of a capture, of which so many interfaces are described before the first frame."""
    return SimpleNamespace(
        may_have_several_interfaces=interfaces > 1,
        has_several_interfaces=described > 1,
        interfaces=range(interfaces),
    )


def ordered(rows: Rows, batch: int, interfaces: int, described: int = 2) -> tuple[list[int], TimeOrder]:
    """The numbers of the rows in order of time, taken so many at a time."""
    order = TimeOrder(capture(interfaces, described))
    given = [part["frame"] for start in range(0, len(rows), batch) for part in order.put(rows[start : start + batch])]
    given += [part["frame"] for part in order.rest()]
    return [int(number) for part in given for number in part], order


def late_frames(rng: random.Random, count: int, interfaces: int) -> list[Frame]:
    """Frames of interfaces that are written each in its own rhythm; some clocks step back."""
    delays = [rng.choice((0, 0, 1, 40, 400, 1500)) * MS for _ in range(interfaces)]
    written: list[tuple[int, int, int]] = []
    now = [0] * interfaces
    for _ in range(count):
        interface = rng.randrange(interfaces)
        now[interface] += rng.choice((0, 10**4, MS, 20 * MS, 20 * MS, 300 * MS))
        if rng.random() < 0.02:
            now[interface] -= rng.choice((MS, 2 * SECOND))
        written.append((now[interface] + delays[interface] + rng.choice((0, 0, 100 * MS)), now[interface], interface))
    written.sort(key=lambda frame: frame[0])
    return [(number, START_NS + time_ns, interface) for number, (_, time_ns, interface) in enumerate(written, 1)]


@pytest.mark.parametrize("seed", range(40))
def test_the_twin_agrees(seed: int) -> None:
    """Whatever the batches are, and whenever the second interface shows itself."""
    rng = random.Random(seed)
    interfaces, described = rng.choice((2, 2, 3, 5)), rng.choice((1, 2))
    frames = late_frames(rng, 300, interfaces)
    expected = in_order(frames, described > 1)
    assert sorted(expected) == [frame for frame, _, _ in frames]
    for batch in (1, 2, 7, 300):
        given, order = ordered(rows_of(frames), batch, interfaces, described)
        assert given == expected, batch
        assert order.seen["frames"] == 300


def test_the_twin_agrees_on_many_frames() -> None:
    """More than are held: an interface that is late by as many frames as three blocks have, and one by half a block."""
    frames: list[tuple[int, int]] = [(START_NS + 1000 * step, 0) for step in range(4 * BLOCK)]
    frames.insert(BLOCK + BLOCK // 2, (START_NS + 1000 * BLOCK, 1))
    frames.insert(4 * BLOCK, (START_NS + 1000 * BLOCK + 1, 1))
    numbered = [(number, *frame) for number, frame in enumerate(frames, 1)]
    expected = in_order(numbered, True)
    given, order = ordered(rows_of(numbered), 10_000, 2)
    assert given == expected
    assert order.seen["moved"] == order.seen["too_late"] == 1
    assert order.seen["moved_ns"] == 1000 * (BLOCK // 2 - 1)


def test_one_interface_is_left_alone() -> None:
    """Its rows are passed on as they are, also where its clock steps back."""
    frames = [(1, START_NS, 0), (2, START_NS + 5, 0), (3, START_NS + 2, 0)]
    for interfaces in (1, 2):
        given, order = ordered(rows_of(frames), 3, interfaces)
        assert given == [1, 2, 3]
        assert order.seen["moved"] == order.seen["too_late"] == 0
    rows = rows_of(frames)
    assert next(iter(TimeOrder(capture(1)).put(rows))) is rows


def test_only_rows_that_are_held_back_are_copied() -> None:
    """Of several interfaces that keep to the time: their memory is used again for the next batch."""
    rows = rows_of([(number, START_NS + number * SECOND, number % 2) for number in range(1, 10)])
    order = TimeOrder(capture(2))
    (at_once,) = order.put(rows)
    assert at_once.base is rows
    assert list(at_once["frame"]) == list(range(1, 9))
    rows[:] = 0
    (later,) = order.rest()
    assert list(later["frame"]) == [9]


def written(tmp_path: Path, delays_ns: tuple[int, int], shift_ns: tuple[int, int] = (0, 0)) -> Path:
    """An upload whose two directions are captured on two interfaces: when their frames are written, and by how much clocks differ."""
    lines = [(0, 0, "< S 0:0(0) win 64240 <mss 1460>"), (20 * MS, 1, "> S. 0:0(0) ack 1 win 65160 <mss 1460>")]
    lines.append((20 * MS + 10**5, 0, "< . 1:1(0) ack 1 win 64240"))
    for number in range(23):
        start, at = 1 + 1460 * number, (30 + 5 * number) * MS
        lines.append((at, 0, f"< . {start}:{start + 1460}(1460) ack 1 win 64240"))
        lines.append((at + 20 * MS, 1, f"> . 1:1(0) ack {start + 1460} win 65160"))
    lines.sort(key=lambda line: line[0] + delays_ns[line[1]])
    text, before = "", 0
    for at, interface, line in lines:
        time_ns = at + shift_ns[interface]
        text += (
            f"{'+' if time_ns >= before else '-'}{abs(time_ns - before) / SECOND:.9f} {line} [interface {interface}]\n"
        )
        before = time_ns
    (scenario,) = pkt.parse(text, "written late")
    return scenario.write(tmp_path / "capture.pcapng")


def test_an_interface_that_writes_later_changes_nothing(tmp_path: Path) -> None:
    """Its stamps are right: nothing is missing or sent again, no clock steps back, and frames keep their numbers."""
    analysis = analyze(written(tmp_path, (50 * MS, 0)))
    (flow,) = analysis.flows.to_dict("records")
    assert (flow["client_retransmissions"], flow["client_missing_bytes"], flow["handshake_rtt_ns"]) == (
        0,
        0,
        20_100_000,
    )
    assert analysis.event_counts == {}
    assert analysis.summary.total("regressions") == 0
    assert [warning for warning in analysis.warnings if "clock" in warning] == []
    assert list(analysis.packets["frame"]) == list(range(1, 50))
    (fact,) = analysis.facts
    assert (fact.fact, fact.frames) == ("out_of_order", 25)
    assert "by up to 49.9 ms" in fact.text


@pytest.mark.parametrize("batch", [1, 2, 7, 1000])
def test_the_batch_size_changes_nothing(tmp_path: Path, batch: int) -> None:
    """Of a capture that is put in order: neither rows nor events."""
    path = str(written(tmp_path, (50 * MS, 0)))
    for table in ("packets", "events", "flows"):
        whole, parts = (
            joined([np.zeros(0, rows[0].dtype), *rows])
            if (rows := list(table_rows([path], table, batch_frames=size)))
            else None
            for size in (1 << 15, batch)
        )
        assert np.array_equal(whole, parts), table


def test_labels_are_those_of_the_file(tmp_path: Path) -> None:
    """Wireshark judges frames as they stand in the file, and so do its labels."""
    analysis = analyze(written(tmp_path, (50 * MS, 0)))
    labels = dict(zip(analysis.packets["frame"], analysis.packets["wireshark"].astype(str), strict=True))
    assert sum("ack_lost_segment" in text for text in labels.values()) > 0


def test_clocks_that_differ_leave_the_file_as_it_is(tmp_path: Path) -> None:
    """The frames stand in the order in which they came; by the times, acknowledgments would precede their data."""
    path = written(tmp_path, (0, 0), (300 * MS, 0))
    analysis = analyze(path)
    (flow,) = analysis.flows.to_dict("records")
    assert (flow["client_retransmissions"], flow["client_missing_bytes"]) == (0, 0)
    assert [fact.fact for fact in analysis.facts] == ["different_clocks"]
    assert analysis.summary.total("regressions") == 0
    with open_capture([str(path)]) as found:
        rows = joined([part.copy() for part in decoded(found, None)])
    assert list(rows["frame"]) == list(range(1, 50))


def test_stamps_that_are_late_in_a_file_in_order_of_them(tmp_path: Path) -> None:
    """Two taps whose clocks differ, merged by time: what one captured came after the ACK that the other has captured."""
    path = written(tmp_path, (30 * MS, 0), (30 * MS, 0))
    analysis = analyze(path)
    (flow,) = analysis.flows.to_dict("records")
    assert (flow["client_retransmissions"], flow["client_missing_bytes"]) == (0, 0)
    assert analysis.event_counts == {"captured_late": 23}
    assert [(fact.fact, fact.frames) for fact in analysis.facts] == [("different_clocks", 23)]


def test_contradictions() -> None:
    """An acknowledgment of what comes later counts; of what never comes, too, once."""
    (scenario,) = pkt.parse(LATE, "handshake")
    rows = np.zeros(3, PACKETS.dtype)
    for row, line in zip(rows, scenario.lines, strict=True):
        row["layers"] = PACKETS.bit("layers", "tcp")
        row["src_lo"], row["dst_lo"] = (1, 2) if line.direction == 0 else (2, 1)
    rows["flags"], rows["seq"], rows["ack"] = [2, 18, 16], [100, 500, 101], [0, 101, 501]
    assert contradictions(rows) == 0
    rows["ack"][2] = 601
    assert contradictions(rows) == 1


def shuffled(rng: random.Random, count: int) -> Iterator[Rows]:
    """Rows of a file, a little out of order, in parts."""
    numbers = sorted(range(1, count + 1), key=lambda number: number + rng.randint(0, 9))
    while numbers:
        size = rng.randint(1, 5)
        yield rows_of([(number, 0, 0) for number in numbers[:size]])
        numbers = numbers[size:]


def test_back_to_the_order_of_the_file() -> None:
    """All rows, none before its time."""
    back = FileOrder()
    given = [back.put(rows)["frame"] for rows in shuffled(random.Random(1729), 101)]
    assert list(np.concatenate(given)) == list(range(1, 102))


def test_an_interface_that_shows_itself_later(tmp_path: Path) -> None:
    """A second section: its frames come behind those before, though they are earlier."""
    frame = build.ethernet(build.ipv4(build.udp(b"x"), build.UDP))
    first = [build.epb(frame, ticks=(1000 + number) * MS) for number in range(3)]
    second = [build.epb(frame, ticks=(1000 - number) * MS) for number in (900, 899)]
    path = tmp_path / "sections.pcapng"
    path.write_bytes(
        build.pcapng(build.shb(), build.idb(resolution=9), *first, build.shb(), build.idb(resolution=9), *second)
    )
    with open_capture([str(path)]) as found:
        order = TimeOrder(found)
        rows = joined([part.copy() for part in decoded(found, None, order)])
    assert list(rows["frame"]) == [1, 2, 3, 4, 5]
    assert order.seen["too_late"] == 2
    assert [fact.fact for fact in analyze(path).facts] == ["out_of_order", "joined"]
