"""Connections that the capture found open, attempts that an error or a reset ends, and ACKs that come too late to count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer import analyze
from tests import build, pkt
from tests.predicting import Prediction, Range, of_client, of_frames

CLIENT, SERVER, ROUTER = build.SRC4, build.DST4, "192.0.2.254"
DATA = "+0.1 < P. 1:101(100) ack 1 win 502\n"
TAIL = """
+0.1      < .  1:1461(1460) ack 1 win 502
+0.000010 < P. 1461:2921(1460) ack 1 win 502
+0.02     > .  1:1(0) ack 1461 win 502
"""


def found_open(path: Path, text: str, host: str = SERVER) -> Prediction:
    """What a host counts of a connection whose beginning was not captured."""
    (scenario,) = pkt.parse(text, "middle")
    return Prediction(scenario.write(path / "capture.pcap"), host)


def error_about(seq: int, ports: tuple[int, int], about: str, kind: int = 3, code: int = 1) -> bytes:
    """An ICMP error of a router about a segment that `about` has sent."""
    other = SERVER if about == CLIENT else CLIENT
    quoted = build.ipv4(build.tcp(src_port=ports[0], dst_port=ports[1], seq=seq), src=about, dst=other)
    message = build.icmp(quoted[:28], kind=kind, code=code)
    return build.ipv4(message, build.ICMP, src=ROUTER, dst=about)


def syn(flags: int, seq: int, ack: int = 0) -> bytes:
    """A SYN of the client, or the answer."""
    if flags & 16:
        tcp = build.tcp(src_port=80, dst_port=40000, seq=seq, ack=ack, flags=flags)
        return build.ipv4(tcp, src=SERVER, dst=CLIENT)
    return build.ipv4(build.tcp(src_port=40000, dst_port=80, seq=seq, flags=flags), src=CLIENT, dst=SERVER)


@pytest.mark.parametrize(("host", "name"), [(SERVER, "TcpOutRsts"), (CLIENT, "TcpInSegs")])
def test_a_reset_is_all_that_was_captured(tmp_path: Path, host: str, name: str) -> None:
    """At both ends it probably ended a connection; nobody knows in which state."""
    found = found_open(tmp_path, "+0 > R. 1:1(0) ack 1 win 64", host)
    assert found.of(name) == 1
    assert found.of("TcpEstabResets") == (1, 0, 1)
    assert found.of("TcpExtTCPAbortOnClose") in (0, (0, 0, 1))


def test_a_reset_to_what_belongs_to_nothing(tmp_path: Path) -> None:
    """There was no connection."""
    found = found_open(tmp_path, "+0 < . 1:1(0) ack 7 win 64\n+0.0001 > R 7:7(0) win 0")
    assert found.of("TcpEstabResets") == 0


def test_a_window_without_its_scale_says_nothing_of_segments(tmp_path: Path) -> None:
    """A frame of full size is one segment, whatever the field says."""
    lines = "".join(f"+0.001 > . {1 + 1448 * k}:{1449 + 1448 * k}(1448) ack 1 win 63\n" for k in range(3))
    found = found_open(tmp_path, "+0 < . 1:1(0) ack 1 win 63\n" + lines)
    assert found.of("TcpOutSegs") == 3


@pytest.mark.parametrize(("gap", "acks"), [("0.000002", (0, 0, 1)), ("0.000050", (1, 0, 1)), ("0.001", 1)])
def test_a_reset_may_have_been_under_way(tmp_path: Path, gap: str, acks: int | Range) -> None:
    """When the ACK was captured; what the stack looked at came some time before."""
    found = of_client(
        tmp_path / "a.pcap", DATA + f"+0.01 > . 1:1(0) ack 101 win 502\n+{gap} < R. 101:101(0) ack 1 win 0"
    )
    assert found.of("TcpExtTCPPureAcks+TcpExtTCPHPAcks") == acks


def test_an_error_ends_an_attempt_to_connect(tmp_path: Path) -> None:
    """Once, whatever comes after it; one about its size does not."""
    first = [(0.0, syn(2, 1000)), (0.01, error_about(1000, (40000, 80), CLIENT))]
    assert of_frames(tmp_path / "a.pcap", CLIENT, first).of("TcpAttemptFails") == (1, 0, 1)
    size = [(0.0, syn(2, 1000)), (0.01, error_about(1000, (40000, 80), CLIENT, code=4))]
    found = of_frames(tmp_path / "b.pcap", CLIENT, size)
    assert found.of("TcpAttemptFails") == found.of("TcpExtLockDroppedIcmps") == 0


def test_an_error_ends_a_request(tmp_path: Path) -> None:
    """If it says that there is no way to the client; the SYN-ACK that is never repeated was no cookie then."""
    frames = [
        (0.0, syn(2, 1000)),
        (0.001, syn(18, 5000, 1001)),
        (0.01, error_about(5000, (80, 40000), SERVER)),
        (5.0, build.ipv4(build.udp(b"later"), build.UDP, src=CLIENT, dst=SERVER)),
    ]
    found = of_frames(tmp_path / "a.pcap", SERVER, frames)
    assert found.of("TcpExtListenDrops") == 1
    assert found.of("TcpExtSyncookiesSent") == 0


def test_a_syn_is_repeated_by_a_timer_only(tmp_path: Path) -> None:
    """However soon: the answer was an ACK of another connection, and a RST without ACK ends nothing at the client."""
    (scenario,) = pkt.parse(
        """
        +0      < S  0:0(0) win 64240 <mss 1460>
        +0.0002 > .  900:900(0) ack 77 win 500
        +0.0001 < R  77:77(0) win 0
        +0.010  < S  0:0(0) win 64240 <mss 1460>
        +0.0002 > S. 0:0(0) ack 1 win 64240 <mss 1460>
        +0.0001 < .  1:1(0) ack 1 win 64240
        +0.0001 < P. 1:11(10) ack 1 win 64240
        +0.0002 > .  1:1(0) ack 11 win 64240
        """,
        "again",
    )
    found = Prediction(scenario.write(tmp_path / "a.pcap"), CLIENT)
    assert found.of("TcpExtTCPTimeouts") == found.of("TcpExtTcpTimeoutRehash") == 1
    assert found.of("TcpExtTCPFastRetrans") == 0
    assert found.of("TcpExtTCPDelivered") == 2


@pytest.mark.parametrize(("setting", "probes"), [("3", 1), ("0", 0)])
def test_a_host_without_tail_loss_probes(tmp_path: Path, setting: str, probes: int) -> None:
    """What is sent again late was sent by the timer."""
    script = TAIL + "+0.26 < P. 1461:2921(1460) ack 1 win 502\n+0.02 > . 1:1(0) ack 2921 win 502"
    found = of_client(tmp_path / "a.pcap", script, sysctls={"net.ipv4.tcp_early_retrans": setting})
    assert found.of("TcpExtTCPLossProbes") == probes
    assert found.of("TcpExtTCPTimeouts") == 1 - probes


def test_a_peer_that_forgets_what_it_reported(tmp_path: Path) -> None:
    """The timer is brought forward to half a round trip, 10 ms at least (tcp_check_sack_reneging())."""
    script = """
    +0.1      < .  1:1461(1460) ack 1 win 502
    +0.000010 < .  1461:2921(1460) ack 1 win 502
    +0.000010 < .  2921:4381(1460) ack 1 win 502
    +0.02     > .  1:1(0) ack 1 win 502 <nop,nop,sack 1461:2921>
    +0.002    > .  1:1(0) ack 1461 win 502
    +0.012    < .  1461:2921(1460) ack 1 win 502
    """
    found = of_client(tmp_path / "a.pcap", script)
    assert found.of("TcpExtTCPTimeouts") == 1
    assert found.of("TcpExtTCPFastRetrans") == 0


def test_duplicates_that_one_dsack_reports(tmp_path: Path) -> None:
    """Each is counted as it comes, unless two were joined before."""
    again = "+0.000005 > . 1461:2921(1460) ack 1 win 502\n" * 3
    script = f"""
    +0.1 > . 1461:2921(1460) ack 1 win 502
    +0.0001 < . 1:1(0) ack 1 win 502 <nop,nop,sack 1461:2921>
    {again}
    +0.0001 < . 1:1(0) ack 1 win 502 <nop,nop,sack 1461:2921 1461:2921>
    """
    found = of_client(tmp_path / "a.pcap", script)
    assert found.of("TcpExtTCPDSACKOfoSent") == (3, 1, 3)
    found = of_client(tmp_path / "b.pcap", script, sysctls={"net.ipv4.tcp_dsack": "0"})
    assert found.of("TcpExtTCPDSACKOfoSent") == 1


def test_a_super_segment_that_a_queue_has_cut(tmp_path: Path) -> None:
    """Its pieces leave one by one, with the timestamp of the whole."""
    options = "<nop,nop,TS val 7 ecr 3>"
    lines = "".join(f"+0.004 > . {1 + 1448 * k}:{1449 + 1448 * k}(1448) ack 1 win 63 {options}\n" for k in range(3))
    assert found_open(tmp_path, lines).of("IpOutRequests") == (1, 1, 3)


@pytest.mark.parametrize(("counted", "copies"), [(3, 1), (2, 0)])
def test_the_counters_tell_who_doubled_a_packet(tmp_path: Path, counted: int, copies: int) -> None:
    """Two segments that nothing tells apart: the network made one of them if the host has received both, else the capture."""
    (scenario,) = pkt.parse(
        """
        ipv6
        +0        < S  0:0(0) win 64240 <mss 1440>
        +0.01     > S. 0:0(0) ack 1 win 64240 <mss 1440>
        +0.0001   < .  1:1(0) ack 1 win 64240
        +0.01     < P. 1:11(10) ack 1 win 64240
        +0.01     > P. 1:11(10) ack 11 win 64240
        +0.000001 > P. 1:11(10) ack 11 win 64240
        """,
        "twice",
    )
    scenario.write(tmp_path / "capture.pcap")
    (tmp_path / "host.json").write_text(json.dumps({"interfaces": [{"name": "eth0", "addresses": [build.SRC6]}]}))
    start = pkt.START_NS / 1e9
    lines = [{"time": start + at, "counters": {"Ip6InReceives": n}} for at, n in ((-5, 0), (5, counted))]
    (tmp_path / "counters.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    analysis = analyze(tmp_path)
    assert analysis.events["event"].eq("capture_duplicate").sum() == 1
    assert analysis.comparison is not None
    assert analysis.comparison.coverage().complete
    received = analysis.increments.query("counter == 'Ip6InReceives'")
    assert received["amount"].sum() == 2 + copies
