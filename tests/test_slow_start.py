"""How slow start ended (TcpExtTCPHystart*): what lists of sockets show of it, and what flows leave open."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from analyzer import analyze
from analyzer.correlate import AGREE, BOUNDED, OVER, Compared
from analyzer.correlate.slow_start import BEFORE_NS, DETECTED, SLOW_START, WINDOWS, slow_starts
from analyzer.flows.addresses import halves
from analyzer.prediction import PREDICTED
from analyzer.schema import Rows
from analyzer.sockets import SocketFile
from analyzer.sockets.slow_start import Ended, SlowStarts
from analyzer.tables import FLOWS

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "clean-ipv4" / "client"
ROW = "ESTAB 0 0 10.0.0.1:{port} 10.0.0.2:80 ts sack {words}\n"


def ended(path: Path, *lists: str) -> list[Ended]:
    """What lists that were made one second apart show."""
    lines = [json.dumps({"time": 1_760_000_000 + second, "ss": text}) for second, text in enumerate(lists)]
    path.write_text("\n".join(lines))
    found = SlowStarts()
    for batch in SocketFile(path):
        found.add(batch)
    return found.ended


@pytest.mark.parametrize(
    ("words", "windows"),
    [
        ("cubic cwnd:62 ssthresh:48", [48]),
        ("cdg cwnd:62 ssthresh:48", [48]),
        ("reno cwnd:62 ssthresh:48", []),  # without HyStart
        ("bbr cwnd:62 ssthresh:48", []),
        ("cubic cwnd:62", []),  # not over
        ("cubic cwnd:9 ssthresh:7", []),  # below 16 it is not asked: a threshold that was remembered, or a loss
        ("cubic cwnd:40 ssthresh:48 bytes_retrans:1448 retrans:0/1", []),
        ("cubic cwnd:40 ssthresh:48 delivered_ce:3", []),  # marked
    ],
)
def test_a_threshold_without_a_loss(tmp_path: Path, words: str, windows: list[int]) -> None:
    """Only HyStart can have set it, to the congestion window of that moment."""
    assert [each.window for each in ended(tmp_path / "sockets.jsonl", ROW.format(port=40001, words=words))] == windows


def test_each_connection_once_when_it_shows_first(tmp_path: Path) -> None:
    """What is lost later takes nothing back."""
    first = ROW.format(port=40001, words="cubic cwnd:50")
    second = ROW.format(port=40001, words="cubic cwnd:62 ssthresh:48") + ROW.format(
        port=40002, words="cubic cwnd:90 ssthresh:80"
    )
    third = ROW.format(port=40001, words="cubic cwnd:20 ssthresh:20 bytes_retrans:9 retrans:0/2")
    found = ended(tmp_path / "sockets.jsonl", first, second, third)
    assert found == [Ended((1_760_000_001) * 10**9, 48), Ended((1_760_000_001) * 10**9, 80)]


Told = Callable[[str, dict[str, int]], dict[str, Compared]]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """The counters of slow start, where from the second list on the socket has more words, and the kernel has counted so much."""

    def compare(words: str, counted: dict[str, int]) -> dict[str, Compared]:
        folder = tmp_path / "bundle"
        shutil.copytree(SAMPLE, folder)
        lines = (folder / "counters.jsonl").read_text().splitlines()
        changed = [lines[0]]
        for line in lines[1:]:
            found = json.loads(line, parse_float=Decimal)
            found["counters"] |= counted
            changed.append(f'{{"time": {found["time"]}, "counters": {json.dumps(found["counters"])}}}')
        (folder / "counters.jsonl").write_text("\n".join(changed) + "\n")
        sockets = (folder / "sockets.jsonl").read_text()
        assert " cwnd:62 " in sockets
        (folder / "sockets.jsonl").write_text(sockets.replace(" cwnd:62 ", f" cwnd:62 {words} "))
        comparison = analyze(folder).comparison
        assert comparison is not None
        assert comparison.coverage().complete
        return {each.counter: each for each in comparison.whole() if each.counter in SLOW_START}

    return compare


def test_sockets_tell_both_together(told: Told) -> None:
    """A train of ACKs or a delay: of one or the other only the most is known."""
    found = told("ssthresh:48", {DETECTED[1]: 1, WINDOWS[1]: 48})
    assert set(found) == {DETECTED[1], WINDOWS[1], "+".join(DETECTED), "+".join(WINDOWS)}
    assert {each.verdict for each in found.values()} == {AGREE}
    assert {each.relation for each in found.values()} == {BOUNDED}
    both, window = found["+".join(DETECTED)], found["+".join(WINDOWS)]
    assert (both.observed, both.predicted, both.low) == (1, 1, 1)
    assert (window.observed, window.predicted, window.low) == (48, 48, 48)
    assert (found[DETECTED[1]].low, found[WINDOWS[1]].low) == (0, 0)


def test_without_sockets_flows_say_how_much_at_most(told: Told) -> None:
    """One connection has sent data: more than one end of slow start contradicts it."""
    found = told("", {DETECTED[0]: 1, WINDOWS[0]: 40})
    assert found["+".join(DETECTED)].predicted == 0
    assert {each.verdict for each in found.values()} == {AGREE}


def test_more_than_there_were_connections(told: Told) -> None:
    """Three, and one connection that never timed out."""
    found = told("", {DETECTED[0]: 3, WINDOWS[0]: 40})
    assert found[DETECTED[0]].verdict == OVER
    assert found[WINDOWS[0]].verdict == AGREE


def test_where_they_stand_still_nothing_is_said(told: Told) -> None:
    """Nor anything read for it."""
    assert told("ssthresh:48", {}) == {}


def flow(start_ns: int, client: tuple[int, int, int], server: tuple[int, int, int], protocol: str = "tcp") -> Rows:
    """A flow of 10.0.0.1 and 10.0.0.2, and of each end its packets, bytes and timeouts."""
    row = np.zeros(1, FLOWS.dtype)
    row["start_ns"], row["protocol"] = start_ns, FLOWS["protocol"].words.index(protocol)
    for side, address, sent in (("client", "10.0.0.1", client), ("server", "10.0.0.2", server)):
        row[f"{side}_hi"], row[f"{side}_lo"] = halves(address)
        row[f"{side}_packets"], row[f"{side}_payload"], row[f"{side}_timeouts"] = sent
    return row


def known(rows: Rows) -> dict[tuple[int, str], tuple[int, int, int]]:
    """Guess, least and most by time and counter; each once."""
    assert set(rows["flow"].tolist()) <= {-1}
    keys = zip(rows["time_ns"].tolist(), [PREDICTED[number] for number in rows["counter"]], strict=True)
    found = dict(zip(keys, rows[["amount", "least", "most"]].tolist(), strict=True))
    assert len(found) == len(rows)
    return found


def test_each_end_that_sent_may_have_ended_slow_starts() -> None:
    """One, and one more after each timeout, with a window of no more than it sent; of the same time, all together."""
    pieces = [
        np.concatenate(
            [flow(7, (5, 5360, 0), (9, 0, 0)), flow(7, (3, 1, 1), (3, 536, 0)), flow(8, (2, 99, 0), (0, 0, 0))]
        ),
        np.concatenate([flow(9, (3, 536, 0), (2, 99, 0)), flow(9, (3, 536, 0), (3, 536, 0), "udp")]),
    ]
    for local, times in ((["10.0.0.1"], {7: (3, 25 + 26), 9: (1, 14)}), ([], {7: (4, 25 + 26 + 14), 9: (1, 14)})):
        told = slow_starts([], pieces, local, (0, 0))
        assert not len(told.shown)
        assert known(told.possible) == {
            (time, name): (0, 0, times[time][name in WINDOWS or name == "+".join(WINDOWS)])
            for time in times
            for name in SLOW_START
        }


def test_what_is_no_longer_among_the_flows_counts_from_the_start() -> None:
    """As many as were left out, and all that they may have sent."""
    told = slow_starts([], [], [], (2, 30))
    assert {known(told.possible)[0, name] for name in (*DETECTED, "+".join(DETECTED))} == {(0, 0, 2)}
    assert {known(told.possible)[0, name] for name in (*WINDOWS, "+".join(WINDOWS))} == {(0, 0, 50)}


def test_of_sockets_both_together_are_certain() -> None:
    """Those of one list are one row of each counter; the guess is a delay."""
    told = slow_starts([Ended(BEFORE_NS + 5, 48), Ended(BEFORE_NS + 5, 80), Ended(BEFORE_NS + 6, 20)], [], [], (0, 0))
    assert not len(told.possible)
    expected = {}
    for time, times, window in ((5, 2, 128), (6, 1, 20)):
        for pair, most in ((DETECTED, times), (WINDOWS, window)):
            expected[time, "+".join(pair)] = (most, most, most)
            expected[time, pair[0]] = (0, 0, most)
            expected[time, pair[1]] = (most, 0, most)
    assert known(told.shown) == expected
