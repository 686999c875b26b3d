"""One recording in every form in which people log counters: the same values, at the same times, whatever the form."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from analyzer.counters import (
    Series,
    SnapshotError,
    deltas,
    difference,
    drafts,
    judged_together,
    reading,
    refitted,
    series_of,
    standing,
)
from tests import logs
from tests.logs import COMMANDS, DATES, FEW, PREFIXES, SECOND, WHOLE, Taken

SAMPLE = Path(__file__).parent.parent / "samples" / "loss-ipv4" / "client" / "counters.jsonl"


def recorded() -> list[Taken]:
    """The sample, a second apart, so that times in seconds tell them apart."""
    rows = [json.loads(line, parse_float=Decimal) for line in SAMPLE.read_text().splitlines()]
    first = int(rows[0]["time"].scaleb(9))
    return [Taken(first + number * SECOND, row["counters"]) for number, row in enumerate(rows)]


ROWS = recorded()
CAPTURE = (ROWS[0].time_ns, ROWS[-1].time_ns)
BUSY = [
    Taken(row.time_ns, {name: value + 1000 + 7 * number for number, (name, value) in enumerate(row.values.items())})
    for row in ROWS
]
TRUTH = {name: ROWS[-1].values[name] - ROWS[0].values[name] for name in FEW}


def read(folder: Path, text: str | bytes, name: str = "log", capture: tuple[int, int] | None = CAPTURE) -> Series:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return series_of([path], capture_ns=capture)


def sums(series: Series) -> dict[str, int]:
    """By how much the few moved."""
    found = [each for each in deltas(series) if each.start_ns is not None]
    return {name: sum(each.values.get(name, 0) for each in found) for name in FEW}


def check(series: Series) -> None:
    """The right sums, and the times of all snapshots as near as they claim to be."""
    assert sums(series) == TRUTH
    times = sorted({each.time_ns for each in series.snapshots})
    assert len(times) == len(ROWS)
    for each, row in zip(times, ROWS, strict=True):
        worst = max(shot.uncertainty_ns for shot in series.snapshots if shot.time_ns == each)
        assert abs(each - row.time_ns) <= worst <= SECOND
    assert not any(each.loose for each in series.snapshots)


@pytest.mark.parametrize("rows", [ROWS, BUSY], ids=["fresh", "busy"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_people_run(tmp_path: Path, command: str, rows: Sequence[Taken]) -> None:
    """Of a namespace that begins at zero, and of a host that has been busy."""
    check(read(tmp_path, logs.log(rows, COMMANDS[command], logs.epoch)))


@pytest.mark.parametrize("date", DATES)
def test_times_above_each_snapshot(tmp_path: Path, date: str) -> None:
    """Clocks without a date are of the capture's day."""
    check(read(tmp_path, logs.log(BUSY, logs.az, DATES[date])))


