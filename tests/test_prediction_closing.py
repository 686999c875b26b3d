"""How connections end, by packets: TIME_WAIT and when it was counted, and the aborts that resets stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.predicting import of_client, of_server

TW = "TcpExtTW"
ABORTS = ("Data", "Close", "Timeout", "Linger")
REQUEST = """
+0.001 < P. 1:101(100) ack 1 win 502
+0.001 > .  1:1(0) ack 101 win 502
"""
CLIENT_CLOSES = REQUEST + "+0.001 < F. 101:101(0) ack 1 win 502\n"
BOTH_CLOSE = CLIENT_CLOSES + "+0.001 > F. 1:1(0) ack 102 win 502\n+0.001 < . 102:102(0) ack 2 win 502\n"


def aborts(found: object) -> dict[str, object]:
    """The aborts that are possible at all."""
    return {name: value for name in ABORTS if (value := found.of(f"TcpExtTCPAbortOn{name}")) != 0}  # type: ignore[attr-defined]


def test_the_end_that_closes_first_waits(tmp_path: Path) -> None:
    """The other one is done when its FIN is acknowledged."""
    assert of_client(tmp_path / "a.pcap", BOTH_CLOSE).of(TW) == 1
    assert of_server(tmp_path / "a.pcap", BOTH_CLOSE).of(TW) == 0


def test_both_wait_where_their_fins_cross(tmp_path: Path) -> None:
    """Both are in FIN_WAIT_1 as the FIN comes."""
    script = REQUEST + "+0.001 < F. 101:101(0) ack 1 win 502\n+0 > F. 1:1(0) ack 101 win 502\n"
    script += "+0.001 > . 2:2(0) ack 102 win 502\n+0 < . 102:102(0) ack 2 win 502\n"
    assert of_client(tmp_path / "a.pcap", script).of(TW) == 1
    assert of_server(tmp_path / "a.pcap", script).of(TW) == 1


@pytest.mark.parametrize(
    ("fields", "when"), [("[id 0]", 0.006), ("", 1.007)], ids=["answer without counter", "answer of a socket"]
)
def test_an_orphan_is_counted_as_its_fin_is_acknowledged(tmp_path: Path, fields: str, when: float) -> None:
    """A timewait socket has no counter for the IP identification; one whose application still holds it does."""
    script = CLIENT_CLOSES + "+0.001 > . 1:1(0) ack 102 win 502\n+1 > F. 1:1(0) ack 102 win 502\n"
    found = of_client(tmp_path / "a.pcap", script + f"+0.001 < . 102:102(0) ack 2 win 502 {fields}\n")
    assert found.of(TW) == 1
    assert found.seconds(TW) == [when]


def test_in_ipv6_nobody_can_tell_when(tmp_path: Path) -> None:
    """Then both times are possible; what came at the same time or after more data is certain."""
    script = CLIENT_CLOSES + "+0.001 > . 1:1(0) ack 102 win 502\n+1 > F. 1:1(0) ack 102 win 502\n"
    found = of_client(tmp_path / "a.pcap", script + "+0.001 < . 102:102(0) ack 2 win 502\n", six=True)
    assert found.of(TW) == (1, 0, 2)
    assert found.seconds(TW) == [0.006, 1.007]
    assert of_client(tmp_path / "b.pcap", BOTH_CLOSE, six=True).of(TW) == 1


def test_a_short_life_of_orphans(tmp_path: Path) -> None:
    """With tcp_fin_timeout of at most 4 s an orphan counts as killed; a whole TIME_WAIT is longer."""
    script = CLIENT_CLOSES + "+0.001 > . 1:1(0) ack 102 win 502\n+1 > F. 1:1(0) ack 102 win 502\n"
    settings = {"net.ipv4.tcp_fin_timeout": "3"}
    orphan = of_client(tmp_path / "a.pcap", script + "+0.001 < . 102:102(0) ack 2 win 502 [id 0]\n", sysctls=settings)
    assert (orphan.of("TcpExtTWKilled"), orphan.of(TW)) == ((1, 0, 1), (0, 0, 1))
    held = of_client(tmp_path / "b.pcap", script + "+0.001 < . 102:102(0) ack 2 win 502\n", sysctls=settings)
    assert (held.of("TcpExtTWKilled"), held.of(TW)) == (0, 1)


def test_half_closed_at_the_end_may_be_counted(tmp_path: Path) -> None:
    """In FIN_WAIT_2 it depends on the application."""
    found = of_client(tmp_path / "a.pcap", CLIENT_CLOSES + "+0.001 > . 1:1(0) ack 102 win 502\n")
    assert found.of(TW) == 0
    assert found.may_follow(TW) == 1
    assert of_server(tmp_path / "a.pcap", CLIENT_CLOSES + "+0.001 > . 1:1(0) ack 102 win 502\n").may_follow(TW) == 0


def test_data_for_an_orphan_shows_that_it_was_one(tmp_path: Path) -> None:
    """In FIN_WAIT_2 the reset is that of a timewait socket: no abort."""
    script = (
        CLIENT_CLOSES
        + "+0.001 > . 1:1(0) ack 102 win 502\n+0.5 > P. 1:51(50) ack 102 win 502\n+0 < R 102:102(0) win 0\n"
    )
    found = of_client(tmp_path / "a.pcap", script)
    assert found.of(TW) == 1
    assert found.seconds(TW) == [0.006]
    assert aborts(found) == {}


def test_data_in_fin_wait_1_aborts(tmp_path: Path) -> None:
    """The FIN is not acknowledged yet: tcp_rcv_state_process() counts it."""
    script = CLIENT_CLOSES + "+0.001 > P. 1:51(50) ack 101 win 502\n+0 < R 101:101(0) win 0\n"
    found = of_client(tmp_path / "a.pcap", script)
    assert aborts(found) == {"Data": 1}
    assert found.of(TW) == 0


def test_a_reset_before_any_data_is_linger_zero(tmp_path: Path) -> None:
    """Nothing can be unread."""
    found = of_server(tmp_path / "a.pcap", "+0.001 > R. 1:1(0) ack 1 win 502\n")
    assert aborts(found) == {"Data": 1}
    assert found.of("TcpEstabResets") == 1


def test_a_reset_after_data_may_be_either(tmp_path: Path) -> None:
    """Data without an answer was probably not read, unless the application was waiting for it."""
    found = of_server(tmp_path / "a.pcap", REQUEST + "+0.01 > R. 1:1(0) ack 101 win 502\n")
    assert aborts(found) == {"Close": (1, 0, 1), "Data": (0, 0, 1)}
    found = of_server(tmp_path / "c.pcap", REQUEST + "+0 > R. 1:1(0) ack 101 win 502\n")
    assert aborts(found) == {"Close": (0, 0, 1), "Data": (1, 0, 1)}
    answered = "+0.01 > P. 1:301(300) ack 101 win 502\n+0.01 < . 101:101(0) ack 301 win 502\n+0 > R. 301:301(0) ack 101 win 502\n"
    found = of_server(tmp_path / "b.pcap", REQUEST + answered)
    assert aborts(found) == {"Close": (0, 0, 1), "Data": (1, 0, 1)}


def test_a_reset_in_fin_wait_2_is_linger2(tmp_path: Path) -> None:
    """The application does not want to wait (TCP_LINGER2 below 0)."""
    script = CLIENT_CLOSES + "+0.001 > . 1:1(0) ack 102 win 502\n+0.3 < R. 102:102(0) ack 1 win 502\n"
    assert of_client(tmp_path / "a.pcap", script).of("TcpExtTCPAbortOnLinger") == (1, 0, 1)


def test_a_reset_by_the_peer_behind_unacknowledged_data(tmp_path: Path) -> None:
    """A FIN may wait behind it, and then the connection is neither ESTABLISHED nor in CLOSE_WAIT."""
    reset = "+0.01 > R 1:1(0) win 0\n"
    assert of_client(tmp_path / "a.pcap", REQUEST + reset).of("TcpEstabResets") == 1
    unacknowledged = "+0.001 < P. 1:101(100) ack 1 win 502\n"
    assert of_client(tmp_path / "b.pcap", unacknowledged + reset).of("TcpEstabResets") == (1, 0, 1)


def test_a_fin_that_its_socket_refuses_ends_nothing(tmp_path: Path) -> None:
    """Somebody has forged it, far beyond the window: the one that comes later is the end, and begins TIME_WAIT."""
    forged = REQUEST + "+0.001 > F. 900001:900001(0) ack 101 win 502\n+0 < . 101:101(0) ack 1 win 502\n"
    end = "+0.001 < F. 101:101(0) ack 1 win 502\n+0.001 > F. 1:1(0) ack 102 win 502\n+0.001 < . 102:102(0) ack 2 win 502\n"
    assert of_client(tmp_path / "a.pcap", forged + end).of(TW) == 1


def test_time_wait_is_recycled_by_a_syn_of_the_same_host(tmp_path: Path) -> None:
    """Within its minute; the server's SYN-ACK recycles nothing."""
    again = """
isn client 4000000000 server 2900000000
+{pause} < S  0:0(0) win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.001 > S. 0:0(0) ack 1 win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.001 < .  1:1(0) ack 1 win 502
"""
    script = BOTH_CLOSE + again.format(pause=5)
    assert of_client(tmp_path / "a.pcap", script).of("TcpExtTWRecycled") == 1
    assert of_server(tmp_path / "a.pcap", script).of("TcpExtTWRecycled") == 0
    assert of_client(tmp_path / "b.pcap", BOTH_CLOSE + again.format(pause=70)).of("TcpExtTWRecycled") == 0
