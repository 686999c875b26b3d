"""Settings of the host that decide what its kernel does: the same packets mean something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import build, pkt
from tests.predicting import Prediction, of_client

OFO = "".join(f"+0.00001 > . {1461 + 1460 * k}:{2921 + 1460 * k}(1460) ack 1 win 502\n" for k in range(8))
ANSWER = "+0.001 < . 1:1(0) ack 1 win 502 <nop,nop,sack 1461:13141>\n"


@pytest.mark.parametrize(("setting", "saved"), [("44", True), ("0", False)])
def test_acks_that_are_held_back(tmp_path: Path, setting: str, saved: bool) -> None:
    """Not where net.ipv4.tcp_comp_sack_nr is 0; but without a delay, segments that come together are."""
    for sysctls in ({"net.ipv4.tcp_comp_sack_nr": setting}, {"net.ipv4.tcp_comp_sack_delay_ns": "0"} if saved else {}):
        found = of_client(tmp_path / "a.pcap", OFO + ANSWER, sysctls={"net.ipv4.tcp_comp_sack_nr": setting, **sysctls})
        assert (found.of("TcpExtTCPAckCompressed") != 0) == saved


def test_segments_of_a_host_that_probes_for_the_mtu(tmp_path: Path) -> None:
    """They have 1024 bytes at first: so many a super-segment may be, or as few as full ones. Where these are captured whole, so may what is larger."""
    text = "+0 < . 1:4097(4096) ack 1 win 502\n+0 < . 4097:5557(1460) ack 1 win 502\n"
    found = of_client(tmp_path / "a.pcap", text, sysctls={"net.ipv4.tcp_mtu_probing": "2"})
    assert found.of("TcpExtTCPOrigDataSent") == (6, 4, 6)
    text += "+0.01 > . 1:1(0) ack 5557 win 600\n"
    found = of_client(tmp_path / "b.pcap", text, sysctls={"net.ipv4.tcp_mtu_probing": "2"})
    assert found.of("TcpExtTCPDelivered") == (7, 5, 7)  # with the SYN
    assert of_client(tmp_path / "a.pcap", text).of("TcpExtTCPOrigDataSent") == 4


def test_a_segment_that_may_be_two(tmp_path: Path) -> None:
    """Larger than its segments are at first, it is a probe that got through, or one that the card cuts."""
    text = "+0 < . 1:1401(1400) ack 1 win 502\n+0.01 > . 1:1(0) ack 1401 win 600\n"
    found = of_client(tmp_path / "a.pcap", text, sysctls={"net.ipv4.tcp_mtu_probing": "2"})
    assert found.of("TcpExtTCPOrigDataSent") == (1, 1, 2)
    assert found.of("TcpExtTCPDelivered") == (2, 2, 3)
    assert of_client(tmp_path / "a.pcap", text).of("TcpOutSegs") == 3


def test_a_host_that_probes_for_the_mtu_halves_its_segments(tmp_path: Path) -> None:
    """tcp_mtu_probing(): where the timer runs out again and again; what is sent from then on may be twice as many."""
    text = "+0 < P. 1:1025(1024) ack 1 win 502\n"
    text += "".join(f"+{wait} < P. 1:1025(1024) ack 1 win 502\n" for wait in (0.3, 0.6, 1.2))
    text += "+2.4 < . 1:513(512) ack 1 win 502\n+0.01 > . 1:1(0) ack 1025 win 600\n"
    more = "+0.01 < P. 1025:2049(1024) ack 1 win 502\n"
    settings = {"net.ipv4.tcp_mtu_probing": "2"}
    assert of_client(tmp_path / "a.pcap", text, sysctls=settings).of("TcpExtTCPOrigDataSent") == 1
    assert of_client(tmp_path / "b.pcap", text + more, sysctls=settings).of("TcpExtTCPOrigDataSent") == (2, 2, 3)


@pytest.mark.parametrize(("sysctls", "cookies"), [({}, 1), ({"net.ipv4.tcp_syncookies": "0"}, 0)])
def test_a_host_without_cookies(tmp_path: Path, sysctls: dict[str, str], cookies: int) -> None:
    """A SYN-ACK that is never repeated was one, unless the host sends none."""
    text = """
    +0   < S  0:0(0) win 64240 <mss 1460>
    +0.1 > S. 0:0(0) ack 1 win 64240 <mss 1460>
    at client_port 50000
    +5   < S  0:0(0) win 64240 <mss 1460>
    +0   > R. 0:0(0) ack 1 win 0
    """
    (scenario,) = pkt.parse(text, "cookies")
    found = Prediction(scenario.write(tmp_path / "a.pcap"), build.DST4, sysctls)
    assert found.of("TcpExtSyncookiesSent") == cookies


@pytest.mark.parametrize(("backlog", "full"), [("4096", 1), ("4", 0)])
def test_the_last_quarter_of_the_backlog(tmp_path: Path, backlog: str, full: int) -> None:
    """A SYN that is dropped while others are under way: for a full queue, or because only known addresses get what is left."""
    lines = []
    for port in range(40001, 40005):
        lines += [f"at client_port {port}", "+0.001 < S 0:0(0) win 64240 <mss 1460>"]
        lines += ["+0.0001 > S. 0:0(0) ack 1 win 64240 <mss 1460>"]
    lines += ["at client_port 40005", "+0.001 < S 0:0(0) win 64240 <mss 1460>", "at client_port 40001"]
    lines += ["+1.1 > S. 0:0(0) ack 1 win 64240 <mss 1460>"]
    (scenario,) = pkt.parse("\n".join(lines), "backlog")
    sysctls = {"net.ipv4.tcp_syncookies": "0", "net.ipv4.tcp_max_syn_backlog": backlog}
    found = Prediction(scenario.write(tmp_path / "a.pcap"), build.DST4, sysctls)
    assert found.of("TcpExtListenDrops") == 1
    assert found.of("TcpExtTCPReqQFullDrop") == full


@pytest.mark.parametrize(("setting", "needless"), [("2", 1), ("0", 0)])
def test_timeouts_that_were_needless(tmp_path: Path, setting: str, needless: int) -> None:
    """F-RTO finds out by what is acknowledged next; without it the kernel does not."""
    script = """
    +0.1      < .  1:1461(1460) ack 1 win 502
    +0.000010 < .  1461:2921(1460) ack 1 win 502
    +0.000010 < .  2921:4381(1460) ack 1 win 502
    +0.4      < .  1:1461(1460) ack 1 win 502
    +0.01     > .  1:1(0) ack 1461 win 502
    +0.0001   < .  4381:5841(1460) ack 1 win 502
    +0.0001   < .  5841:7301(1460) ack 1 win 502
    +0.001    > .  1:1(0) ack 2921 win 502
    """
    found = of_client(tmp_path / "a.pcap", script, sysctls={"net.ipv4.tcp_frto": setting})
    assert found.of("TcpExtTCPSpuriousRTOs") == needless