@pytest.mark.parametrize("command", ["nstat -az", "nstat -a | grep", "cat /proc/net"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_times_before_each_line(tmp_path: Path, prefix: str, command: str) -> None:
    """Of ts, kubectl, docker, syslog and journal, grep."""
    check(read(tmp_path, logs.prefixed(BUSY, COMMANDS[command], PREFIXES[prefix])))


def test_times_in_the_text_go_before_those_in_front_of_it(tmp_path: Path) -> None:
    """kubectl tells when a line came out of the pipe."""
    lines = logs.log(BUSY, logs.az, DATES["date"]).splitlines()
    check(read(tmp_path, "".join(f"2026-11-20T20:03:59.123456789Z {line}\n" for line in lines)))


@pytest.mark.parametrize("form", WHOLE)
def test_whole_files(tmp_path: Path, form: str) -> None:
    """Of monitoring, compressed, in other encodings."""
    check(read(tmp_path, WHOLE[form](BUSY)))


def halves(folder: Path, names: Sequence[str], texts: Sequence[str], mtimes: Sequence[int]) -> list[Path]:
    """Files that were written at these times."""
    paths = [folder / name for name in names]
    for path, text, mtime in zip(paths, texts, mtimes, strict=True):
        path.write_text(text)
        os.utime(path, ns=(mtime, mtime))
    return paths


@pytest.mark.parametrize("command", ["nstat -az", "nstat -a", "nstat -a | grep", "netstat -s", "cat /proc/net"])
def test_before_and_after(tmp_path: Path, command: str) -> None:
    """Two files: with their own times, or copied later; nothing exact is claimed of either."""
    texts = [COMMANDS[command](row.values, {}) for row in (BUSY[0], BUSY[-1])]
    for mtimes in ((BUSY[0].time_ns, BUSY[-1].time_ns), (CAPTURE[1] + 10**15,) * 2):
        paths = halves(tmp_path, ["before", "after"], texts, mtimes)
        series = series_of(paths, capture_ns=CAPTURE)
        assert sums(series) == TRUTH
        (interval,) = deltas(series)
        assert (interval.exact, interval.loose) == (False, mtimes[0] == mtimes[1])
        first, last, _ = judged_together(*paths)
        changes = {row.name: row.change for row in difference(first, last)}
        assert {name: changes[name] for name in FEW} == TRUTH


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3)])
def test_snmp_and_netstat_in_files_of_their_own(tmp_path: Path, order: tuple[int, ...]) -> None:
    """In whatever order they are named; each counter has its own previous value."""
    texts = [logs.proc(row.values, groups) for row in (BUSY[0], BUSY[-1]) for groups in (logs.SNMP, logs.NETSTAT)]
    paths = halves(tmp_path, ["snmp.1", "netstat.1", "snmp.2", "netstat.2"], texts, [BUSY[0].time_ns] * 4)
    series = series_of([paths[number] for number in order])
    assert sums(series) == TRUTH
    assert all(each.loose for each in deltas(series))


