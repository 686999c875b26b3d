"""One connection at several capture points: each frame once, fates and delays as in `passages`, NAT, three points, text and JSON."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.errors import UsageError
from analyzer.points.followed import CAME, SENT, Followed
from analyzer.points.points import Points
from analyzer.report.flow_text import FOLDED
from analyzer.report.layout import UNFOLDED, columns
from analyzer.tables import PASSAGES
from tests.command import run_here
from tests.helpers import SAMPLES
from tests.points import deeds_of, on_the_way, points_of
from tests.test_json import wrong

LOSSY = SAMPLES / "loss-ipv4"
NAMED = [f"--at={host}={LOSSY / host}" for host in ("client", "server")]
# Losses, copies, overtaking, damage, NAT, segments cut by a card, and merged.
SOME = (
    "loss-ipv4",
    "reorder-duplicate",
    "corrupt-ipv4",
    "middlebox-address",
    "offload-card",
    "offload-gro",
    "headers-cut",
)


@pytest.mark.parametrize("name", SOME)
def test_each_frame_is_there_and_each_packet_once(name: str) -> None:
    """Every frame of the connection at each point, with what `passages` says of it: where it was sent, and how often each fate is there."""
    points = points_of(SAMPLES / name)
    found = points.flow(0)
    for place, (point, flow) in enumerate(zip(found.names, found.flows, strict=True)):
        packets = points.at[point].packets
        own = set(packets["frame"][packets["flow"] == flow.number])
        assert {frame for sight in found.sights for frame in sight.frames[place]} == own
    assert [sight.time_ns for sight in found.sights] == sorted(sight.time_ns for sight in found.sights)
    assert _fates(found) == _fates_told(points, found)


def _fates(found: Followed) -> Counter[tuple[str, int]]:
    words = PASSAGES["fate"].words
    return Counter((words[int(hop["fate"])], int(hop["delay_ns"])) for sight in found.sights for hop in sight.hops)


def _fates_told(points: Points, found: Followed) -> Counter[tuple[str, int]]:
    """The same by the table: where packets were sent, and where those came that were not."""
    flows = dict(zip(found.names, (flow.number for flow in found.flows), strict=True))
    rows = points.passages
    own = rows[rows["flow"] == rows["point"].map(flows)]
    told = own[(own["way"] != "came") | (own["related_frame"] == 0)]
    return Counter(zip(told["fate"].astype(str), map(int, told["delay_ns"]), strict=True))


def test_what_another_connection_sent_is_told_where_it_came() -> None:
    """An old segment comes after its ports were used again: here it belongs to the new connection, there to the old one."""
    points = points_of(SAMPLES / "time-wait-reuse")
    found = points.flow(1)
    packets = points.at["server"].packets
    own = set(packets["frame"][packets["flow"] == found.flows[1].number])
    assert own <= {frame for sight in found.sights for frame in sight.frames[1]}
    (late,) = [sight for sight in found.sights if sight.frames == [[], [14]]]
    assert late.row["flags"] > 0
    with columns(200):
        text = found.text(everything=True)
    assert "client to server: 7 packets: 6 arrived, 1 came twice" in text
    assert "came twice to server" in text


def test_what_few_packets_had_changed_is_told_of_each() -> None:
    """And what most of a direction had, of none."""
    points = points_of(LOSSY)
    for most in (False, True):
        found = points.flow(0)
        hops = [hop for sight in found.sights for hop in sight.hops if hop["point_number"] == 0 and hop["way"] == SENT]
        some = hops if most else hops[: len(hops) // 4]
        assert len(some) >= FOLDED
        for hop in some:
            hop["fate"], hop["fields"] = PASSAGES.bit("fate", "rewritten"), PASSAGES.bit("fields", "dscp")
        with columns(200):
            text = found.text(everything=True)
        assert text.count("other dscp at server") == (0 if most else len(some))


def test_frames_of_one_packet_are_listed() -> None:
    """Two copies with others between them are no run of frames."""
    with columns(200):
        text = points_of(SAMPLES / "network-duplicates").flow(0).text(everything=True)
    assert "10, 24" in text
    assert "10-24" not in text


def test_what_the_time_line_leaves_out_is_said() -> None:
    """Frames that a capture of two interfaces holds again: how many, and the first; of a plain capture nothing."""
    found = points_of(SAMPLES / "copies-and-duplicates").flow(0)
    with columns(200):
        text = found.text(everything=True)
    for place, (name, flow) in enumerate(zip(found.names, found.flows, strict=True)):
        shown = sum(len(sight.frames[place]) for sight in found.sights)
        left = f"{len(flow.frame_rows) - shown} frames of {name} left out, first 2: its capture holds their packets more than once"
        assert left in text
    assert "left out" not in points_of(LOSSY).flow(0).text()


def test_what_was_made_on_the_way_is_in_the_sum() -> None:
    """Of the direction in which it came, beside what was sent: its row is of the point where it came."""
    found = points_of(LOSSY).flow(0)
    hops = [hop for sight in found.sights for hop in sight.hops if hop["point_number"] == 0 and hop["way"] == SENT]
    made = hops[3]
    made["way"], made["fate"] = CAME, PASSAGES.bit("fate", "injected")
    made["point_number"], made["other_number"] = 1, 0
    with columns(200):
        text = found.text(everything=True)
    assert f"client to server: {len(hops)} packets" in text
    assert "1 made on the way" in text
    assert text.count("made on the way: client never sent it to server") == 1


def test_what_the_lab_lost_has_no_frame_at_the_other_point() -> None:
    """Both connections together: each packet that was dropped, where it was sent, and none besides."""
    points = points_of(LOSSY)
    lost = set()
    for number in (0, 1):
        found = points.flow(number)
        for sight in found.sights:
            if not all(sight.frames):
                place = sight.frames.index([]) ^ 1
                lost.add((found.names[place], sight.frames[place][0]))
    assert lost == deeds_of(LOSSY)["lost"]


def test_a_connection_is_known_by_its_ends_at_any_point() -> None:
    """Behind a NAT its ends have other ports: either names it."""
    points = points_of(SAMPLES / "middlebox-port")
    server = points.connections[points.connections["point"] == "server"].iloc[0]
    behind = f"{server['server']}:{server['server_port']}"
    assert points.flow(behind).text() == points.flow(0).text()
    assert "changed (in dst_port" in points.flow(0).text()
    with pytest.raises(UsageError, match=r"no flow has the end 192\.0\.2\.9:80"):
        points.flow("192.0.2.9:80")
    with pytest.raises(UsageError, match="no other point is known to have flow 0 of client"):
        points_of(SAMPLES / "icmp-errors-to-client").flow("10.0.0.1:40001")


def test_three_points_tell_the_time_on_each_segment(tmp_path: Path) -> None:
    """A packet that passes all three has a frame at each, and two delays, which together are that of the whole way."""
    middle = on_the_way(LOSSY / "client", tmp_path / "router.pcap", way_ns=4_000_000)
    points = analyze(at={"client": LOSSY / "client", "router": middle, "server": LOSSY / "server"})
    found, whole = points.flow(0), points_of(LOSSY).flow(0)
    assert found.names == ["client", "router", "server"]
    total = {(sight.frames[0][0], sight.frames[1][0]): sight for sight in whole.sights if all(sight.frames)}
    passed = [sight for sight in found.sights if all(sight.frames)]
    assert len(passed) == len(total) > 100
    for sight in passed:
        ends = sum(int(hop["delay_ns"]) for hop in sight.hops)
        expected = int(total[sight.frames[0][0], sight.frames[2][0]].hops[0]["delay_ns"])
        # Each pair of points shares the way there and back otherwise, as nothing tells how it is shared.
        assert len(sight.hops) == 2 and abs(ends - expected) < 3_000_000


def test_the_command_tells_it_as_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The text is that of Python, with --all a line for each packet; the JSON fits its schema and has them all."""
    points = points_of(LOSSY)
    plain = run_here("flow", *NAMED, "0", capsys=capsys)
    with columns(UNFOLDED):
        texts = [points.flow(0).text(everything) for everything in (False, True)]
    assert (plain.status, plain.out) == (0, texts[0])
    assert plain.out.count("lost on the way to server") == 7
    every = run_here("flow", *NAMED, "10.0.0.1:40001", "--all", capsys=capsys)
    assert max(map(len, str(points.flow(0)).splitlines())) <= 80
    assert every.out == texts[1] and "..." in plain.out and "..." not in every.out
    whole = json.loads(run_here("flow", *NAMED, "0", "--json", "--clock", "server", capsys=capsys).out)
    assert wrong("followed", whole) == []
    assert (whole["clock"], list(whole["at"])) == ("server", ["client", "server"])
    assert len(whole["packets"]) == len(points.flow(0).sights)
    lost = [packet for packet in whole["packets"] if any(each["fate"] == "lost" for each in packet["passages"])]
    assert len(lost) == 8 and all([] in packet["frames"].values() for packet in lost)


def test_what_cannot_be_followed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A capture beside --at, a number that no flow has, and nothing to follow."""
    beside = run_here("flow", *NAMED, str(LOSSY / "client"), "0", capsys=capsys)
    assert beside.status == 2 and "beside --at" in beside.err
    assert "no flow 9" in run_here("flow", *NAMED, "9", capsys=capsys).err
    assert "Missing argument" in run_here("flow", "0", capsys=capsys).err
