"""Ports in use at a time: in a capture against a count by hand, and in the last list of sockets; and what rules make of counters that others name."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from analyzer import analyze
from analyzer.diagnosis.rule import rules_of
from analyzer.evidence.seen import diagnosed
from analyzer.flows.ports import TIME_WAIT_NS, ports_of
from analyzer.sockets import SocketFile
from analyzer.sockets.ports import PortsTaken
from tests import pkt

SAMPLES = Path(__file__).parent.parent / "samples"
SECOND = 1_000_000_000
OPEN = """
{at} < S  0:0(0) win 64240 <mss 1460>
+0.001 > S. 0:0(0) ack 1 win 65160 <mss 1460>
+0.001 < .  1:1(0) ack 1 win 502
"""
BY_CLIENT = """
+0.001 < F. 1:1(0) ack 1 win 502
+0.001 > F. 1:1(0) ack 2 win 502
+0.001 < .  2:2(0) ack 2 win 502
"""
BY_SERVER = """
+0.001 > F. 1:1(0) ack 1 win 502
+0.001 < F. 1:1(0) ack 2 win 502
+0.001 > .  2:2(0) ack 2 win 502
"""


def capture_of(tmp_path: Path, script: str) -> Path:
    """A capture of one scenario."""
    (tmp_path / "ports.pkt").write_text(f"--- Ports\n{script}")
    (scenario,) = pkt.read(tmp_path / "ports.pkt")
    return Path(scenario.write(tmp_path / "ports.pcap"))


def test_a_port_is_taken_until_its_time_wait_is_over(tmp_path: Path) -> None:
    """Closed by the client: 60 s more; by the server: free at once; never closed: for ever."""
    script = "".join(
        f"at client_port {port}{OPEN.format(at=at)}{end}"
        for port, at, end in (
            (40001, "+0", BY_CLIENT),
            (40002, "+1", BY_SERVER),
            (40003, "+1", ""),
            (40004, "+70", ""),
        )
    )
    (row,) = ports_of(analyze(capture_of(tmp_path, script)).flow_tracker)
    assert [int(row[name]) for name in ("ports", "time_wait", "reused", "lowest", "highest", "peer_port")] == [
        2, 1, 0, 40001, 40004, 80
    ]  # fmt: skip


def test_a_port_that_is_used_again_counts_once(tmp_path: Path) -> None:
    """And says that the client takes ports out of TIME_WAIT."""
    script = f"at client_port 40001{OPEN.format(at='+0')}{BY_CLIENT}isn client 9 server 7{OPEN.format(at='+5')}"
    (row,) = ports_of(analyze(capture_of(tmp_path, script)).flow_tracker)
    assert (int(row["ports"]), int(row["time_wait"]), int(row["reused"])) == (1, 0, 1)


def test_most_ports_at_a_time_as_counted_by_hand(tmp_path: Path) -> None:
    """Random connections, each moment looked at."""
    chance = random.Random(7)
    script, spans, now = "", [], 0
    for port in range(40_000, 40_040):
        pause, end = chance.randrange(1, 9), chance.choice((BY_CLIENT, BY_SERVER, ""))
        script += f"at client_port {port}{OPEN.format(at=f'+{pause}')}{end}"
        start = now + pause * SECOND
        now = start + (5_000_000 if end else 2_000_000)
        spans.append((start, {BY_CLIENT: now + TIME_WAIT_NS, BY_SERVER: now, "": 1 << 62}[end]))
    (row,) = ports_of(analyze(capture_of(tmp_path, script)).flow_tracker)
    most = max(sum(start <= moment < end for start, end in spans) for moment, _ in spans)
    assert int(row["ports"]) == most


def test_ports_of_the_last_list_only(tmp_path: Path) -> None:
    """By peer and its port; listeners take none."""
    first = "ESTAB 0 0 10.0.0.1:50001 10.0.0.2:80\n"
    last = "LISTEN 0 128 10.0.0.1:80 0.0.0.0:*\nTIME-WAIT 0 0 10.0.0.1:50002 10.0.0.2:80\nCLOSE-WAIT 1 0 10.0.0.1:50007 10.0.0.2:80\nESTAB 0 0 10.0.0.1:50002 10.0.0.3:80\n"
    head = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
    path = tmp_path / "ss.txt"
    path.write_text(f"{head}{first}{head}{last}")
    taken = PortsTaken()
    for batch in SocketFile(path):
        taken.add(batch)
    rows = taken.ports()
    assert taken.rows == 3
    assert rows["ports"].tolist() == [2, 1]
    assert [int(rows[0][name]) for name in ("lowest", "highest", "time_wait", "close_wait")] == [50002, 50007, 1, 1]
    assert len(np.unique(rows["peer_lo"])) == 2


RULE = """
id = "{id}"
title = "A rule"
severity = "{severity}"
explains = {explains}
counters = {counters}
why = "It is a test."
sql = "{sql}"
summary = "{{n}} found"
"""


def rule(folder: Path, name: str, severity: str, sql: str, explains: str = "[]", counters: str = "[]") -> None:
    """Write one."""
    text = RULE.format(id=name, severity=severity, sql=sql, explains=explains, counters=counters)
    (folder / f"{name}.toml").write_text(text)


def test_what_is_only_worth_knowing_hides_nothing_that_matters(tmp_path: Path) -> None:
    """An info explains infos."""
    sql = "SELECT count(*) AS n, min(flow) AS flow FROM flows"
    rule(tmp_path, "a-cause", "info", sql, explains="['a-warning', 'an-info']")
    rule(tmp_path, "a-warning", "warning", sql)
    rule(tmp_path, "an-info", "info", sql)
    found = diagnosed(analyze(SAMPLES / "refused" / "client"), rules_of(tmp_path)).findings
    because = {each.rule.id: each.because_of for each in found}
    assert because["a-warning"] == 0
    assert because["an-info"] > 0


def test_counters_that_a_finding_names_are_explained(tmp_path: Path) -> None:
    """A rule that reads them runs after the others, whatever its name."""
    rule(tmp_path, "a-first", "info", "SELECT count(*) AS n FROM explained_counters WHERE counter = 'TcpAttemptFails'")
    rule(tmp_path, "b-names", "info", "SELECT count(*) AS n FROM flows", counters="['TcpAttemptFails']")
    diagnosis = diagnosed(analyze(SAMPLES / "refused" / "client"), rules_of(tmp_path))
    assert not diagnosis.not_checked
    assert {each.rule.id: each.summary for each in diagnosis.findings}["a-first"] == "1 found"
