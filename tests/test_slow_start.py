"""How slow start ended (TcpExtTCPHystart*): what lists of sockets show of it, and what flows leave open."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.correlate import AGREE, BOUNDED, OVER, Compared
from analyzer.correlate.slow_start import DETECTED, SLOW_START, WINDOWS
from analyzer.sockets import SocketFile
from analyzer.sockets.slow_start import Ended, SlowStarts

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
