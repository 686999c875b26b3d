"""Pictures say what the tables say: nothing is lost by thinning, and every form of file is what its name says."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest

from analyzer import Analysis, analyze
from analyzer.errors import TcpcapError, UsageError
from analyzer.events.judge import Judge
from analyzer.kinds import NAMES, NUMBER
from analyzer.plot import bins, extras, trace, trips
from analyzer.plot.bins import Bins, interval_of
from analyzer.plot.interactive import figure_dict
from analyzer.plot.panels import CAUSES, rate_layer, time_panel
from analyzer.plot.passing import Seen, read_again
from analyzer.plot.picture import Layer, Panel, Picture
from analyzer.plot.plots import Plots
from analyzer.plot.sequence import Heights
from analyzer.plot.strips import Strips
from analyzer.plot.thin import evenly, extremes
from analyzer.plot.trace import FIN, PACKET
from analyzer.plot.trips import ACK, RST, SYN, RoundTrips
from analyzer.report.connection_html import connection
from analyzer.report.counter_text import forecast_text
from analyzer.schema import Rows
from analyzer.tables import TIME_CAUSES
from tests import build
from tests.command import run_here, status_of
from tests.readme import ROOT
from tests.test_report import pcap_of, segment

SAMPLES = ROOT / "samples"
LOSS, ZERO, COUNTERS = "loss-ipv4/client", "zero-window/client", "listen-overflows/server"


@functools.cache
def analysed(name: str) -> Analysis:
    """A sample, analysed once for all tests."""
    return analyze(SAMPLES / name)


def plots(name: str) -> Plots:
    """Its pictures."""
    found = analysed(name).plot
    assert isinstance(found, Plots)
    return found


def layer(picture: Picture, name: str, panel: int = 0) -> Layer:
    """The layer of that name."""
    (found,) = [each for each in picture.panels[panel].layers if each.name == name]
    return found


def seen_again(name: str) -> Seen:
    """A pass for all connections of a sample."""
    analysis = analysed(name)
    ends = analysis.summary.total("first_ns"), analysis.summary.total("last_ns")
    return read_again(analysis.paths, analysis.flow_tracker.rows(), *ends, analysis.flow_tracker.max_flows)


def packets_with(**columns: Sequence[int]) -> Rows:
    """Packets of a connection, a millisecond apart."""
    packets = np.zeros(len(next(iter(columns.values()))), PACKET)
    packets["frame"] = np.arange(1, len(packets) + 1)
    packets["time_ns"] = 1_000_000 * packets["frame"]
    packets["flags"] = ACK
    for name, values in columns.items():
        packets[name] = values
    return packets


def test_the_time_sequence_marks_what_was_sent_again() -> None:
    """Each retransmission of the table `events` is marked at its frame, by its cause, on the top of its segment."""
    analysis = analysed(LOSS)
    picture = plots(LOSS).time_sequence(0)
    events, packets = analysis.events, analysis.packets.set_index("frame")
    again = events[(events["flow"] == 0) & (events["event"] == "retransmission") & (events["cause"] == "fast")]
    marks = layer(picture, "sent again: fast retransmission")
    assert marks.frames is not None
    assert marks.frames.tolist() == again["frame"].tolist()
    assert len(marks.x) == 7
    data = packets.loc[marks.frames]
    first = int(packets.loc[1, "seq"])
    assert marks.y.tolist() == (data["seq"] + data["payload_len"] - first).tolist()
    seconds = (data["time_ns"] - analysis.summary.total("first_ns")) / 1e9
    assert marks.x.tolist() == pytest.approx(seconds.tolist(), abs=1e-9)


def test_the_time_sequence_draws_every_segment_ack_and_sack_block() -> None:
    """Data from its first byte to its last, SACK blocks where they lie, the ACK line up to the last ACK."""
    picture, packets = plots(LOSS).time_sequence(0), analysed(LOSS).packets
    mine = packets[packets["flow"] == 0]
    sent = mine[(mine["direction"] == 0) & (mine["payload_len"] > 0)]
    bars = [layer(picture, name) for name in ("data", "data sent again")]
    assert sum(len(each.x) for each in bars) == len(sent)
    lengths = np.concatenate([each.end - each.y for each in bars if each.end is not None])
    assert sorted(lengths) == sorted(sent["payload_len"])
    acks = mine[(mine["direction"] == 1)]
    sacks = layer(picture, "SACK: came, though something before it is missing")
    assert len(sacks.x) == acks["sack_count"].sum() > 0
    line = layer(picture, "acknowledged up to here")
    assert line.y[-1] == acks["ack"].max() - mine["seq"].iloc[0]
    edge = layer(picture, "window: sent may be up to here")
    assert (edge.y >= np.interp(edge.x, line.x, line.y)).all()


def test_round_trips_are_those_of_a_naive_reading() -> None:
    """From data sent once to the first ACK that covers it, unless something was sent again meanwhile."""
    for name in (LOSS, ZERO):
        found = seen_again(name)
        for each in found.traces.values():
            assert each.trips[["time_ns", "rtt_ns", "direction"]].tolist() == naive_trips(each.packets)
            assert not each.thinned


def naive_trips(packets: Rows) -> list[tuple[int, int, int]]:
    """The same, packet by packet."""
    again = int(bins.AGAIN | trips.COPIES)
    waiting: dict[int, list[tuple[int, int]]] = {0: [], 1: []}
    resent = {0: -1, 1: -1}
    acked: dict[int, int | None] = {0: None, 1: None}
    found = []
    for row in packets:
        side, time, once = int(row["direction"]), int(row["time_ns"]), not int(row["events"]) & again
        data = waiting[1 - side]
        if int(row["flags"]) & (ACK | SYN | RST) == ACK:
            covered = [each for each in data if (int(row["ack"]) - each[0]) % 2**32 < 2**31]
            if covered:
                if resent[1 - side] < covered[-1][1]:
                    found.append((time, time - covered[-1][1], 1 - side))
                del data[: len(covered)]
            highest = acked[1 - side]
            if highest is None or (int(row["ack"]) - highest) % 2**32 < 2**31:
                acked[1 - side] = int(row["ack"])
        if once and row["payload_len"]:
            end, highest = (int(row["seq"]) + int(row["payload_len"])) % 2**32, acked[side]
            if highest is None or 0 < (end - highest) % 2**32 < 2**31:
                waiting[side].append((end, time))
        elif not once:
            resent[side] = time
    return found


EXCHANGE = packets_with(
    direction=[0, 0, 1, 0, 0, 1, 0, 1, 1, 0],
    seq=[2**32 - 10, 90, 7, 190, 90, 7, 290, 7, 7, 390],
    ack=[7, 7, 90, 7, 7, 290, 7, 390, 490, 7],
    payload_len=[100, 100, 0, 100, 100, 0, 100, 0, 0, 100],
    events=[0, 0, 0, 0, bins.AGAIN, 0, 0, 0, 0, 0],
)
"""Data, of which some is sent again; numbers that wrap; the last ACK is captured before its data."""


def test_round_trips_do_not_depend_on_how_the_packets_are_divided() -> None:
    """Nor on where a retransmission ends up."""
    whole = seen_again(LOSS).traces[0]
    for packets in (EXCHANGE, whole.packets):
        expected = naive_trips(packets)
        for size in (1, 2, 3, 7, len(packets)):
            trips = [RoundTrips(side) for side in (0, 1)]
            parts = [packets[at : at + size] for at in range(0, len(packets), size)]
            found = np.concatenate([each.add(part) for part in parts for each in trips])
            assert found[["time_ns", "rtt_ns", "direction"]].tolist() == expected, size
    assert [trip[:2] for trip in naive_trips(EXCHANGE)] == [(3_000_000, 2_000_000), (8_000_000, 1_000_000)]


def test_data_that_nobody_acknowledges_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a capture of one direction only the latest is remembered."""
    monkeypatch.setattr(trips, "MOST_WAITING", 3)
    found = RoundTrips(0)
    data = packets_with(seq=range(0, 1_000, 100), payload_len=[100] * 10)
    assert len(found.add(data)) == 0
    assert found._waiting["time_ns"].tolist() == data["time_ns"][-3:].tolist()


