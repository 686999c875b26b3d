"""Counters predicted from packets, against what the kernels of the samples counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from analyzer import analyze
from analyzer.capture import open_capture
from analyzer.capture.bundle import host_of
from analyzer.catalogue import CATALOGUE, find
from analyzer.correlate import (
    AGREE,
    BOUNDED,
    EXACT,
    INFERRED_RELATION,
    NOT_COMPARABLE,
    OVER,
    UNDER,
    UNLIMITED,
    UNOBSERVABLE,
    Compared,
)
from analyzer.correlate.comparison import NOT_PREDICTED
from analyzer.correlate.coverage import OUTSIDE
from analyzer.correlate.sums import SHOWN_BY
from analyzer.passes import increment_rows
from analyzer.prediction import INFERRED, PREDICTED, Predictor
from analyzer.prediction.names import BY_OTHERS
from analyzer.prediction.sink import OUT_CAPACITY
from analyzer.report.counter_text import comparison_lines
from tests import build
from tests.agreement import HOSTS, SAMPLES, agreement, compared, right
from tests.each import for_each
from tests.readme import body_of

NAMES = [found.relative_to(SAMPLES).as_posix() for found in HOSTS]
BEYOND_PACKETS = (
    "groups-ipv4",
    "groups-ipv6",
    "found-open",
    "found-open-losses",
    "headers-cut",
    "malformed-headers",
    "connect-unreachable",
    "icmp-errors-to-client",
)  # what they show packets do not decide
CLEAN = ("clean-ipv4", "clean-ipv6", "handshake", "vlan", "any-sll2", "offload-off", "offload-card", "offload-veth")


def wrong(rows: list[Compared]) -> list[str]:
    """What disagrees, a line each."""
    return [
        f"{each.counter} {each.observed} not in {each.low}..{each.high}"
        for each in rows
        if each.verdict in (UNDER, OVER)
    ]


def test_the_readme_tells_the_agreement() -> None:
    """The table of the page on counters is what the samples give now."""
    assert body_of("agreement") == agreement()


def test_there_are_hosts() -> None:
    """Enough to say something."""
    assert len(HOSTS) > 20


@for_each("folder", HOSTS)
def test_every_host_of_the_samples(folder: Path) -> None:
    """From the first to the last snapshot, and interval by interval: what packets decide is what the kernel counted.

    A host that drops or forges packets behind the capture's back has a coverage that is not complete: nothing is claimed.
    """
    comparison = compared(folder)
    for rows in (comparison.whole(), comparison.rows()):
        assert wrong([each for each in rows if each.relation != INFERRED_RELATION]) == []
        unclear = [each for each in rows if each.verdict == NOT_COMPARABLE and each.relation != UNOBSERVABLE]
        assert not unclear or not comparison.coverage().complete


@for_each("folder", HOSTS)
def test_what_is_said_of_a_counter_fits_together(folder: Path) -> None:
    """The guess lies in the range, which has an end where the capture holds everything; what is not compared has a reason that is true."""
    comparison = compared(folder)
    complete = comparison.coverage().complete
    for each in (*comparison.whole(), *comparison.rows()):
        assert 0 <= each.low <= each.predicted <= each.high, each
        assert not complete or each.high < UNLIMITED or each.reason == OUTSIDE, each
        unclear = each.verdict == NOT_COMPARABLE
        assert bool(each.reason) == (each.verdict != AGREE or each.counter in SHOWN_BY), each
        assert not unclear or (each.relation == UNOBSERVABLE) == (each.reason == NOT_PREDICTED), each
        # A number that is given and was counted is no reason to be silent.
        assert not unclear or each.relation == UNOBSERVABLE or each.observed != each.predicted, each


def test_most_captures_are_complete() -> None:
    """Else the test above would show little."""
    complete = sum(compared(folder).coverage().complete for folder in HOSTS)
    assert complete >= 0.85 * len(HOSTS)


def test_what_a_model_decides_is_mostly_right() -> None:
    """Causes of retransmissions, over all samples."""
    rows = [each for folder in HOSTS for each in compared(folder).whole() if each.relation == INFERRED_RELATION]
    good = sum(right(each) for each in rows)
    assert len(rows) > 5
    assert good >= 0.85 * len(rows), [wrong([each]) for each in rows if each.verdict in (UNDER, OVER)]


@pytest.mark.parametrize("name", CLEAN)
def test_clean_samples_have_no_disagreement_at_all(name: str) -> None:
    """Nor do the words say so."""
    for host in ("client", "server"):
        analysis = analyze(SAMPLES / name / host)
        assert analysis.comparison is not None
        assert wrong(analysis.comparison.rows()) == []
        text = " ".join(comparison_lines(analysis.comparison))
        assert "DISAGREES" not in text
        assert "agree" in text
        assert not analysis.counters["verdict"].isin(["under", "over"]).any()


def test_ranges_are_narrow() -> None:
    """A counter that is exact in the catalogue has a range only where the kernel cut packets before the capture.

    Or goes to groups, of which nobody knows whether the host is in them. Or joined them after it, while the application was at work with the socket; or where packets say less than usual, as of
    connections that the flow does not show from their beginning.
    """
    found = [compared(folder) for folder in HOSTS if folder.parent.name not in BEYOND_PACKETS]
    wide = {
        each.counter
        for comparison in found
        if comparison.coverage().complete
        for each in comparison.whole()
        if each.relation == BOUNDED and each.counter in CATALOGUE and CATALOGUE[each.counter].observability == "exact"
    }
    assert {name for name in wide if not name.endswith(("OutRequests", "OutTransmits", "OutOctets"))} <= {
        "IpExtInNoECTPkts",
        "IpExtInECT0Pkts",
        "Ip6InNoECTPkts",
        "Ip6InECT0Pkts",
        "TcpEstabResets",
        "TcpPassiveOpens",
        "TcpExtTCPDelivered",
        "TcpExtSyncookiesSent",
        "TcpExtSyncookiesRecv",
        "IpInDelivers",
        "Ip6InDelivers",
        *BY_OTHERS,  # what another counter widens
        # Frames that are neither from nor to the host, and connections closed behind data that was never acknowledged.
        "IpInReceives",
        "IpExtInOctets",
        "IpForwDatagrams",
    }


def test_cut_headers_leave_certain_what_flags_and_numbers_show() -> None:
    """Of a capture of 60 bytes a frame the options are missing: attempts to connect need none, a retransmission hardly any."""
    rows = {each.counter: each for each in compared(SAMPLES / "headers-cut" / "client").whole()}
    opens, again = rows["TcpActiveOpens"], rows["TcpRetransSegs"]
    assert (opens.low, opens.high, opens.verdict) == (1, 1, AGREE)
    assert again.predicted == again.observed == 3
    assert again.high < 100 < rows["TcpExtTCPDelivered"].high


def test_the_other_host_s_counters_do_not_fit(tmp_path: Path) -> None:
    """Snapshots of the server beside the client's capture: the coverage says so, and nothing is claimed."""
    shutil.copytree(SAMPLES / "loss-ipv4" / "client", tmp_path / "mixed")
    shutil.copy(SAMPLES / "loss-ipv4" / "server" / "counters.jsonl", tmp_path / "mixed" / "counters.jsonl")
    comparison = compared(tmp_path / "mixed")
    assert not comparison.coverage().complete
    assert wrong(comparison.whole()) == []
    assert "coverage" in "".join(comparison_lines(comparison))


