"""Several capture points: fates as the lab did them, no loss where a capture missed something, clocks, order, batches, NAT, and the naive twin."""

from __future__ import annotations

import html
import itertools
import json
import random
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from analyzer import analyze
from analyzer.errors import UsageError
from analyzer.points.clock import MOST_DRIFT, clock_of
from analyzer.points.match_kernel import leave, match
from analyzer.points.pending import COPY, LATE, MET, NEAR, PASSED, Pending
from analyzer.points.points import Points
from analyzer.points.seek_kernel import LOOKED_AT
from analyzer.points.segment import PASSING
from analyzer.report.json_text import json_pieces
from analyzer.report.points_json import points_json, points_ndjson
from analyzer.report.points_text import points_text
from tests.command import run_here
from tests.degraded import DEGRADED, claimed_falsely
from tests.helpers import SAMPLES
from tests.naive import points as naive
from tests.points import deeds_of, fates_of, on_the_way, points_of, two_hosts, written, wrong_in
from tests.test_json import wrong

LOSSY = SAMPLES / "loss-ipv4"
NAMED = [f"--at={host}={LOSSY / host}" for host in ("client", "server")]
SOME = (
    *("loss-ipv4", "loss-ipv6", "corrupt-ipv4", "network-duplicates", "reordering", "middlebox-port-late", "syn-loss"),
    *("congestion-marks", "ack-loss", "time-wait-reuse", "challenge-ack-syn", "ack-skipped-syn-recv", "fin-loss"),
    *("reorder-duplicate", "tail-losses", "tunnel-vxlan", "snaplen", "offload-gro", "offload-card", "counters-gso"),
    *("abort-on-timeout", "middlebox-address", "no-saved-acks", "vlan"),
)
# Of a few frames each: what a capture missed is then hardest to tell from what the network lost.
SMALL = ("abort-by-keep-alive", "abort-on-linger", "challenge-ack-reset", "middlebox-port", "paws-drop")


@pytest.mark.parametrize("name", SOME)
def test_fates_are_what_the_lab_did(name: str) -> None:
    """Every drop, duplicate, corruption, rewriting and overtaking, and nothing else. `python -m tests.points` tries all samples."""
    assert SAMPLES / name in two_hosts()
    assert wrong_in(SAMPLES / name) == []


def test_each_packet_stands_once_at_each_point() -> None:
    """Every TCP frame of both captures has one passage, and pairs name each other."""
    points = points_of(LOSSY)
    for name, analysis in points.at.items():
        here = points.passages[points.passages["point"] == name]
        assert sorted(here["frame"]) == list(analysis.packets["frame"])
    rows = points.passages.set_index(["point", "frame"])
    for (point, frame), row in rows[rows["related_frame"] > 0].iterrows():
        other = rows.loc[row["other"], row["related_frame"]]
        assert (other["packet"], other["other"], other["related_frame"]) == (row["packet"], point, frame)


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("name", ["loss-ipv4", *SMALL])
def test_nothing_is_claimed_of_what_a_capture_missed(name: str, side: str, tmp_path: Path) -> None:
    """With one capture degraded nothing is claimed that the lab did not do. `python -m tests.degraded` tries all samples."""
    other = "server" if side == "client" else "client"
    told = {how: claimed_falsely(SAMPLES / name, side, other, how, tmp_path) for how in DEGRADED}
    assert not any(told.values()), told


def test_a_bundle_with_one_direction_proves_no_loss(tmp_path: Path) -> None:
    """What a filter of the recording left out was not lost; only where the kernel, too, counted nothing that came, nothing came."""
    bundle = tmp_path / "server"
    shutil.copytree(LOSSY / "server", bundle)
    sent = set(analyze(bundle, filter="src host 10.0.0.2").packets["frame"])
    written(LOSSY / "server" / "capture.pcap", bundle / "capture.pcap", lambda number, time_ns: number in sent)
    found = fates_of(analyze(at={"client": LOSSY / "client", "server": bundle}))
    assert [at for at, _ in found["lost"]] == ["server"]  # the lab has lost 8 of the client's, too
    assert wrong_in(SAMPLES / "syn-queue-full") == []