@pytest.mark.parametrize("name", [LOSS, ZERO, COUNTERS])
def test_the_account_of_time_is_drawn_whole(name: str) -> None:
    """The stretches of each cause sum up to its column in `flows`, and do not overlap."""
    for each in seen_again(name).traces.values():
        stretches = each.stretches
        for number, cause in enumerate(TIME_CAUSES):
            assert stretches["ns"][stretches["cause"] == number].sum() == each.row[f"time_{cause}_ns"], cause
        assert (stretches["from_ns"][1:] >= (stretches["from_ns"] + stretches["ns"])[:-1]).all()


def test_a_closed_window_is_shaded_for_as_long_as_it_was_closed() -> None:
    """As `flows` says."""
    (band,) = plots(ZERO).window(0).panels[0].bands
    closed = analysed(ZERO).flows["server_zero_window_ns"].iloc[0]
    assert (band.end - band.start) * 1e9 == pytest.approx(closed, abs=1e3)


def test_rates_sum_up_to_what_was_sent() -> None:
    """Bits a second times the length of the intervals are the bytes of `flows`; without what was sent again, its payload."""
    row, picture = analysed(LOSS).flows.iloc[0], plots(LOSS).throughput(0)
    for side in ("client", "server"):
        rates = layer(picture, f"{side}, on the wire")
        assert (rates.y[:-1] * np.diff(rates.x)).sum() / 8 == pytest.approx(row[f"{side}_bytes"])
    good = layer(picture, "client, goodput")
    assert (good.y[:-1] * np.diff(good.x)).sum() / 8 == pytest.approx(
        row["client_payload"] - row["client_retransmitted_bytes"]
    )


