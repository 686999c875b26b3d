"""The table `hosts`: who is known, who says so, and what each was in the conversations."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from analyzer import analyze
from tests import build
from tests.test_support import CAPTURE, SAMPLE, sosreport


def bundle(folder: Path, addresses: list[str], sysctls: dict[str, str], name: str = "") -> Path:
    """A capture with a host.json."""
    folder.mkdir()
    (folder / "capture.pcap").write_bytes(CAPTURE.read_bytes())
    host = {"hostname": name, "interfaces": [{"name": "eth0", "addresses": addresses}], "sysctls": sysctls}
    (folder / "host.json").write_text(json.dumps(host))
    return folder


@pytest.mark.parametrize(
    ("addresses", "sysctls", "role", "counts"),
    [
        (["10.0.0.1/24"], {}, "client", (2, 0)),
        (["10.0.0.2/24"], {"net.ipv4.ip_forward": "1"}, "server", (0, 2)),
        (["10.0.0.1/24", "10.0.0.2/24"], {}, "client", (2, 0)),  # with itself: it began
        (["10.9.9.9/24"], {"net.ipv4.ip_forward": "1"}, "router", (0, 0)),
        (["10.9.9.9/24"], {"net.ipv4.ip_forward": "0"}, "", (0, 0)),
        ([], {}, "", (0, 0)),
    ],
)
def test_roles(
    tmp_path: Path, addresses: list[str], sysctls: dict[str, str], role: str, counts: tuple[int, int]
) -> None:
    """By the conversations of the capture, in which 10.0.0.1 began twice."""
    found = analyze(bundle(tmp_path / "bundle", addresses, sysctls)).hosts
    first = found.iloc[0]
    assert (first["role"], (first["client_flows"], first["server_flows"])) == (role, counts)
    assert (first["known_from"], json.loads(first["sysctls"])) == ("host.json", sysctls)
    assert first["host"] == (", ".join(each.partition("/")[0] for each in addresses) or str(tmp_path / "bundle"))


def test_who_says_so(tmp_path: Path) -> None:
    """The packets; who runs the command; both bundles of a connection; a host that is recorded twice is one."""
    rows = analyze(CAPTURE).hosts.to_dict("records")
    assert [(row["host"], row["known_from"], row["sysctls"]) for row in rows] == [("10.0.0.1", "capture", "{}")]
    rows = analyze(CAPTURE, hosts=["10.0.0.2"]).hosts.to_dict("records")
    assert [(row["addresses"], row["known_from"], row["role"]) for row in rows] == [("10.0.0.2", "--host", "server")]
    rows = analyze([SAMPLE, SAMPLE.parent / "server"]).hosts.to_dict("records")
    assert [(row["host"], row["role"]) for row in rows] == [("client", "client"), ("server", "server")]
    assert all(row["mtu"] == 1500 and row["kernel"].startswith("Linux ") for row in rows)
    twice = [sosreport(tmp_path / f"{number}", number) for number in (0, 1)]
    assert analyze([CAPTURE, *twice]).hosts["host"].tolist() == ["web01"]


def test_as_others_call_it() -> None:
    """The name joins it to counters and sockets; SQL reads its settings."""
    found = analyze(SAMPLE)
    hosts = found.hosts
    assert set(found.counters["host"]) == set(found.sockets["host"]) == set(hosts["host"])
    query = """SELECT (sysctls ->> '$."net.ipv4.tcp_max_syn_backlog"')::INT FROM hosts"""
    with duckdb.connect() as connection:
        connection.register("hosts", hosts)
        assert connection.execute(query).fetchall() == [(2048,)]


RULE = (
    """id = "small-backlog"
title = "A small backlog of SYNs"
severity = "info"
side = "client"
confidence = "certain"
why = "Few fit into it."
next = ["Raise net.ipv4.tcp_max_syn_backlog."]
against = ["Nothing dropped."]
references = ["tcp(7)"]
summary = "{host} ({role}, {known_from}) has room for {room} SYNs."
sql = """
    + "'''"
    + """SELECT host, role, known_from, sysctls ->> '$."net.ipv4.tcp_max_syn_backlog"' AS room, -1 AS flow FROM hosts WHERE mtu = 1500"""
    + "'''"
    + """
[when]
seen = ["flows"]
[[case]]
sample = "loss-ipv4/client"
fires = true
[[case]]
sample = "loss-ipv4/server"
fires = true
"""
)


def test_rules_read_it(tmp_path: Path) -> None:
    """As a table, settings by name."""
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "small-backlog.toml").write_text(RULE)
    found = [each for each in analyze(SAMPLE, rules=[tmp_path]).diagnosis.findings if each.rule.id == "small-backlog"]
    assert [each.summary for each in found] == ["Client (client, host.json) has room for 2048 SYNs."]
    found = [each for each in analyze(CAPTURE, rules=[tmp_path]).diagnosis.findings if each.rule.id == "small-backlog"]
    assert found == []  # nobody knows its MTU


def test_mac_addresses_tell_the_direction(tmp_path: Path) -> None:
    """Of a bundle's frames: from an interface of its host or to one; between two of its own, or two others, nothing is said."""
    own, other = build.MAC_A, build.MAC_B
    host = {
        "interfaces": [{"name": "eth0", "mac": own.hex(":"), "addresses": ["192.0.2.1"]}, {"name": "lo", "mac": "no"}]
    }
    (tmp_path / "host.json").write_text(json.dumps(host))
    packet = build.ipv4(build.udp(b"x"), build.UDP)
    ends = [(own, other), (other, own), (other, other), (own, own), (other, b"\xff" * 6), (other, b"\x01" + other[1:])]
    records = [build.Record(build.ethernet(packet, src=src, dst=dst), k) for k, (src, dst) in enumerate(ends)]
    (tmp_path / "capture.pcap").write_bytes(build.pcap(records))
    packets = analyze(tmp_path).packets
    assert packets["link_direction"].astype(str).tolist() == ["out", "in", "", "", "", ""]
    assert packets["reception"].astype(str).tolist() == ["", "", "", "", "broadcast", "multicast"]
