"""Datagrams in fragments that are put together: against the naive twin, and cases read by eye."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer import analyze
from analyzer.capture import Interfaces, RecordBatch
from analyzer.frames import FrameReader
from analyzer.schema import Rows, bits_text
from analyzer.tables import PACKETS
from tests import build
from tests.fragments import Captured, random_fragments
from tests.helpers import batch_of, differences, plain_rows, same_rows
from tests.naive.decode import Joiner, decode_frame
from tests.test_flows import Script

SEEDS = tuple(range(301, 309))


def batch_with(frames: Iterable[Captured]) -> tuple[RecordBatch, Interfaces]:
    """The frames as one batch."""
    frames = list(frames)
    batch, interfaces = batch_of((frame.link, frame.data, frame.length) for frame in frames)
    batch.rows["time_ns"] = [frame.time_ns for frame in frames]
    return batch, interfaces


def joined(batch: RecordBatch, interfaces: Interfaces, step: int = 1 << 30) -> Rows:
    """The rows, datagrams put together, the frames handed over in batches of `step`."""
    reader = FrameReader(None)
    parts = [np.zeros(0, PACKETS.dtype)]
    for start in range(0, len(batch), step):
        part = RecordBatch(batch.buffer, batch.rows[start : start + step], start + 1)
        parts.append(reader.rows_of(part, interfaces).copy())
    return np.concatenate(parts)


def twin(frames: Iterable[Captured]) -> list[dict[str, Any]]:
    """The twin's rows."""
    joiner = Joiner()
    rows = []
    for frame in frames:
        joiner.time_ns = frame.time_ns
        rows.append(decode_frame(frame.data, frame.length, frame.link, joiner=joiner))
    return rows


def disagreements(frames: list[Captured], step: int = 1 << 30) -> list[str]:
    """One line for each frame on which the two differ."""
    rows = joined(*batch_with(frames), step)
    found = []
    for number, (frame, expected, actual) in enumerate(
        zip(frames, twin(frames), plain_rows(rows), strict=True), start=1
    ):
        wrong = differences(expected, actual)
        if wrong:
            found.append(f"frame {number}: {frame}\n  (twin, kernel): {wrong}")
    return found


def ethernet_frames(packets: Iterable[bytes]) -> list[Captured]:
    """IP packets as frames, a millisecond apart."""
    kinds = {4: build.IPV4, 6: build.IPV6}
    data = [build.ethernet(packet, kinds[packet[0] >> 4]) for packet in packets]
    return [Captured(1, frame, len(frame), 10**6 * number) for number, frame in enumerate(data)]


@cache
def story(seed: int) -> list[Captured]:
    """Datagrams in fragments of every kind."""
    return random_fragments(random.Random(seed), 1200)


@pytest.mark.parametrize("seed", SEEDS)
def test_as_the_naive_twin(seed: int) -> None:
    """All columns of all frames, of datagrams and tunnels in fragments, whole or not."""
    found = disagreements(story(seed))
    assert not found, "\n".join(found[:3])


def test_the_stories_have_everything() -> None:
    """Every transport and several tunnels came in fragments, inside and outside; some were never complete."""
    rows = joined(*batch_with(story(SEEDS[0])))
    whole = rows[rows["layers"] & PACKETS.bit("layers", "reassembled") != 0]
    assert len(whole) > 600
    seen = Counter(word for mask in whole["layers"] for word in bits_text(PACKETS["layers"].words, int(mask)).split())
    assert min(seen[word] for word in ("tcp", "udp", "icmp", "icmpv6", "tunnel", "ipv4", "ipv6")) > 30
    tunnels = Counter(
        word for mask in whole["tunnels"] for word in bits_text(PACKETS["tunnels"].words, int(mask)).split()
    )
    assert min(tunnels[word] for word in ("vxlan", "geneve", "gre", "erspan", "ipip", "6in4")) > 10
    pieces = (rows["fragment_offset"] > 0) | (rows["ip_flags"] & 1 > 0)
    assert (whole["layers"] & PACKETS.bit("layers", "fragment") > 0).any(), "a fragment in a tunnel in fragments"
    assert (pieces & (rows["layers"] & PACKETS.bit("layers", "fragment") > 0)).sum() > 600


@pytest.mark.parametrize("step", [1, 7, 500])
def test_batches_of_any_size(step: int) -> None:
    """Also where the fragments of a datagram are in several batches."""
    batch, interfaces = batch_with(story(SEEDS[1]))
    assert same_rows(joined(batch, interfaces), joined(batch, interfaces, step))


SEGMENT = build.tcp(bytes(range(200)), seq=77, flags=0x18)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_frame_that_completes_it_describes_the_datagram(order: tuple[int, ...]) -> None:
    """Header columns are those of its own fragment; what stands behind is that of the datagram."""
    pieces = build.in_pieces(4, build.TCP, SEGMENT, (64, 136))
    rows = joined(*batch_with(ethernet_frames(pieces[place] for place in order)))
    *others, last = plain_rows(rows)
    assert last["stop"] == "decoded"
    assert last["layers"] == {"ethernet", "ipv4", "tcp", "reassembled"}
    assert (last["seq"], last["payload_len"], last["payload_captured"]) == (77, 200, 200)
    offset, size = ((0, 64), (64, 72), (136, 84))[order[2]]
    assert (last["fragment_offset"], last["ip_len"], last["ip_flags"]) == (offset, 20 + size, int(order[2] != 2))
    assert int(rows["first_fragment"][2]) == order.index(0) + 1
    for position, row in enumerate(others):
        assert "fragment" in row["layers"]
        assert row["stop"] == ("decoded" if order[position] == 0 else "fragment")
        assert int(rows["first_fragment"][position]) == 0