def test_strips_are_the_table_of_counters() -> None:
    """Rate times length of each interval is what was observed, and what was predicted."""
    name = "TcpExtListenOverflows"
    (panel,) = plots(COUNTERS).counters([name]).panels
    counters = analysed(COUNTERS).counters
    mine = counters[counters["counter"] == name]
    for number, column in enumerate(("observed", "predicted")):
        line = panel.layers[number]
        there = ~np.isnan(line.y[:-1])
        assert (line.y[:-1] * np.diff(line.x))[there].sum() == pytest.approx(mine[column].sum(), rel=0.01)
        assert mine[column].sum() == 6


def test_a_range_is_drawn_as_a_range() -> None:
    """Where packets only bound a counter, its line lies between the least and the most that they allow."""
    name = "TcpExtSyncookiesSent"
    (panel,) = plots("syn-flood/server").counters([name]).panels
    observed, least, most = panel.layers
    there = ~np.isnan(observed.y)
    assert (observed.y[there] >= least.y[there]).all()
    assert (observed.y[there] <= most.y[there]).all()
    (row,) = [each for each in analysed("syn-flood/server").comparison.whole() if each.counter == name]
    assert forecast_text(row) == f"{row.low:,} to {row.high:,}"


def test_what_agrees_is_seen() -> None:
    """What the kernel counted is a broad line below that of the packets, and neither lies on the edge."""
    (panel,) = plots(COUNTERS).counters(["TcpExtListenDrops"]).panels
    assert [each.broad for each in panel.layers] == [True, False]
    assert panel.top > panel.highest > 0
    widths = [each["line"]["width"] for each in figure_dict(plots(COUNTERS).counters(["TcpExtListenDrops"]))["data"]]
    assert widths[0] > 2 * widths[1]


@pytest.mark.parametrize(("count", "step"), [(1, 1), (3, 1), (400, None)])
def test_there_are_no_parts_of_events(count: int, step: int | None) -> None:
    """The axis of counts has whole numbers, those of columns upon one another."""
    x, y = np.array([1.0, 2.0]), np.array([0.0, count])
    columns = [Layer(name, "columns", "data", x, y, width=1.0) for name in ("one", "other")]
    panel = Panel("counts", "", columns, whole=True)
    assert panel.highest == 2 * count
    layout = figure_dict(Picture("a", "b", [replace(panel, layers=columns[:1])], "s", (0.0, 3.0)))["layout"]
    assert layout["yaxis"].get("dtick") == step
    shown = plots(LOSS).overview([0]).panels
    assert [each.whole for each in shown if each.title.startswith("Events")] == [True]


