"""tcpcap counters trace: from a counter to its frames, as text."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.errors import UsageError
from analyzer.report.trace_text import trace_lines
from tests.command import status_of

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
LOSSY = SAMPLES / "loss-ipv4" / "client"
FRAME = re.compile(r" *([\d,]+)  \d\d:\d\d:\d\d\.\d{6}  +(~?[\d,]+(?: to [\d,]+)?)  \S+ > \S+")


def frames_in(lines: list[str]) -> list[int]:
    """The frames that are listed."""
    return [int(found[1].replace(",", "")) for line in lines if (found := FRAME.fullmatch(line))]


def test_every_frame_is_listed() -> None:
    """Retransmissions of two connections, in two intervals, each with what the kernel counted in it."""
    analysis = analyze(LOSSY)
    lines = list(trace_lines(analysis, "retranssegs"))
    increments = analysis.increments
    assert lines[0] == "TcpRetransSegs"
    assert frames_in(lines) == increments[increments["counter"] == "TcpRetransSegs"]["frame"].tolist()
    intervals = [line for line in lines if line.startswith("-- ")]
    assert [line.split(": ", 1)[1] for line in intervals] == [
        "counted 7, forecast 7: agree",
        "counted 1, forecast 1: agree",
    ]
    assert lines[-1] == "8 frames, 8 in all"
    assert max(map(len, lines)) <= 80


def test_what_a_model_decides_is_marked() -> None:
    """With a tilde, and a line that says what it means."""
    lines = list(trace_lines(analyze(LOSSY), "TcpExtTCPTimeouts"))
    assert any(" ~1 " in line for line in lines if FRAME.fullmatch(line))
    assert lines[-1].startswith("~ ")


def test_an_interval_without_a_frame_is_told(tmp_path: Path) -> None:
    """The kernel counted two more at the end, and no frame explains them."""
    *before, last = (LOSSY / "counters.jsonl").read_text().splitlines()
    snapshot = json.loads(last, parse_float=Decimal)
    snapshot["counters"]["TcpRetransSegs"] += 2
    other = tmp_path / "counters.jsonl"
    other.write_text("\n".join([*before, json.dumps(snapshot, default=float)]))
    analysis = analyze(LOSSY / "capture.pcap", snapshots=[other], hosts=["10.0.0.1"])
    told = list(trace_lines(analysis, "TcpRetransSegs"))
    assert len(frames_in(told)) == 8
    assert told[-2].endswith(": counted 2, forecast 0: OVER")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((LOSSY, "RetransSeg"), "did you mean"),
        ((LOSSY, "TcpExtTCPHystartDelayCwnd"), "packets do not tell"),
        ((SAMPLES / "middlebox-port" / "client" / "capture.pcap", "TcpRetransSegs"), "--host"),
    ],
)
def test_what_cannot_be_told_is_an_error(
    arguments: tuple[Path, str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line on standard error with the next step."""
    assert status_of("counters", "trace", *arguments) == 2
    assert why in capsys.readouterr().err


def test_the_command_prints_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing else."""
    assert status_of("counters", "trace", LOSSY, "SynRetrans") == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == list(trace_lines(analyze(LOSSY), "SynRetrans"))
    assert shown.err == ""


def test_a_name_of_several_counters_is_refused() -> None:
    """InDatagrams is of UDP over IPv4 and of others."""
    with pytest.raises(UsageError, match="more than one"):
        list(trace_lines(analyze(LOSSY), "InDatagrams"))
