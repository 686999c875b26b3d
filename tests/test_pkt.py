"""The notation of tests/pkt.py: what a line says is what the frame has, and errors say where and what is needed."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import dpkt
import pytest

from analyzer import analyze
from tests import build, pkt

TEXT = """
// A comment, and an empty line above
--- All options
isn client 4294967290 server 12345
+0        < SEW 0:0(0) win 64240 <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 7>        # expect: -
+0.000050 > SE. 0:0(0) ack 1 win 65160 <mss 1400,FO 0011aabb>                            # expect: ecn_negotiated
+0.010    < P.  1:11(10) ack 1 win 502 <nop,nop,sack 3:5 7:9> [id 5, ttl 63, tos ce]
          # expect: ce dsack(old)[-1_000]@2
-0.001    > FU. 1:1(0) ack 11 win 0 [vlan 7, interface 1, out]
--- Another
ipv6
at client_port 40001
+1 > R 4294967295:4294967295(0) win 0
at src_ip 2001:db8::9
at server_port 443
+1 < - 0:0(0) win 1 [tos 5]
"""


def frames() -> list[list[pkt.Line]]:
    """The lines of both scenarios."""
    return [scenario.lines for scenario in pkt.parse(TEXT, "text.pkt")]


def packets(tmp_path: Path, number: int) -> list[dict[str, Any]]:
    """The packets that tcpcap reads in the file of a scenario."""
    scenario = pkt.parse(TEXT, "text.pkt")[number]
    return analyze(scenario.write(tmp_path / "capture.pcapng")).packets.to_dict("records")


def test_every_field_of_a_line_is_in_its_frame(tmp_path: Path) -> None:
    """Read again by tcpcap."""
    first, second, third, fourth = packets(tmp_path, 0)
    assert [row["time_ns"] - pkt.START_NS for row in (first, second, third, fourth)] == [
        0,
        50_000,
        10_050_000,
        9_050_000,
    ]
    assert [row["seq"] for row in (first, second, third, fourth)] == [4294967290, 12345, 4294967291, 12346]
    assert [row["ack"] for row in (first, second, third, fourth)] == [0, 4294967291, 12346, 5]
    assert [row["flags"] for row in (first, second, third, fourth)] == [0xC2, 0x52, 0x18, 0x31]
    assert [row["window"] for row in (first, second, third, fourth)] == [64240, 65160, 502, 0]
    assert [row["payload_len"] for row in (first, second, third, fourth)] == [0, 0, 10, 0]
    assert [row["ip_id"] for row in (first, second, third, fourth)] == [1000, 30000, 5, 30001]
    assert [row["ttl"] for row in (first, second, third, fourth)] == [64, 64, 63, 64]
    assert [row["tos"] for row in (first, second, third, fourth)] == [0, 0, 3, 0]
    assert [row["vlan"] for row in (first, second, third, fourth)] == [0, 0, 0, 7]
    assert [row["interface"] for row in (first, second, third, fourth)] == [0, 0, 0, 1]
    assert [row["link_direction"] for row in (first, second, third, fourth)] == ["", "", "", "out"]
    assert [row["direction"] for row in (first, second, third, fourth)] == [0, 1, 0, 1]
    assert (first["mss"], first["window_scale"], first["tsval"], first["tsecr"]) == (1460, 7, 1000, 0)
    assert set(first["options"].split()) == {"mss", "sack_permitted", "timestamps", "window_scale"}
    assert (second["mss"], second["fast_open_len"]) == (1400, 4)
    blocks = [third[f"sack_{edge}_{number}"] for number in (1, 2) for edge in ("left", "right")]
    assert blocks == [12348, 12350, 12352, 12354]
    assert third["sack_count"] == 2


def test_what_lines_of_their_own_change() -> None:
    """Read again by dpkt: IPv6, addresses, ports, numbers that go round, no flags at all."""
    reset, bare = (dpkt.ethernet.Ethernet(line.frame).data for line in frames()[1])
    addresses = [str(ipaddress.ip_address(address)) for address in (reset.src, reset.dst, bare.src, bare.dst)]
    assert addresses == [build.DST6, build.SRC6, "2001:db8::9", build.DST6]
    assert [(packet.data.sport, packet.data.dport) for packet in (reset, bare)] == [(80, 40001), (40001, 443)]
    assert [(packet.data.seq, packet.data.flags) for packet in (reset, bare)] == [(pkt.ISN[1] - 1, 4), (pkt.ISN[0], 0)]
    assert (bare.fc, bare.data.win) == (5, 1)


def test_checksums_are_right() -> None:
    """A sum over the segment with its checksum and the addresses of the packet is 0."""
    for line in (line for lines in frames() for line in lines):
        payload = line.frame[18:] if line.frame[12:14] == b"\x81\x00" else line.frame[14:]
        packet = dpkt.ip6.IP6(payload) if payload[0] >> 4 == 6 else dpkt.ip.IP(payload)
        between = (str(ipaddress.ip_address(packet.src)), str(ipaddress.ip_address(packet.dst)))
        assert build.pseudo_checksum(build.TCP, bytes(packet.data), between) == 0


def test_expectations() -> None:
    """None is not compared, `-` is nothing, the rest as far as it is said."""
    first, second, third, fourth = frames()[0]
    assert (first.expected, fourth.expected) == ((), None)
    assert second.expected == (pkt.Expected("ecn_negotiated", "", None, None),)
    assert third.expected == (pkt.Expected("ce", "", None, None), pkt.Expected("dsack", "old", -1000, 2))


def test_scenarios_begin_afresh() -> None:
    """Titles, lines of the file, and time; what an earlier scenario set is forgotten."""
    first, second = pkt.parse(TEXT + "--- Third\n+0 < . 1:1(0) ack 1 win 1", "text.pkt")[:2]
    assert [(first.title, first.number), (second.title, second.number)] == [("All options", 3), ("Another", 10)]
    third = pkt.parse(TEXT + "--- Third\n+0 < . 1:1(0) ack 1 win 1", "text.pkt")[2].lines[0]
    packet = dpkt.ethernet.Ethernet(third.frame).data
    assert (third.time_ns, packet.v, packet.id, packet.data.sport, packet.data.seq) == (
        pkt.START_NS, 4, 1000, 40000, pkt.ISN[0] + 1,
    )  # fmt: skip


GOOD = "+0 < . 1:1(0) ack 1 win 502"
ERRORS = {
    "no time": ("0.1 < . 1:1(0) ack 1 win 502", "a frame (+TIME"),
    "a bad time": ("+0.1s < . 1:1(0) ack 1 win 502", "column 1; needed is a time"),
    "no side": ("+0 . 1:1(0) ack 1 win 502", "column 4; needed is < (from the client)"),
    "an unknown flag": ("+0 < X. 1:1(0) ack 1 win 502", "column 6; needed is flags"),
    "no numbers": ("+0 < . ack 1 win 502", "column 8; needed is sequence numbers"),
    "a wrong sum": ("+0 < . 1:100(100) ack 1 win 502", "needed is 1:101(100)"),
    "no ack": ("+0 < . 1:1(0) win 502", "needed is ack N with the flag"),
    "an ack without its flag": ("+0 < S 0:0(0) ack 1 win 502", "needed is ack N with the flag"),
    "no window": ("+0 < . 1:1(0) ack 1", "needed is a window"),
    "a window too large": ("+0 < . 1:1(0) ack 1 win 65536", "that fit their fields"),
    "an unknown option": (f"{GOOD} <mss 1460,scale 7>", "<scale 7>; known are mss N"),
    "a bad block": (f"{GOOD} <sack 3-5>", "<sack 3-5>; known are"),
    "an unknown field": (f"{GOOD} [ttl 3, hops 5]", "[hops 5]; known are id N"),
    "a field without a number": (f"{GOOD} [ttl x]", "'x'; needed is a number"),
    "something behind": (f"{GOOD} and more", "'and more' at column 29; a line goes on with"),
    "an empty expectation": (f"{GOOD} # expect:", "needed are events, or - for none"),
    "an unknown kind": (f"{GOOD} # expect: window_ful", "did you mean window_full"),
    "an unknown cause": (f"{GOOD} # expect: reset(window)", "causes of reset are in_window"),
    "a cause that is missing": (f"{GOOD} # expect: reset", "causes of reset are in_window"),
    "a cause too many": (f"{GOOD} # expect: ece(old)", "ece has no causes"),
    "no event": (f"{GOOD} # expect: ece!", "needed is kind(cause)[value]@related_frame"),
    "an unknown line": ("ipv5", "ipv6, isn, at"),
    "a bad address": (f"at src_ip 192.0.2\n{GOOD}", "that fit their fields"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    """File and line, what was found, what is needed."""
    text, needed = ERRORS[name]
    lines = text.count("\n") + 2
    with pytest.raises(pkt.ScriptError) as caught:
        pkt.parse(f"--- A scenario\n{text}", "wrong.pkt")
    assert str(caught.value).startswith(f"wrong.pkt:{lines}: ")
    assert needed in str(caught.value)