def test_a_capture_with_holes_claims_nothing(tmp_path: Path) -> None:
    """One frame in ten is missing: the share is said, and no counter disagrees for that."""
    folder = tmp_path / "holes"
    shutil.copytree(SAMPLES / "clean-ipv4" / "client", folder)
    with open_capture([str(folder)]) as capture:
        records = [
            build.Record(batch.data(i), int(batch.rows["time_ns"][i]), int(batch.rows["length"][i]))
            for batch in capture
            for i in range(len(batch))
        ]
    kept = [record for number, record in enumerate(records) if number % 10 != 3]
    (folder / "capture.pcap").write_bytes(build.pcap(kept, magic=build.NANOSECONDS))
    comparison = compared(folder)
    coverage = comparison.coverage()
    assert 0.8 < coverage.share < 0.97
    assert wrong(comparison.whole()) == []
    assert not any(each.relation == EXACT for each in [*comparison.whole(), *comparison.rows()])
    assert "holds" in coverage.reason


def test_without_a_host_nothing_is_compared(tmp_path: Path) -> None:
    """One direction only, and no host.json: nobody knows whose counters these are, until the user says it."""
    folder = SAMPLES / "middlebox-port" / "client"
    shutil.copy(folder / "capture.pcap", tmp_path)
    analysis = analyze(tmp_path / "capture.pcap", snapshots=[folder / "counters.jsonl"])
    assert analysis.comparison is None
    assert len(analysis.counters) == 0
    named = analyze(tmp_path / "capture.pcap", snapshots=[folder / "counters.jsonl"], hosts=["10.0.0.1"])
    assert named.comparison is not None
    assert wrong(named.comparison.whole()) == []


@pytest.mark.parametrize("name", ["corrupt-udp/server", "corrupt-ipv4/server", "fragments/server"])
def test_checksums_that_nobody_asked_for_count_all_the_same(name: str) -> None:
    """What a wrong one drops, and what fragments make a whole, is known without the table of checksums."""
    folder = SAMPLES / name
    without = analyze(folder, checksums=False).comparison
    assert without is not None
    assert without.whole() == compared(folder).whole()
    assert wrong(without.whole()) == []


@pytest.mark.parametrize("name", ["loss-ipv4/client", "tunnel-vxlan/server", "corrupt-udp/server"])
def test_increments_do_not_depend_on_batches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor on the room for them, and they sum up to the prediction."""
    folder = SAMPLES / name
    host = host_of(str(folder))
    assert host is not None

    def all_of() -> np.ndarray:
        return np.concatenate(
            [part.copy() for part in increment_rows([str(folder)], Predictor(host.addresses, host.mtu))]
        )

    whole = all_of()
    for frames, room in ((1, OUT_CAPACITY), (7, 260), (1000, 400)):
        monkeypatch.setattr("analyzer.passes.EXPORT_BATCH_FRAMES", frames)
        monkeypatch.setattr("analyzer.prediction.sink.OUT_CAPACITY", room)
        assert np.array_equal(all_of(), whole)
    lines = (folder / "counters.jsonl").read_text().splitlines()
    moved = json.loads(lines[-1])["counters"]["IpInReceives"] - json.loads(lines[0])["counters"]["IpInReceives"]
    assert whole["amount"][whole["counter"] == PREDICTED.index("IpInReceives")].sum() == moved


def test_predicted_counters_are_in_the_catalogue() -> None:
    """Under their names, and none that packets are said to know nothing of."""
    for name in "+".join(PREDICTED).split("+"):
        assert find(name).observability != "unobservable", name
    assert set(PREDICTED) > INFERRED