def test_snmp_and_netstat_in_logs_of_their_own(tmp_path: Path) -> None:
    """As most scripts write them; and with a time before each of them, ten milliseconds apart."""
    apart = [logs.log(BUSY, lambda values, _, groups=groups: logs.proc(values, groups), logs.epoch) for groups in (logs.SNMP, logs.NETSTAT)]  # fmt: skip
    paths = halves(tmp_path, ["snmp", "netstat"], apart, [BUSY[0].time_ns] * 2)
    assert sums(series_of(paths)) == TRUTH
    late = [Taken(row.time_ns + SECOND // 100, row.values) for row in BUSY]
    both = "".join(
        f"{logs.epoch(row)}\n{logs.proc(row.values, logs.SNMP)}{logs.epoch(later)}\n{logs.proc(row.values, logs.NETSTAT)}"
        for row, later in zip(BUSY, late, strict=True)
    )
    series = read(tmp_path, both)
    assert sums(series) == TRUTH
    assert len(deltas(series)) == 2 * (len(BUSY) - 1)


def test_a_few_counters_between_all_of_them(tmp_path: Path) -> None:
    """Everything at the ends, and a grep in between: what was left out there is compared from end to end."""
    few, all_of_them = COMMANDS["nstat -a | grep"], COMMANDS["nstat -az"]
    text = "".join(
        f"{logs.epoch(row)}\n{(all_of_them if row in (BUSY[0], BUSY[-1]) else few)(row.values, {})}" for row in BUSY
    )
    series = read(tmp_path, text)
    assert sums(series) == TRUTH
    moved = BUSY[-1].values["IpInReceives"] - BUSY[0].values["IpInReceives"]
    assert sum(each.values.get("IpInReceives", 0) for each in deltas(series)) == moved


@pytest.mark.parametrize("command", ["nstat -az", "nstat -a", "netstat -s", "cat /proc/net"])
def test_a_restart_in_the_middle(tmp_path: Path, command: str) -> None:
    """Everything falls at once: nothing is counted across it, and it is said."""
    late = [Taken(row.time_ns, {name: value + 3 for name, value in row.values.items()}) for row in ROWS[2:]]
    series = read(tmp_path, logs.log([*BUSY[:2], *late], COMMANDS[command], logs.epoch))
    across = ROWS[2].values["TcpInSegs"] - ROWS[1].values["TcpInSegs"]
    assert sums(series)["TcpInSegs"] == TRUTH["TcpInSegs"] - across
    assert any("started again" in note for note in series.notes)
    assert {each.kind for each in series.snapshots} == {"absolute"}


@pytest.mark.parametrize("command", ["nstat -az", "cat /proc/net"])
def test_two_hosts_by_turns(tmp_path: Path, command: str) -> None:
    """Whose they are is not said; so none is the one that is meant, and that is said."""
    rows = [each for row in zip(ROWS, BUSY, strict=True) for each in row]
    series = read(tmp_path, logs.log(rows, COMMANDS[command], logs.epoch))
    assert deltas(series) == []
    assert [each.host for each in series.others] == ["unnamed first", "unnamed second"]
    assert [sums(each) for each in series.others] == [TRUTH, TRUTH]
    assert "counters of 2 hosts (or namespaces): unnamed first, unnamed second" in series.notes


def test_a_single_snapshot_says_what_it_can(tmp_path: Path) -> None:
    """Since the start, or since an earlier run."""
    for command, since in (("nstat -az", "started"), ("nstat", "an earlier run")):
        series = read(tmp_path, COMMANDS[command](ROWS[-1].values, ROWS[0].values))
        (interval,) = standing(series)
        assert {name: interval.values[name] for name in FEW} == TRUTH
        assert interval.start_ns is None
        assert since in interval.notes[0]


def test_clocks_and_copied_files_wait_for_the_capture(tmp_path: Path) -> None:
    """Without one they are of the day on which the file was written; a pipe of snapshots is not read again."""
    path = tmp_path / "log"
    path.write_text(logs.log(BUSY, logs.az, DATES["+%T"]))
    os.utime(path, ns=(CAPTURE[1] + 3 * 86400 * SECOND,) * 2)
    alone = series_of([path])
    assert alone.snapshots[0].time_ns - ROWS[0].time_ns >= 2 * 86400 * SECOND
    beside = refitted(alone, [path], None, CAPTURE)
    assert beside is not None
    check(beside)
    assert refitted(beside, [path], None, CAPTURE) is None


def test_a_long_log_keeps_what_is_near_the_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere only every second snapshot or fewer, and it is said; of increments nothing is lost."""
    monkeypatch.setattr(drafts, "MAX_SNAPSHOTS", 20)
    monkeypatch.setattr(reading, "AROUND_NS", 0)
    start_ns = CAPTURE[0] - 30 * SECOND
    rows = [Taken(start_ns + number * SECOND, {"TcpInSegs": 2 * number + number % 3}) for number in range(70)]
    path = tmp_path / "log"
    for command in ("nstat -az", "nstat"):
        path.write_text(logs.log(rows, COMMANDS[command], logs.epoch))
        thinned = series_of([path])
        found = refitted(thinned, [path], None, CAPTURE)
        assert found is not None
        times = [each.time_ns for each in found.snapshots]
        assert {row.time_ns for row in rows if CAPTURE[0] <= row.time_ns <= CAPTURE[1]} <= set(times)
        assert len(times) <= 20 < len(rows)
        moved = sum(each.values.get("TcpInSegs", 0) for each in deltas(found) if each.start_ns)
        at = {row.time_ns: row.values["TcpInSegs"] for row in rows}
        assert moved == at[times[-1]] - at[times[0]]
        assert any("left out" in note for note in found.notes)


def test_columns_that_run_into_each_other(tmp_path: Path) -> None:
    """nstat's daemon prints rates; with 16 digits there is no room between value and rate."""
    text = "#8.1 sampling_interval=1 time_const=60\nTcpInSegs                       5                  1.5\n"
    text += f"{'IpExtInOctets':<32}{1156658567930511:<16}{112345.6:6.1f}\n"
    (found,) = read(tmp_path, text).snapshots
    assert found.values == {"TcpInSegs": 5, "IpExtInOctets": 1156658567930511}


GERMAN = """\
Ip:
    88 Pakete insgesamt empfangen
    0 weitergeleitet
    OutTransmits: 94
Tcp:
    2 aktive Verbindungsöffnungen
    88 Segmente empfangen
    8 segments retransmitted
"""


def test_other_languages_are_said_where_half_is_understood(tmp_path: Path) -> None:
    """What is English is taken."""
    series = read(tmp_path, GERMAN)
    assert series.snapshots[0].values == {"IpOutTransmits": 94, "TcpRetransSegs": 8}
    assert any("4 sentences" in note and "take it with LC_ALL=C" in note for note in series.notes)


OTHERS = {
    "FreeBSD": "tcp:\n\t53 packets sent\n\t\t33 data packets (5041 bytes)\nudp:\n\t11 datagrams received\n",
    "macOS": "tcp:\n\t53 packet sent\n\t\t33 data packet (5041 byte)\nmptcp:\n\t0 data packet sent\n",
    "Windows": "\nIPv4 Statistics\n\n  Packets Received                   = 2873341\n",
    "BusyBox": "netstat: unrecognized option: s\nBusyBox v1.36.1 (2023-11-07 18:53:09 UTC) multi-call binary.\n",
    "sar": "Linux 4.18.0-193.el8.x86_64 (node7)  01/28/21  _x86_64_  (32 CPU)\n\n08:08:33  active/s passive/s    iseg/s\n",
    "sadf": '{"sysstat": {\n\t"hosts": [\n\t\t{"nodename": "node7"}\n\t]\n}}\n',
    "Co-Pilot": 'Time,"network.tcp.retranssegs"\n2026-11-20 20:03:40,\n',
    "netdata": "time,ListenOverflows,ListenDrops\n2026-11-20 20:03:40,0,0\n",
    "telegraf's net": "net,host=web01,interface=all tcp_retranssegs=656187i,tcp_insegs=4953075475i 1795204800000000000\n",
    "softnet_stat": "0001a2b3 00000000 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n",
    "sockstat": "sockets: used 290\nTCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1\n",
    "ethtool -S": "NIC statistics:\n     rx_packets: 5\n     tx_packets: 6\n",
    "interfaces": "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n    RX:  bytes packets\n",
    "tc -s": "qdisc fq_codel 0: dev eth0 root refcnt 2\n Sent 10 bytes 2 pkt (dropped 0, overlimits 0 requeues 0)\n",
    "conntrack -S": "cpu=0   found=6 invalid=3 insert=0 insert_failed=0 drop=0 early_drop=0 error=0\n",
    "a list of sockets": "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0      128    0.0.0.0:22\n",
    "rate()": '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"a:1"},"value":[1,"0.5"]}]}}',
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_something_else_is_named(tmp_path: Path, what: str) -> None:
    """With the next step."""
    with pytest.raises(SnapshotError, match=r"this is .*; ") as caught:
        read(tmp_path, OTHERS[what])
    assert what in str(caught.value)


def test_headings_of_another_language(tmp_path: Path) -> None:
    """Where every sentence was read and a heading was not: no count of sentences."""
    text = logs.netstat_s(ROWS[-1].values).replace("Tcp:\n", "Tcp:\n    Übersicht\n", 1)
    series = read(tmp_path, text)
    (note,) = [note for note in series.notes if "another language" in note]
    assert note.endswith("headings of `netstat -s` in another language than English, left out; take it with LC_ALL=C")


def test_folders_of_support_tools(tmp_path: Path) -> None:
    """A sosreport, in the folder that it unpacks to; what supportconfig writes into one text."""
    net = tmp_path / "sosreport-web01" / "proc" / "net"
    net.mkdir(parents=True)
    (net / "snmp").write_text(logs.proc(ROWS[-1].values, logs.SNMP))
    (net / "netstat").write_text(logs.proc(ROWS[-1].values, logs.NETSTAT))
    folder = tmp_path / "scc_web01"
    folder.mkdir()
    (folder / "network.txt").write_text(
        "#==[ Command ]======================================#\n# /bin/netstat -s\n" + logs.netstat_s(ROWS[-1].values)
    )
    for path in (tmp_path / "sosreport-web01", folder):
        (interval,) = standing(series_of([path]))
        assert {name: interval.values[name] for name in FEW} == {name: ROWS[-1].values[name] for name in FEW}