def test_a_connection_has_the_counters_of_its_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that are not among the first of the whole capture."""
    monkeypatch.setattr(Strips, "names", lambda *_: [])
    titles = [panel.title for panel in plots(COUNTERS).connection(2).panels]
    assert titles[-2:] == ["TcpExtListenOverflows, a second", "TcpExtListenDrops, a second"]


def test_a_counter_may_be_called_anything() -> None:
    """Names come from files: control characters are shown, not sent."""
    strips = Strips(analysed(COUNTERS))
    strips._rows["Tcp\x1b[31m"] = strips._rows["TcpExtListenDrops"]
    (panel,) = strips.panels(["Tcp\x1b[31m"], plots(COUNTERS)._clock)
    assert panel.title == "Tcp\\x1b[31m, a second"


def test_the_last_times_of_64_bits_are_drawn() -> None:
    """The end of the last interval lies beyond them."""
    last = 2**63 - 1
    few = Bins(last - 10**9, last)
    drawn = rate_layer("x", "data", few, few.sent[0], lambda times: (times - (last - 10**9)) / 1e9)
    assert (np.diff(drawn.x) > 0).all()
    assert drawn.x[-1] == pytest.approx(1.0, abs=0.01)


def test_counters_that_never_moved_are_refused() -> None:
    """With the names nearest to it."""
    with pytest.raises(UsageError, match="TcpExtListenOverflows"):
        plots(COUNTERS).counters(["ListenOverflows"])


def test_the_worst_finding_is_drawn_first() -> None:
    """Its connections lead; where nothing is wrong, the busiest is drawn."""
    assert plots(LOSS).chosen()[0] == analysed(LOSS).finding(1).flows[0]
    assert plots(COUNTERS).worst() == analysed(COUNTERS).finding(1).flows[0]


def test_the_overview_has_findings_connections_and_trouble() -> None:
    """Each finding a row of its own, as far as it is no consequence; the events of trouble all of them."""
    picture = plots(LOSS).overview([0])
    titles = {panel.title: panel for panel in picture.panels}
    assert [row.split()[0] for row in titles["Findings"].rows] == ["1", "3"]
    assert [each.number for each in analysed(LOSS).diagnosis.findings if each.because_of] == [2]
    assert ", 2 findings, " in picture.text
    trouble = sum(each.y.sum() for each in titles["Events that are trouble, by interval"].layers)
    assert (
        trouble == analysed(LOSS).event_counts["retransmission"] + analysed(LOSS).event_counts["retransmission_timeout"]
    )
    assert titles["Connections"].rows == [plots(LOSS).name(0)]


def test_sequence_numbers_may_wrap_and_resets_tell_nothing() -> None:
    """Heights go on where 32 bits end; a reset with the number 0 has none."""
    packets = packets_with(
        direction=[0, 0, 1, 0, 1],
        seq=[2**32 - 1000, 448, 7, 448 + 1448, 0],
        ack=[7, 7, 448, 7, 0],
        payload_len=[1448, 1448, 0, 100, 0],
        flags=[ACK, ACK, ACK, ACK, RST],
    )
    heights = Heights(packets, 0)
    assert heights.own[[0, 1, 3]].tolist() == [0, 1448, 2896]
    assert heights.acked[2] == 1448
    assert np.isnan(heights.all[4])
    assert heights.top.tolist() == [0, 1448, 1448, 2896, 2896]


def test_thinning_keeps_extremes_and_is_bounded() -> None:
    """The smallest and the largest of every signal, the first and the last point; some only where there are many."""
    rng = np.random.default_rng(5)
    signals: list[npt.NDArray[np.float64]] = [rng.normal(size=10_000), np.arange(10_000.0)]
    signals[0][[777, 5000]] = 99, -99
    kept = extremes(signals, 200)
    assert {0, 777, 5000, 9999} <= set(kept.tolist())
    assert len(kept) <= 402
    assert extremes(signals, 10_000).tolist() == list(range(10_000))
    assert evenly(np.arange(10), 3).tolist() == [0, 4, 9]


def spiked() -> tuple[Rows, set[int]]:
    """Packets of a busy connection, and which of them a picture cannot do without."""
    rng = np.random.default_rng(11)
    packets = packets_with(seq=range(2_000), direction=rng.integers(0, 2, 2_000))
    needed = set()
    for number, (name, side) in enumerate((name, side) for name in ("flight", "window", "srtt_ns") for side in (0, 1)):
        packets[name][:, side] = rng.integers(1_000, 2_000, 2_000)
        packets[name][[211 + number, 1311 + number], side] = 9_000, 7
        needed |= {211 + number, 1311 + number}
    packets["time_ns"][701:] += 10**9
    packets["flags"][[307, 311, 313]] = SYN, FIN, RST
    packets["events"][317] = bins.AGAIN
    return packets, needed | {700, 701, 307, 311, 313, 317, 0, 1_999}


def test_what_is_kept_of_packets() -> None:
    """Of every signal the peaks, both ends of a silence, what opens and closes, what was sent again; little else."""
    packets, needed = spiked()
    kept = set(trace._worth_keeping(packets, 10).tolist())
    assert needed <= kept
    assert len(kept) < 150


def test_a_long_connection_is_thinned_without_losing_anything_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for few packets only: peaks, retransmissions and the sums stay what they are."""
    whole = seen_again(LOSS).traces[0]
    monkeypatch.setattr(trace, "MOST_PACKETS", 100)
    monkeypatch.setattr(trace, "CHUNK", 50)
    thin = seen_again(LOSS).traces[0]
    assert thin.thinned and not whole.thinned
    assert len(thin.packets) < 0.8 * len(whole.packets)
    assert set(thin.packets["frame"].tolist()) < set(whole.packets["frame"].tolist())
    assert (np.diff(thin.packets["frame"]) > 0).all()
    for name in ("flight", "window", "srtt_ns"):
        assert thin.packets[name].max(axis=0).tolist() == whole.packets[name].max(axis=0).tolist()
    assert (thin.packets["events"] & bins.AGAIN != 0).sum() == (whole.packets["events"] & bins.AGAIN != 0).sum()
    trips = whole.trips[["time_ns", "rtt_ns", "direction"]].tolist()
    assert set(thin.trips[["time_ns", "rtt_ns", "direction"]].tolist()) < set(trips)
    assert thin.trips["rtt_ns"].max() == whole.trips["rtt_ns"].max()
    assert thin.trip_counts.tolist() == np.bincount(whole.trips["direction"], minlength=2).tolist()
    assert (thin.bins.sent == whole.bins.sent).all()
    assert thin.stretches.tolist() == whole.stretches.tolist()


