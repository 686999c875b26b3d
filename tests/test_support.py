"""Folders of sosreport and supportconfig: what lies in them is found as such, and used with a capture or beside one."""

from __future__ import annotations

import ipaddress
import json
import os
import random
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.capture.bundle import LEAST_MTU, MOST_MTU, host_of, inputs
from analyzer.capture.links import interfaces_in
from analyzer.capture.support import report_of
from analyzer.capture.sysctls import sysctls_of
from analyzer.counters import SnapshotError, series_of, standing
from analyzer.errors import CaptureError
from analyzer.sockets import SocketFile, SocketsError, lists_named
from tests import logs
from tests.command import run_here
from tests.test_snapshot_forms import FEW, TRUTH, recorded

SAMPLE = Path(__file__).parent.parent / "samples" / "loss-ipv4" / "client"
CAPTURE = SAMPLE / "capture.pcap"
CASES = max(2000, int(os.environ.get("TCPCAP_FUZZ_CASES", "0")) // 10)
LINKS = """1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0
    inet 127.0.0.1/8 scope host lo
    inet6 ::1/128 scope host
2: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP
    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0
    inet6 fe80::5054:ff:fe12:3456/64 scope link
"""
UNAME = "Linux web01 5.14.0-503.el9.x86_64 #1 SMP PREEMPT_DYNAMIC x86_64 x86_64 x86_64 GNU/Linux\n"
SYSCTL = "net.core.somaxconn = 4096\nnet.ipv4.ip_forward = 1\nnet.ipv4.ip_local_port_range = 32768\t60999\n"
SNAPSHOTS = [json.loads(line) for line in (SAMPLE / "counters.jsonl").read_text().splitlines()]
LISTS = [json.loads(line)["ss"] for line in (SAMPLE / "sockets.jsonl").read_text().splitlines()]
COUNTED = {name: SNAPSHOTS[-1]["counters"][name] - SNAPSHOTS[0]["counters"][name] for name in FEW}


def write(root: Path, files: dict[str, str], time_s: float) -> Path:
    """Files with their contents, all of one time."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (time_s, time_s))
    return root


def sosreport(root: Path, number: int, name: str = "web01") -> Path:
    """As sos 4 leaves it; without netstat, which nobody has any more."""
    snapshot = SNAPSHOTS[number]
    files = {
        "proc/net/snmp": logs.proc(snapshot["counters"], logs.SNMP),
        "proc/net/netstat": logs.proc(snapshot["counters"], logs.NETSTAT),
        "sos_commands/networking/netstat_-s": "sh: line 1: netstat: command not found\n",
        "sos_commands/networking/netstat_-W_-agn": "IPv6/IPv4 Group Memberships\n",
        "sos_commands/networking/ss_-peaonmi": "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n" + LISTS[len(LISTS) // 2],
        "sos_commands/networking/ip_-d_address": LINKS,
        "sos_commands/host/hostname": f"{name}\n",
        "sos_commands/kernel/uname_-a": UNAME,
        "sos_commands/kernel/sysctl_-a": SYSCTL,
        "proc/sys/net/ipv4/tcp_syncookies": "1\n",
    }  # fmt: skip
    return write(root, files, float(snapshot["time"]))


def supportconfig(root: Path, number: int) -> Path:
    """Sections in few files."""
    snapshot = SNAPSHOTS[number]
    network = [("/sbin/ip addr", LINKS), ("/bin/netstat -s", logs.netstat_s(snapshot["counters"])), ("/usr/sbin/ss -tanpo", "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n" + LISTS[len(LISTS) // 2])]  # fmt: skip
    files = {
        "basic-environment.txt": sections([("/bin/date", "Fri Nov 20 20:03:33 UTC 2026\n"), ("/bin/uname -a", UNAME)]),
        "network.txt": sections(network),
        "env.txt": sections([("ulimit -a", "open files (-n) 1024\n"), ("/sbin/sysctl -a", SYSCTL)]),
    }
    return write(root, files, float(snapshot["time"]))


def sections(parts: list[tuple[str, str]]) -> str:
    return "".join(f"#==[ Command ]======================================#\n# {name}\n{text}\n" for name, text in parts)


def moved(found: object) -> dict[str, int]:
    """By how much the few moved, in the table of all counters."""
    table = found.counters_whole.set_index("counter")["observed"]  # type: ignore[attr-defined]
    return {name: int(table[name]) for name in FEW}


def test_the_sample_is_the_recording() -> None:
    """So that the truth of the forms is that of the reports."""
    assert COUNTED == TRUTH
    assert len(recorded()) == len(SNAPSHOTS)


@pytest.mark.parametrize("make", [sosreport, supportconfig])
def test_two_reports_beside_a_capture(tmp_path: Path, make: object) -> None:
    """Of one host: its counters before and after, its sockets, its settings; by name of the folder, or of the one around it."""
    folders = [make(tmp_path / f"{at}" / "report-web01", at) for at in (0, -1)]  # type: ignore[operator]
    for paths in ([CAPTURE, *folders], [CAPTURE, *(folder.parent for folder in folders)]):
        found = analyze(paths)
        assert moved(found) == TRUTH
        assert set(found.counters_whole["host"]) == {"web01"}
        assert not any(found.counters_whole["verdict"].isin(["under", "over"]))
        assert set(found.sockets["host"]) == {"web01"}
        assert sorted(found.sockets["flow"].unique().tolist()) == [0, 1]
        (host,) = found.hosts.to_dict("records")
        assert (host["host"], host["known_from"], host["role"]) == ("web01", report_of(folders[0]).kind, "client")  # type: ignore[union-attr]
        assert host["addresses"] == "127.0.0.1, ::1, 10.0.0.1, fe80::5054:ff:fe12:3456"
        assert (host["kernel"], host["mtu"]) == ("Linux 5.14.0-503.el9.x86_64", 1500)
        assert json.loads(host["sysctls"])["net.ipv4.ip_local_port_range"] == "32768 60999"


@pytest.mark.parametrize("make", [sosreport, supportconfig])
def test_reports_by_option(tmp_path: Path, make: object) -> None:
    """As --snapshots and as --sockets."""
    folders = [make(tmp_path / f"{at}", at) for at in (0, -1)]  # type: ignore[operator]
    found = analyze(CAPTURE, snapshots=folders, sockets=folders[:1])
    assert moved(found) == TRUTH
    assert sorted(found.sockets["flow"].unique().tolist()) == [0, 1]


def test_a_capture_in_a_report(tmp_path: Path) -> None:
    """Wherever it lies, and only what begins as a capture; not what is a link to the kernel's own."""
    folder = sosreport(tmp_path / "sosreport-web01", -1)
    inside = folder / "var" / "tmp" / "incident.pcap0"
    inside.parent.mkdir(parents=True)
    inside.write_bytes(CAPTURE.read_bytes())
    (folder / "var" / "tmp" / "notes.pcap.txt").write_text("taken on eth0")
    found = analyze(folder)
    assert [each.path for each in found.files] == [str(inside)]
    assert found.host_name == "web01"
    read = {name for each in inputs(folder) for name in each.files()}
    assert {str(inside), str(folder / "proc/net/snmp")} <= read


def test_a_report_without_a_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says what is in it, and what to do; exit status 2."""
    folder = sosreport(tmp_path / "sosreport-web01", -1)
    ran = run_here("analyze", folder, capsys=capsys)
    assert (ran.status, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert "a sosreport of web01 with counters (proc/net/snmp, proc/net/netstat), sockets (sos_commands/networking/ss_-peaonmi) and settings" in line  # fmt: skip
    assert line.endswith(f"but without a capture; name a capture of that host with it: tcpcap analyze CAPTURE {folder}")
    with pytest.raises(CaptureError, match="without a capture"):
        analyze([folder, sosreport(tmp_path / "other", 0)])


def test_reports_with_little_in_them(tmp_path: Path) -> None:
    """What a tool could not tell is not there; what is asked for by name is missed."""
    folder = write(tmp_path / "sos", {"sos_commands/networking/ss_-peaonmi": "sh: ss: command not found\n"}, 1e9)
    assert "with nothing to read" in str(report_of(folder).without_capture())  # type: ignore[union-attr]
    found = analyze([CAPTURE, folder])
    assert (len(found.sockets), len(found.counters)) == (0, 0)
    with pytest.raises(SocketsError, match=r"a sosreport without a list of sockets; "):
        analyze(CAPTURE, sockets=[folder])
    broken = write(tmp_path / "broken", {"network.txt": "#==[ Command ]===#\n# /bin/true\n\n"}, 1e9)
    assert len(analyze([CAPTURE, broken]).counters) == 0
    assert report_of(tmp_path) is None  # two of them: nobody says which


def test_of_two_hosts(tmp_path: Path) -> None:
    """Counters of different hosts are not put together."""
    folders = [sosreport(tmp_path / name, at, name) for name, at in (("web01", 0), ("web02", -1))]
    found = analyze([CAPTURE, *folders])
    assert len(found.counters) == 0
    assert found.hosts["host"].tolist() == ["web01", "web02"]


def test_counters_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Where there are others in the report."""
    folder = sosreport(tmp_path / "sos", -1)
    (folder / "proc" / "net" / "netstat").write_text("TcpExt: SyncookiesSent\nTcpExt: " + "9" * 40 + "\n")
    found = analyze([CAPTURE, folder])
    assert any("left out" in note and "no 64-bit counter" in note for note in found.warnings)


def test_interfaces() -> None:
    """Of ip and both kinds of ifconfig."""
    old = """eth0      Link encap:Ethernet  HWaddr 52:54:00:12:34:56
          inet addr:10.0.0.1  Bcast:10.0.0.255  Mask:255.255.255.0
          inet6 addr: fe80::1/64 Scope:Link
          UP BROADCAST RUNNING MULTICAST  MTU:9000  Metric:1
"""
    new = """eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 9000
        inet 10.0.0.1  netmask 255.255.255.0  broadcast 10.0.0.255
        inet6 fe80::1  prefixlen 64  scopeid 0x20<link>
"""
    brief = """2: eth0    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0
2: eth0    inet6 fe80::1/64 scope link
"""
    for text, mtu in ((old, 9000), (new, 9000), (brief, 0)):
        (link,) = interfaces_in(text).values()
        assert (link.addresses, link.mtu) == (["10.0.0.1", "fe80::1"], mtu)
    assert interfaces_in("inet 10.0.0.1\n") == {}


def test_fuzz(tmp_path: Path) -> None:
    """Whatever the files hold: a host that there can be, or nothing; a wider run: TCPCAP_FUZZ_CASES."""
    rng = random.Random(17)
    folders = [sosreport(tmp_path / "sos", 0), supportconfig(tmp_path / "scc", 0)]
    files = {folder: [file for file in sorted(folder.rglob("*")) if file.is_file()] for folder in folders}
    whole = {file: file.read_bytes() for each in files.values() for file in each}
    named = 0
    for number in range(CASES):
        folder = folders[number % 2]
        file = rng.choice(files[folder])
        content = bytearray(whole[file])
        for _ in range(rng.randint(1, 8)):
            first = rng.randrange(len(content) + 1)
            last = first + rng.choice((0, 1, 3, 40, 4000))
            content[first:last] = rng.choice(
                (
                    b"",
                    b"\0",
                    b"\n",
                    b"#==[ Command ]===#\n# ",
                    b"mtu ",
                    b"9" * 40,
                    "²".encode(),
                    b"inet ",
                    b"::",
                    rng.randbytes(4),
                )
            )
        file.write_bytes(content)
        host = host_of(str(folder))
        assert host is not None
        assert host.mtu == 0 or LEAST_MTU <= host.mtu <= MOST_MTU
        assert all(ipaddress.ip_address(address) for address in host.addresses)
        assert len(host.name) < 256
        assert all("." in name and len(value) <= 4096 for name, value in sysctls_of(str(folder)).items())
        assert "; name a capture" in str(report_of(folder).without_capture())  # type: ignore[union-attr]
        if number % 20 == 0:
            _reads(folder)
        named += host.name == "web01"
        file.write_bytes(whole[file])
    assert named > CASES // 3


def _reads(folder: Path) -> None:
    """Counters and sockets of a damaged report, or a sentence."""
    try:
        for each in standing(series_of([folder])):
            assert all(value >= 0 for value in each.values.values())
        for file in lists_named(str(folder)):
            assert sum(len(batch) for batch in SocketFile(file.path)) >= 0
    except (SnapshotError, SocketsError) as error:
        assert "; " in str(error)


def test_settings(tmp_path: Path) -> None:
    """Of text and tree together; a host.json beside them wins."""
    folder = sosreport(tmp_path / "sos", 0)
    assert sysctls_of(str(folder)) == {
        "net.core.somaxconn": "4096",
        "net.ipv4.ip_forward": "1",
        "net.ipv4.ip_local_port_range": "32768 60999",
        "net.ipv4.tcp_syncookies": "1",
    }
    host = host_of(str(folder))
    assert host is not None
    assert (host.name, host.mtu, host.known_from) == ("web01", 1500, "sosreport")
    (folder / "host.json").write_text('{"hostname": "a", "sysctls": {"net.ipv4.ip_forward": "0"}}')
    assert sysctls_of(str(folder))["net.ipv4.ip_forward"] == "0"
