"""Traffic recorded now, on the kernel that runs here: its counters are what the packets say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.correlate import EXACT, INFERRED_RELATION, NOT_COMPARABLE, UNOBSERVABLE
from samples.lab import tools
from tests.agreement import right

ROOT = Path(__file__).resolve().parent.parent
SEED = "20261121"  # not the one of the samples
# Scenario, host, and the counter that it is about.
LIVE = (
    ("fast-retransmit", "client", "TcpRetransSegs"),
    ("zero-window", "server", "TcpExtTCPToZeroWindowAdv"),
    ("abort-on-close", "server", "TcpOutRsts"),
)


@pytest.mark.skipif(
    bool(tools.missing()), reason=f"needs root and {', '.join(tools.NEEDED)}; this machine {tools.missing()}"
)
@pytest.mark.parametrize(("name", "host", "counter"), LIVE, ids=[name for name, _, _ in LIVE])
def test_recorded_anew(name: str, host: str, counter: str, tmp_path: Path) -> None:
    """Both hosts, whole and interval by interval; the counter that the scenario is about has moved."""
    command = [sys.executable, "-m", "samples.lab", "run", name, "--out", str(tmp_path), "--seed", SEED]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120, stdout=subprocess.DEVNULL)
    moved = {}
    for folder in sorted(found.parent for found in tmp_path.glob("*/*/counters.jsonl")):
        comparison = analyze(folder).comparison
        assert comparison is not None
        assert comparison.coverage().complete, comparison.coverage().reason
        for rows in (comparison.whole(), comparison.rows()):
            decided = [each for each in rows if each.relation not in (INFERRED_RELATION, UNOBSERVABLE)]
            assert [each for each in decided if not right(each) or each.verdict == NOT_COMPARABLE] == []
        assert sum(each.relation == EXACT for each in comparison.whole()) > 8
        moved |= {(folder.name, each.counter): each.observed for each in comparison.whole()}
    assert moved[host, counter] > 0