def test_too_many_events_and_stretches_leave_the_rare_and_the_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind of event as many as its share allows, a rare one whole, but all are counted; of stretches the longest."""
    whole = seen_again(LOSS).traces[0]
    monkeypatch.setattr(trace, "MOST_EVENTS", 24)
    monkeypatch.setattr(trace, "MOST_STRETCHES", 5)
    thin = seen_again(LOSS).traces[0]
    retransmission, acks, updates = (NUMBER[name] for name in ("retransmission", "duplicate_ack", "window_update"))
    counts = np.bincount(whole.events["event"])
    assert (counts[retransmission], counts[acks], counts[updates]) == (7, 44, 21)
    kept = np.bincount(thin.events["event"])
    assert (kept[retransmission], kept[acks], kept[updates], kept.sum()) == (7, 8, 8, 23)
    assert (thin.counted == whole.counted).all()
    assert thin.counted.sum(axis=(1, 2))[acks] == 44
    assert len(whole.stretches) > 10
    longest = sorted(whole.stretches["ns"].tolist())[-5:]
    assert sorted(thin.stretches["ns"].tolist())[-5:] == longest
    assert len(thin.stretches) <= 2 * 5
    titles = [time_panel(each, lambda times: times / 1e9).title for each in (whole, thin)]
    assert titles == ["Where the time went", "Where the time went: its longest stretches"]


def test_what_is_not_drawn_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the legend of every form of a picture: of events that were not kept, and of points that were thinned."""
    monkeypatch.setattr(trace, "MOST_EVENTS", 9)
    found = analyze(SAMPLES / LOSS).plot
    picture = found.time_sequence(0)
    mark = layer(picture, "sent again: fast retransmission")
    assert (len(mark.x), mark.left_out) == (3, 4)
    picture.save(str(tmp_path / "x.svg"))
    told = "sent again: fast retransmission (4 more not drawn)"
    assert told in " ".join(ElementTree.parse(tmp_path / "x.svg").getroot().itertext())
    assert told in [each["name"] for each in figure_dict(picture)["data"]]
    assert connection(found._analysis, found, 0)["events_title"] == "7 events, 3 of them listed"