def test_a_tunnel_in_fragments_shows_once() -> None:
    """Its first fragment holds the headers inside, too; they belong to the frame that completes it."""
    inner = build.ethernet(build.ipv4(SEGMENT))
    packet = build.ipv4(build.udp(build.vxlan(inner), dst_port=4789), build.UDP, src="203.0.113.1")
    rows = joined(*batch_with(ethernet_frames(build.cut_up(packet, (160, 240)))))
    *_, last = shown = plain_rows(rows)
    assert [row["stop"] for row in shown] == ["fragment", "fragment", "decoded"]
    assert rows["tunnel_depth"].tolist() == [0, 0, 1]
    assert rows["src_port"].tolist() == [0, 0, 40000]
    assert (last["outer_src"], last["src"], last["payload_len"]) == ("203.0.113.1", build.SRC4, 200)
    assert (last["ip_len"], last["fragment_offset"]) == (240, 0)


def test_what_was_not_captured_whole_is_shown_as_it_stands() -> None:
    """A snaplen cuts all fragments: the first ones show what they hold, also of tunnels."""
    inner = build.ethernet(build.ipv4(SEGMENT))
    packet = build.ipv4(build.udp(build.vxlan(inner), dst_port=4789), build.UDP, src="203.0.113.1")
    frames = [
        Captured(frame.link, frame.data[:120], frame.length, frame.time_ns)
        for frame in ethernet_frames(build.cut_up(packet, (160, 240)))
    ]
    rows = joined(*batch_with(frames))
    assert rows["tunnel_depth"].tolist() == [1, 0, 0]
    assert (rows["layers"] & PACKETS.bit("layers", "reassembled")).sum() == 0


def test_datagrams_of_two_vlans_are_not_mixed() -> None:
    """The same addresses and identifications in two networks."""
    one, two = build.in_pieces(4, build.TCP, SEGMENT, (64,))
    frames = [build.ethernet(build.vlan(packet, vid=vid), build.VLAN) for vid, packet in ((5, one), (6, two), (5, two))]
    rows = joined(*batch_of((1, frame, len(frame)) for frame in frames))
    assert rows["first_fragment"].tolist() == [0, 0, 1]


def test_more_bytes_than_a_packet_can_have() -> None:
    """65,535 with the header; nothing is put together beyond."""
    for more, complete in ((0, True), (1, False)):
        segment = build.icmp(bytes(65535 - 20 - 8 + more))
        rows = joined(*batch_with(ethernet_frames(build.in_pieces(4, build.ICMP, segment, (32000, 64000)))))
        assert (rows["first_fragment"][2] == 1) == complete
        segment = build.icmpv6(bytes(65535 - 8 - 8 + more))
        rows = joined(*batch_with(ethernet_frames(build.in_pieces(6, build.ICMPV6, segment, (32000, 64000)))))
        assert (rows["first_fragment"][2] == 1) == complete


def test_a_connection_through_a_router_that_cuts(tmp_path: Path) -> None:
    """Whole segments are judged and labelled: nothing is missing, and no fragment looks like a segment of its own."""
    script = Script()
    frames = []
    for word in ["c:S", "s:SA", "c:A", "c:PA1000", "s:A", "s:PA1400", "c:A", "c:FA", "s:FA", "c:A"]:
        (frame,) = script.frames(word)
        big = len(frame) > 600
        frames += [build.ethernet(piece) for piece in build.cut_up(frame[14:], (400, 496), 7)] if big else [frame]
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap(build.Record(frame, 10**7 * number) for number, frame in enumerate(frames)))
    found = analyze(path)
    assert len(found.flows) == 1
    assert found.event_counts == {}
    assert found.checksum_counts == {"unverifiable": 4, "zero": 10}
    packets = found.packets
    assert (packets["wireshark"] == "").all()
    assert packets.loc[packets["first_fragment"] > 0, "payload_len"].tolist() == [1000, 1400]


def test_a_syn_of_which_a_fragment_is_all(tmp_path: Path) -> None:
    """Nothing is said of it that only a judged SYN shows: it stands in no verdict, and every verdict of a capture has a frame."""
    first, _ = build.in_pieces(4, build.TCP, build.tcp(bytes(100), flags=0x02, options=build.mss(1460) + build.window_scale(7) + b"\0"))  # fmt: skip
    plain = build.ipv4(build.tcp(flags=0x02, src_port=50000), build.TCP)
    at = (0, 10**6, 20 * 10**9)  # nanoseconds: longer than anybody waits for an answer
    frames = (first, plain, build.ipv4(build.tcp(flags=0x10, src_port=60000), build.TCP))
    (tmp_path / "x.pcap").write_bytes(build.pcap([build.Record(build.ethernet(each), when) for each, when in zip(frames, at, strict=True)]))  # fmt: skip
    found = analyze(tmp_path / "x.pcap")
    assert list(found.flows["state"][:2]) == ["unanswered", "unanswered"]
    said = found.events[found.events["event"] == "syn_unanswered"]
    assert said[["frame", "flow", "value"]].to_numpy().tolist() == [[2, 1, 1]]


def test_memory_is_bounded() -> None:
    """Of very many datagrams that are never complete the oldest are forgotten; those that are complete in time are put together."""
    firsts = [build.in_pieces(4, build.UDP, build.udp(bytes(64)), (8,), ident)[0] for ident in range(3000)]
    whole = [packet for ident in range(3000, 3100) for packet in build.in_pieces(4, build.TCP, SEGMENT, (64,), ident)]
    rows = joined(*batch_with(ethernet_frames([*firsts, *whole])))
    assert (rows["first_fragment"] > 0).sum() == 100
