"""The samples against the kernels that recorded them: what both ends counted, and what the events say, are the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.helpers import FEWER_CAPTURES
from tests.kernel.compare import Result, compare_host, disagreements, table
from tests.kernel.counters import COUNTERS
from tests.kernel.view import View, bundles, view

SAMPLES = Path(__file__).parent.parent / "samples"
KEPT = {path.parent for path in FEWER_CAPTURES}
FOLDERS = {str(each.relative_to(SAMPLES)): each for each in bundles(SAMPLES) if each in KEPT}
MOVED = {
    "loss-ipv4/client": {
        "TcpRetransSegs": 8,
        "TcpExtTCPSynRetrans": 1,
        "TcpExtTCPTimeouts": 1,
        "TcpExtTCPFastRetrans": 7,
    },
    "loss-ipv6/client": {
        "TcpRetransSegs": 8,
        "TcpExtTCPSynRetrans": 1,
        "TcpExtTCPTimeouts": 1,
        "TcpExtTCPFastRetrans": 7,
    },
}
"""What the samples are about; without it a View of nothing would agree with kernels that counted nothing."""
FORGED = "frames under the host's address that it has not sent"
ROUTER = "hosts behind a router, whose frames it passes on, count them"
CAUSE = "another cause of the same retransmission"
ROUTE = "an attempt that an ICMP error ends is one that nobody answers"
OTHERWISE: dict[str, tuple[str, set[str]]] = {
    "challenge-ack-reset/client": (FORGED, {"TcpOutRsts"}),
    "challenge-ack-syn/client": (FORGED, {"TcpRetransSegs", "TcpExtTCPLossProbes"}),
    "connect-unreachable/client": (ROUTE, {"TcpAttemptFails"}),
    "duplicate-acks-from-network/client": (CAUSE, {"TcpExtTCPFastRetrans"}),
    "fast-open-refused/client": (CAUSE, {"TcpExtTCPFastRetrans", "TcpExtTCPSlowStartRetrans"}),
    "fast-open-lost/client": (CAUSE, {"TcpExtTCPFastRetrans", "TcpExtTCPSlowStartRetrans"}),
    "fast-open-overflow/client": (CAUSE, {"TcpExtTCPFastRetrans", "TcpExtTCPSlowStartRetrans"}),
    "headers-cut/client": ("SACK blocks that were not captured", {"TcpExtTCPDSACKOfoRecv", "TcpExtTCPFastRetrans"}),
    "icmp-errors-to-client/client": (ROUTE, {"TcpAttemptFails"}),
    "fragmentation-needed/router": (ROUTER, {"TcpExtTCPDSACKRecv"}),
    "md5-signatures/client": (FORGED, {"TcpOutRsts"}),
    "no-loss-probes/client": (CAUSE, {"TcpExtTCPLossProbes", "TcpExtTCPTimeouts"}),
    "out-of-order-dropped/client": (CAUSE, {"TcpExtTCPFastRetrans", "TcpExtTCPSlowStartRetrans", "TcpExtTCPTimeouts"}),
    "reset-forged/client": (FORGED, {"TcpOutRsts"}),
    "spurious-timeout-frto/client": (CAUSE, {"TcpExtTCPFastRetrans", "TcpExtTCPSlowStartRetrans"}),
    "timestamps-behind-nat/router": (
        ROUTER,
        {"TcpRetransSegs", "TcpExtTCPSynRetrans", "TcpOutRsts", "TcpExtTCPTimeouts"},
    ),
    "zero-window-probe-timeout/client": ("nothing shows that an end gives up", {"TcpEstabResets"}),
}
"""What these events cannot say of a host, and why; prediction.py says more of it."""


@pytest.fixture(scope="module", params=sorted(FOLDERS))
def seen(request: pytest.FixtureRequest) -> View:
    """One host of one sample."""
    return view(FOLDERS[request.param])


def test_counters(seen: View) -> None:
    name = str(seen.folder.relative_to(SAMPLES))
    results = compare_host(seen, name)
    assert len(results) == len(COUNTERS)
    _, otherwise = OTHERWISE.get(name, ("", set()))
    assert {each.counter for each in results if each.error} == otherwise, disagreements(results)


def test_what_the_samples_are_about() -> None:
    for name, numbers in MOVED.items():
        results = {each.counter: each for each in compare_host(view(FOLDERS[name]), name)}
        for counter, number in numbers.items():
            assert (results[counter].kernel, results[counter].least, results[counter].most) == (number,) * 3, counter


@pytest.mark.parametrize("event", ["retransmission", "retransmission_timeout"])
def test_it_fails_where_an_event_is_lost(event: str) -> None:
    seen = view(FOLDERS["loss-ipv4/client"])
    rows = seen.events.index[seen.events["event"] == event]
    poorer = dataclasses.replace(seen, events=seen.events.drop(rows[:1]))
    assert "loss-ipv4" in disagreements(compare_host(poorer, "loss-ipv4/client"))


def test_table() -> None:
    results = [Result("a", "TcpRetransSegs", 3, 3, 3), Result("b", "TcpRetransSegs", 5, 1, 2)]
    assert [each.error for each in results] == [0, 3]
    assert table(results).splitlines()[1].split() == ["TcpRetransSegs", "8", "5", "1/2", "1/2", "1.500"]
    assert disagreements(results).split() == ["TcpRetransSegs", "kernel", "5", "ours", "1..2", "b"]