def test_intervals_are_round() -> None:
    """1, 2 or 5 times a power of ten, so that there are some hundreds."""
    assert [interval_of(each * 10**9) for each in (0, 1, 60, 3600)] == [10**6, 5 * 10**6, 2 * 10**8, 10**10]
    second = Bins(0, 10**9)
    assert second.count == 201
    assert second.place(np.array([-5, 10**12])).tolist() == [0, 200]


def test_pictures_of_a_connection_are_drawn_without_a_browser(tmp_path: Path) -> None:
    """All panels in one SVG, with the names of what is drawn as text; each of them is a picture of its own, too."""
    found, target = plots(LOSS), tmp_path / "x.svg"
    picture = found.connection(0)
    picture.save(str(target))
    text = " ".join(ElementTree.parse(target).getroot().itertext())
    assert "10.0.0.1:40001 > 10.0.0.2:80" in text
    for panel in picture.panels:
        assert all(name in text for name in [panel.title, *(panel.rows or [each.name for each in panel.layers])])
    kinds = (found.time_sequence, found.time_account, found.throughput, found.rtt, found.window)
    assert [panel.title for panel in picture.panels][: len(kinds)] == [kind(0).panels[0].title for kind in kinds]


def test_the_command_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A PNG, and a page with all that it needs; without --flow the connection of the worst finding."""
    png, page = tmp_path / "x.png", tmp_path / "x.html"
    done = run_here("plot", SAMPLES / ZERO, "--kind", "window", "-o", png, capsys=capsys)
    assert (done.status, done.out, done.err) == (0, "", "")
    assert png.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert run_here("plot", SAMPLES / COUNTERS, "--kind", "overview", "-o", page, capsys=capsys).status == 0
    assert "The whole capture" in page.read_text()
    assert "http" not in page.read_text().replace("http-equiv", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--flow", "99", "-o", "x.svg"), "no TCP connection 99"),
        (("-o", "x.gif"), ".html, .svg or .png"),
        (("--counter", "TcpInSegs", "-o", "x.svg"), "--kind counters"),
        (("--kind", "counters", "--counter", "TcpNone", "-o", "x.svg"), "'TcpNone' did not move"),
    ],
)
def test_the_command_says_what_is_wrong(
    words: Sequence[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written."""
    from analyzer.cli import cli

    monkeypatch.chdir(tmp_path)
    with pytest.raises(TcpcapError) as raised:
        cli.main(["plot", str(SAMPLES / ZERO), *words], standalone_mode=False)
    assert said in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_never_replaces_the_capture(tmp_path: Path) -> None:
    """Not even one whose name ends like a picture."""
    capture = tmp_path / "odd.svg"
    capture.write_bytes((SAMPLES / ZERO / "capture.pcap").read_bytes())
    before = capture.read_bytes()
    from analyzer.cli import cli

    with pytest.raises(TcpcapError, match="is the input itself"):
        cli.main(["plot", str(capture), "-o", str(capture)], standalone_mode=False)
    assert capture.read_bytes() == before


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the capture is read."""
    monkeypatch.setattr(extras, "PACKAGES", ("no_such_package",))
    monkeypatch.setattr(Judge, "__init__", lambda *_: pytest.fail("the capture was read"))
    from analyzer.cli import cli

    for words in (["plot", "x.pcap", "-o", "x.svg"], ["analyze", "x.pcap", "--html", "x.html"]):
        with pytest.raises(TcpcapError, match=r"no_such_package is not installed; .*pip install 'tcpcap\[plot\]'"):
            cli.main(words, standalone_mode=False)
    with pytest.raises(TcpcapError, match=r"tcpcap\[plot\]"):
        extras.needed("no_such_package.part")


def test_what_has_no_connection_has_an_overview_only(tmp_path: Path) -> None:
    """UDP alone, and a single frame."""
    frames = [build.ethernet(build.ipv4(build.udp(b"x" * 10), protocol=17))] * 3
    found = analyze(pcap_of(tmp_path / "u.pcap", frames)).plot
    assert found.chosen() == []
    assert found.overview().panels[0].title == "All frames on the wire"
    with pytest.raises(UsageError, match="no TCP connection"):
        found.worst()
    one = analyze(pcap_of(tmp_path / "one.pcap", [segment(flags=SYN)])).plot
    one.connection(one.worst()).save(str(tmp_path / "one.svg"))
    assert (tmp_path / "one.svg").stat().st_size > 1000


def test_a_capture_that_nobody_decodes_is_unreadable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As for any command: status 2, though there is a picture of its rates."""
    (tmp_path / "a.pcap").write_bytes(build.pcap([build.Record(bytes(60))] * 2, link=147))
    done = run_here("plot", tmp_path / "a.pcap", "--kind", "overview", "-o", tmp_path / "a.svg", capsys=capsys)
    assert done.status == status_of("analyze", tmp_path / "a.pcap") == 2