@pytest.mark.parametrize("side", ["client", "server"])
def test_short_frames_hide_no_loss(side: str, tmp_path: Path) -> None:
    """What was lost is found where 96 bytes of each frame were captured, but for an ACK alone, in captures that do not say how many frames they missed."""
    other = "server" if side == "client" else "client"
    cut = written(LOSSY / side / "capture.pcap", tmp_path / "cut.pcap", snaplen=96)
    found = fates_of(analyze(at={side: cut, other: LOSSY / other / "capture.pcap"}))
    assert found["lost"] == deeds_of(LOSSY)["lost"] - {("server", 49)}


@pytest.mark.parametrize(("shift_ns", "drift"), [(0, 0.0), (7_200_000_000_000, 1e-4), (-3_600_000_000_000, -5e-5)])
def test_clocks_are_found(shift_ns: int, drift: float, tmp_path: Path) -> None:
    """Hours of shift and 100 ppm of drift: within 100 us or half the variation of the delay, and within the range; fates stay."""
    source = LOSSY / "server" / "capture.pcap"
    start = int(analyze(source).packets["time_ns"].iloc[0])
    plain = points_of(LOSSY)
    other = written(
        source, tmp_path / "other.pcap", clock=lambda time_ns: time_ns + shift_ns + round((time_ns - start) * drift)
    )
    points = analyze(at={"client": LOSSY / "client" / "capture.pcap", "server": other})
    before, after = plain.paths.iloc[0], points.paths.iloc[0]
    varies = max(int(row["delay_p95_ns"] - row["delay_min_ns"]) for row in (before, plain.paths.iloc[1]))
    true = int(before["clock_offset_ns"]) + shift_ns
    assert abs(int(after["clock_offset_ns"]) - true) <= max(100_000, varies // 2)
    assert after["clock_low_ns"] <= true <= after["clock_high_ns"]
    assert fates_of(points)["duplicated"] == fates_of(plain)["duplicated"] == set()
    assert fates_of(points)["lost"] <= fates_of(plain)["lost"]
    assert len(fates_of(points)["lost"]) >= len(fates_of(plain)["lost"]) - 1  # the last one may come after the end


@pytest.mark.parametrize("drift", [0.0, 1e-4, -1e-4])
def test_a_clock_over_an_hour(drift: float) -> None:
    """Offset and drift from both directions, in microseconds, whatever waits in queues."""
    draws = np.random.default_rng(7)
    sent = np.sort(draws.integers(0, 3_600_000_000_000, 4000))
    took = 5_000_000 + draws.exponential(2e6, 4000).astype(np.int64)
    offset = 86_400_000_000_000 + np.rint(sent * drift).astype(np.int64)
    forward = sent[::2], (sent + took + offset)[::2]
    backward = (sent + took)[1::2], (sent + offset)[1::2]
    clock = clock_of(forward, backward)
    assert clock is not None and clock.low_ns is not None and clock.high_ns is not None
    assert abs(clock.drift - drift) < 1e-7
    assert abs(clock.offset_ns - 86_400_000_000_000) < 300_000
    assert clock.low_ns <= 86_400_000_000_000 <= clock.high_ns
    times = np.array([0, 1_800_000_000_000, 3_600_000_000_000])
    assert np.abs(clock.to_first(clock.to_second(times)) - times).max() <= 1
    assert np.abs(clock.turned().to_second(clock.to_second(times)) - times).max() <= 1
    assert abs(clock.drift) <= MOST_DRIFT


def test_packets_of_one_direction_bound_a_clock_on_one_side() -> None:
    """The range is open, which is said; without packets there is no clock."""
    times = np.array([0, 1_000]), np.array([500, 1_700])
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
    ahead, behind = clock_of(times, nothing), clock_of(nothing, times)
    assert ahead is not None and (ahead.offset_ns, ahead.low_ns, ahead.high_ns) == (500, None, 500)
    assert behind is not None and (behind.offset_ns, behind.low_ns, behind.high_ns) == (700, 700, None)
    assert clock_of(nothing, nothing) is None
    assert any("one way only" in text for text in points_of(SAMPLES / "middlebox-port").warnings)


@cache
def _plain() -> Points:
    return points_of(LOSSY)


def test_the_order_in_which_points_are_given_does_not_matter() -> None:
    """The same passages and paths."""
    turned = analyze(at={host: str(LOSSY / host) for host in ("server", "client")})
    assert turned.passages.equals(_plain().passages)
    assert turned.paths.equals(_plain().paths)


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_what_is_read_at_once_does_not_matter(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same passages from chunks of any size."""
    monkeypatch.setattr("analyzer.points.points.CHUNK", chunk)
    found = analyze(at={host: str(LOSSY / host) for host in ("client", "server")}, batch_frames=chunk * 3)
    assert found.passages.equals(_plain().passages)


def test_times_are_on_the_clock_that_was_chosen() -> None:
    """Those of the other point are moved by the difference."""
    other = analyze(at={host: str(LOSSY / host) for host in ("client", "server")}, clock="server")
    own = other.at["server"].packets.set_index("frame")["time_ns"]
    here = other.passages[other.passages["point"] == "server"].set_index("frame")["time_ns"]
    assert (here - own[here.index]).abs().max() <= 1
    moved = other.passages["time_ns"] - _plain().passages["time_ns"]
    assert set(moved) == {int(_plain().paths["clock_offset_ns"].iloc[0])}


def test_translated_connections_are_shown() -> None:
    """What the client calls one port is another at the server."""
    points = points_of(SAMPLES / "middlebox-port")
    client, server = (points.connections[points.connections["point"] == name].iloc[0] for name in ("client", "server"))
    assert client["server_port"] != server["server_port"] and client["client_port"] == server["client_port"]
    assert "addresses and ports that were rewritten (NAT)" in points_text(points)


def test_three_points_tell_on_which_segment(tmp_path: Path) -> None:
    """Given in any order, they are put in that of the path; what was lost behind the middle one is lost there, and nothing before it."""
    middle = on_the_way(LOSSY / "client", tmp_path / "router.pcap", way_ns=4_000_000, clock_ns=3_600_000_000_000)
    points = analyze(at={"router": middle, "server": LOSSY / "server", "client": LOSSY / "client"})
    assert [points.names[number] for number in points.order] == ["client", "router", "server"]
    found = points.paths.set_index(["from_point", "to_point"])
    assert found["lost"].to_dict() == {
        ("client", "router"): 0, ("router", "client"): 0, ("router", "server"): 8, ("server", "router"): 0,
    }  # fmt: skip
    assert abs(int(found.loc[("client", "router"), "clock_offset_ns"]) - 3_600_000_000_000) < 100_000
    lost = points.passages[(points.passages["fate"] == "lost") & (points.passages["point"] == "router")]
    same = points.passages[(points.passages["point"] == "router") & (points.passages["other"] == "client")]
    back = dict(zip(same["frame"], same["related_frame"], strict=True))
    assert {("client", back[frame]) for frame in lost["frame"]} == {
        each for each in deeds_of(LOSSY)["lost"] if each[0] == "client"
    }


@pytest.mark.parametrize(
    ("name", "verdicts"),
    [
        ("loss-ipv4", {"needed": 8}),
        ("lost-retransmission", {"needed": 2}),
        ("corrupt-ipv4", {"needed": 3}),
        ("syn-ack-loss", {"needed": 1, "ack_lost": 1, "needless": 1}),  # the server answers both SYNs, and its timer
        ("spurious-timeout", {"needless": 2}),
    ],
)
def test_what_was_sent_again_is_judged_with_both_views(name: str, verdicts: dict[str, int]) -> None:
    """Needed where the lab has lost or damaged what was sent before, and else not; a lost answer tells why. The ways count it."""
    points = points_of(SAMPLES / name)
    again = points.passages[points.passages["retransmission"] != ""]
    assert again["retransmission"].astype(str).value_counts().to_dict() == verdicts
    counted = points.paths[["needed", "ack_lost", "needless"]].sum()
    assert {word: int(count) for word, count in counted.items() if count} == verdicts
    assert set(again["way"].astype(str)) == {"sent"}


@pytest.mark.parametrize(
    ("name", "cause", "explained"),
    [
        ("loss-ipv4", "loss-between-points", {"syn-loss", "slow-connection-setup", "packet-loss"}),
        ("syn-ack-loss", "loss-between-points", {"syn-loss", "slow-connection-setup"}),
        ("corrupt-ipv4", "damage-between-points", {"checksum-corruption", "packet-loss"}),
        ("corrupt-udp", "damage-between-points", {"checksum-corruption"}),
        ("spurious-timeout", "", set()),
    ],
)
def test_what_the_way_explains_is_told_under_it(name: str, cause: str, explained: set[str]) -> None:
    """With the points that it is between; nothing is left out, and what the way does not explain stands for itself."""
    points = points_of(SAMPLES / name)
    findings = {each.number: each for each in points.diagnosis.findings}
    under = [each for each in findings.values() if each.because_of and findings[each.because_of].point == ""]
    assert {each.rule.id for each in under} == explained
    assert {findings[each.because_of].rule.id for each in under} == ({cause} if cause else set())
    alone = [each for analysis in points.at.values() for each in analysis.diagnosis.findings]
    assert sorted(each.rule.id for each in findings.values() if each.point) == sorted(each.rule.id for each in alone)
    told = [
        each
        for each in under
        if any("between client and server" in text or "between server and client" in text for text in each.proofs)
    ]
    assert bool(told) == bool(cause)
    assert all(
        each.point is None and "between" not in " ".join(each.proofs) for each in alone
    )  # those of a point stay as they are


@pytest.mark.parametrize("seed", range(20))
def test_the_match_is_that_of_the_naive_twin(seed: int) -> None:
    """Random losses, copies and overtaking on ways with repeated numbers."""
    segments = _random_segments(random.Random(seed))
    expected = naive.match(segments)
    found = _matched(segments)
    for row in found:
        told = expected[bool(row["status"] & NEAR), int(row["frame"])]
        assert row["related_frame"] == told.related
        assert bool(row["status"] & MET) == bool(told.related)
        assert bool(row["status"] & LATE) == told.is_late
        assert bool(row["status"] & COPY) == (told.is_copy or told.copies > 0)
        assert row["late_by"] == (0 if row["status"] & NEAR else told.late_by)
    assert len(found) == len(segments)


@pytest.mark.parametrize(("others", "is_found"), [(LOOKED_AT - 1, True), (LOOKED_AT, False)])
def test_only_the_newest_are_looked_at(others: int, is_found: bool) -> None:
    """However many with the same numbers wait: the one with the IPv4 ID of what came is older than all others."""
    numbers = (1000, 500, 0, 16)
    segments = [
        naive.Segment(at + 1, at, 0, 0, True, numbers, 7, 9 if at == 0 else 5, 500, 0) for at in range(others + 1)
    ]
    segments.append(naive.Segment(others + 2, others + 10**6, 0, 0, False, numbers, 7, 9, 500, 0))
    came = next(row for row in _matched(segments) if not row["status"] & NEAR)
    assert (came["related_frame"] == 1) == is_found


def _matched(segments: list[naive.Segment]) -> np.ndarray:
    """What the kernels tell of all of them (PASSED)."""
    rows = _items(segments)
    pending = Pending(3)
    pending.make_room(len(rows))
    out, rest = np.zeros(4 * len(rows), PASSED), np.zeros(4 * len(rows), PASSED)
    at, count = match(
        rows, 0, 10**12, pending.sent, pending.sent_links, pending.came, pending.came_links, pending.state,
        pending.tables, pending.ways, out,
    )  # fmt: skip
    assert at == len(rows)
    more = leave(
        2**62, pending.sent, pending.sent_links, pending.came, pending.came_links, pending.state, pending.ways, rest
    )
    return np.concatenate([out[:count], rest[:more]])


def _random_segments(draws: random.Random) -> list[naive.Segment]:
    """Segments of three connections in both directions, some sent again as they were, with what came of them."""
    found, frame = [], 0
    for connection, way in itertools.product(range(3), range(2)):
        now = draws.randrange(10**6)
        for number in range(30):
            now += draws.randrange(1, 3 * 10**6)
            numbers = (1000 * (number // 2), 500, draws.choice((0, 1000)), 16)
            frame += 1
            sent = naive.Segment(frame, now, connection, way, True, numbers, draws.choice((7, 8)), number // 4, 500, 0)
            found.append(sent)
            for copy in range(draws.choice((0, 1, 1, 1, 1, 2))):
                frame += 1
                when = now + 10**7 + draws.choice((0, 0, 10**7)) + copy
                fields = (connection, way, False, numbers, sent.tsval, sent.ip_id, 500, 0)
                found.append(naive.Segment(frame, when, *fields))
    return found


def _items(segments: list[naive.Segment]) -> np.ndarray:
    """The same as the kernel takes them."""
    ordered = sorted(segments, key=lambda each: (each.when_ns, not each.near))
    rows = np.zeros(len(ordered), PASSING)
    for row, each in zip(rows, ordered, strict=True):
        row["time_ns"] = row["when_ns"] = row["key_ns"] = each.when_ns
        row["frame"], row["connection"], row["way"], row["near"] = each.frame, each.connection, each.way, each.near
        row["side"] = (not each.near) ^ each.way
        row["seq"], row["ack"], row["payload_len"], row["flags"] = each.numbers
        row["tsval"], row["options"], row["ip_version"], row["ip_id"] = each.tsval, 16, 4, each.ip_id
        row["window"] = each.window
    return rows


def test_the_command_says_what_was_lost_where(capsys: pytest.CaptureFixture[str]) -> None:
    """As text and JSON, with --at and with two bundles given plainly; the exit status follows --fail-on."""
    text = run_here("analyze", *NAMED, "--fail-on", "warning", capsys=capsys)
    assert (text.status, text.err) == (1, "")
    assert "8 packets of 128 that passed client never came to server" in " ".join(text.out.split())
    plain = run_here("analyze", *(str(LOSSY / host) for host in ("client", "server")), capsys=capsys)
    assert (plain.status, plain.out) == (0, text.out)
    whole = json.loads(run_here("analyze", *NAMED, "--json", capsys=capsys).out)
    assert [row["lost"] for row in whole["paths"]] == [8, 1]
    assert whole["findings"][0]["rule"] == "loss-between-points" and set(whole["at"]) == {"client", "server"}
    counters = text.out.partition("counters of the hosts")[2].partition("at client (")[0]
    assert [line.split() for line in counters.splitlines() if "TcpRetransSegs" in line] == [
        ["TcpRetransSegs", "8", "8"]
    ]


@pytest.mark.parametrize(
    "table", ["paths", "passages", "corruptions", "findings", "flows", "packets", "counters", "not_checked"]
)
def test_tables_are_exported(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As Python has them; those of one capture of both points, `point` in front."""
    ran = run_here("export", *NAMED, "--table", table, "--format", "jsonl", capsys=capsys)
    rows = [json.loads(line) for line in ran.out.splitlines()]
    expected = getattr(_plain(), table)
    assert expected.equals(_plain().table(table))
    assert (ran.status, len(rows)) == (0, len(expected))
    for name in set(expected) - {"time_ns", "start_ns", "end_ns"}:
        if expected[name].dtype.kind in "iu" or name == "point":
            assert [row[name] for row in rows] == expected[name].tolist()
    if table not in ("paths", "passages", "corruptions", "findings"):
        assert set(expected["point"]) <= {"client", "server"}
        own = [getattr(_plain().at[name], table) for name in ("client", "server")]
        assert len(expected) == sum(map(len, own)) and list(expected)[1:] == list(own[0])


def test_the_tables_are_asked_in_sql(capsys: pytest.CaptureFixture[str]) -> None:
    """By the command and in Python: those of one capture with the point, joined with what happened between the points."""
    query = (
        "SELECT p.point, count(*) AS lost, count(DISTINCT p.flow) AS flows FROM passages p JOIN packets USING (point, frame)"
        " WHERE fate = 'lost' GROUP BY ALL ORDER BY ALL"
    )
    ran = run_here("sql", *NAMED, query, "--json", capsys=capsys)
    assert (ran.status, json.loads(ran.out)["rows"]) == (0, [["client", 8, 2], ["server", 1, 1]])
    assert _plain().sql(query).values.tolist() == [["client", 8, 2], ["server", 1, 1]]
    assert set(_plain().sql("SELECT point FROM flows")["point"]) == {"client", "server"}
    with pytest.raises(UsageError, match="passage"):
        _plain().sql("SELECT * FROM passage")


def test_connections_are_listed_by_point(capsys: pytest.CaptureFixture[str]) -> None:
    """As text under the name of the point, as JSON with it."""
    text = run_here("flows", *NAMED, "--top", "1", capsys=capsys).out
    assert text.index("at client") < text.index("at server") and text.count("1 more flows") == 2
    whole = json.loads(run_here("flows", *NAMED, "--json", "--columns", "flow", capsys=capsys).out)
    assert whole["flows"] == [{"point": name, "flow": flow} for name in ("client", "server") for flow in (0, 1)]
    first = json.loads(run_here("flows", *NAMED, "--json", "--sort", "loss", "--top", "1", capsys=capsys).out)
    assert (len(first["flows"]), first["total"]) == (2, 4)


@pytest.mark.parametrize("name", ["loss-ipv4", "middlebox-port"])
def test_the_schema_fits(name: str) -> None:
    """The object and each line; the answer of each point is that of its capture alone."""
    points = points_of(SAMPLES / name)
    whole = json.loads("".join(points_json(points)))
    assert wrong("points", whole) == []
    lines = [json.loads(line) for line in "".join(points_ndjson(points)).splitlines()]
    assert [line["table"] for line in lines if wrong("line", line)] == []
    assert [row for row in lines if row["table"] == "findings"] == [
        {"table": "findings", **row} for row in whole["findings"]
    ]
    for host, analysis in points.at.items():
        assert whole["at"][host] == json.loads("".join(json_pieces(analysis)))
    assert len(json.loads("".join(points_json(points, 0)))["at"]["client"]["flows"]) == 0


def test_the_page_tells_it_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings between the points and at each, each way, the worst connection as both saw it, counters side by side."""
    target = tmp_path / "page.html"
    assert run_here("analyze", *NAMED, "-q", "--html", str(target), capsys=capsys).status == 0
    page = html.unescape(target.read_text())
    for each in _plain().diagnosis.findings:
        assert each.because_of or each.summary in page
    for text in (
        "Between the points",
        "At client",
        "At server",
        "from client to server",
        '<th scope="row">TcpRetransSegs',
    ):
        assert text in page
    assert page.count('class="plot"') == 2  # both connections lost something


def test_a_connection_is_drawn_as_both_points_saw_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each segment where it was sent and where it came, on one clock and at one height; what was lost is marked."""
    points = _plain()
    drawing = points.plot.time_sequence(points.plot.worst())
    layers = {layer.name: layer for layer in drawing.panels[0].layers}
    sent, again, came, lost = (
        layers[name] for name in ("data", "data sent again", "came to server", "lost on the way")
    )
    assert len(lost.x) == 7
    started = dict(zip(sent.y.tolist() + again.y.tolist(), sent.x.tolist() + again.x.tolist(), strict=True))
    assert len(came.x) > 100
    for x, y in zip(came.x.tolist(), came.y.tolist(), strict=True):
        assert 0.0099 < x - started[y] < 0.013  # the last time it was sent is when it came
    target = tmp_path / "picture.svg"
    assert run_here("plot", *NAMED, "--flow", "0", "-o", str(target), capsys=capsys).status == 0
    assert "lost on the way" in target.read_text()
    with pytest.raises(UsageError, match="no connection 7"):
        points.plot.time_sequence(7)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["analyze"], "Missing argument"),
        (["analyze", "--at", "client"], "no NAME=TRACE"),
        (["analyze", "--at", "client=x.pcap"], "1 capture point"),
        (["analyze", "x.pcap", "--at", "client=y.pcap"], "beside --at"),
        (["analyze", "x.pcap", "--clock", "client"], "one capture, and one clock"),
        (["analyze", "--at", "a=x.pcap", "--at", "b=y.pcap", "--follow"], "--follow"),
        (["analyze", "--at", "a=x.pcap", "--at", "b=y.pcap", "--flow", "1"], "flow"),
        (["plot", "--at", "a=x.pcap", "--at", "b=y.pcap", "--kind", "rtt", "-o", "x.svg"], "rtt"),
        (["flows", "--at", "a=x.pcap"], "1 capture point"),
        (["sql", "--at", "a=x.pcap", "SELECT 1 FROM paths"], "1 capture point"),
        (["analyze", "--at", "a=x.pcap", "--at", "b=y.pcap", "--clock", "c"], "no point 'c'"),
        (["export", "x.pcap", "--table", "paths"], "several capture points"),
        (["export", "--at", "a=x.pcap", "--at", "b=y.pcap", "--table", "flows", "--flow", "1"], "flow"),
    ],
)
def test_what_cannot_be_meant(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Is refused before anything is read."""
    ran = run_here(*arguments, capsys=capsys)
    assert ran.status == 2
    assert told in ran.err


def test_what_belongs_to_one_capture_is_refused() -> None:
    """Snapshots, hosts and the like."""
    with pytest.raises(UsageError, match="hosts"):
        analyze(at={"a": "x.pcap", "b": "y.pcap"}, hosts=["10.0.0.1"])