@pytest.mark.parametrize("verified", [True, False])
def test_what_is_drawn_rests_on_the_same_checksums(verified: bool, tmp_path: Path) -> None:
    """A SYN whose header was damaged is no attempt to open a connection: in `events` as in the picture."""
    frames = [build.ethernet(build.ipv4(build.tcp(flags=SYN), ident=number, check=1)) for number in (1, 2)]
    frames += [build.ethernet(build.ipv4(build.tcp(flags=SYN, src_port=2_000 + each))) for each in range(6)]
    found = analyze(pcap_of(tmp_path / "a.pcap", frames, step_ns=2 * 10**9), checksums=verified)
    found.plot.prepare([])
    counted = dict(zip(NAMES, found.drawn.whole.whole.events.sum(axis=1).tolist(), strict=True))
    assert {name: count for name, count in counted.items() if count} == {
        name: count for name, count in found.event_counts.items() if count
    }
    assert found.event_counts["syn_unanswered"] == 5 + (not verified)  # the last one is still opening


def test_a_notebook_gets_a_frame_that_is_whole_and_a_figure_to_change() -> None:
    """Its page is escaped into the frame; the figure is plotly's own."""
    picture = plots(ZERO).rtt(0)
    shown = picture._repr_html_()
    assert shown.startswith("<iframe ")
    assert shown.count("<") == 2
    figure = picture.figure()
    assert len(figure.data) == len(picture.panels[0].layers)
    assert figure.layout.xaxis.title.text.startswith("seconds since the first frame")


def test_causes_have_colours_and_names() -> None:
    """Every cause of time."""
    from analyzer.plot.palette import DARK, LIGHT

    assert set(CAUSES) <= set(LIGHT)
    assert set(LIGHT) == set(DARK)


def test_libraries_are_imported_when_the_first_picture_is_made() -> None:
    """An analysis without pictures needs none of them."""
    import subprocess

    code = (
        "import sys; from analyzer import analyze; a = analyze(sys.argv[1]); a.diagnosis; a.plot;"
        "print([m for m in ('plotly', 'matplotlib', 'tsdownsample', 'jinja2') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(SAMPLES / ZERO)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
