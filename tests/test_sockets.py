"""Lists of sockets: one set of sockets in every form gives the same values; odd lists; what is joined; nothing breaks it."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyzer import analyze
from analyzer.capture.sysctls import parse_sysctls, read_sysctls, sysctls_of
from analyzer.errors import CaptureError
from analyzer.sockets import FlowIndex, SocketFile, SocketsError, Tally
from analyzer.sockets.details import details_of
from analyzer.sockets.endpoint import endpoint_of
from analyzer.sockets.words import DECIMALS, WHOLES
from analyzer.tables import FLOWS, SOCKETS
from tests import socket_forms as forms
from tests.command import status_of
from tests.naive.socket_words import numbers_in

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "reorder-duplicate" / "server"
CASES = int(os.environ.get("TCPCAP_FUZZ_CASES", "20000")) // 25


def read(path: Path, content: str | bytes, **options: int) -> tuple[list[dict[str, Any]], SocketFile]:
    """The sockets of a file with what is known of each, and the file."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    file = SocketFile(path, **options)
    frames = [batch.frame("") for batch in file]
    return [known for frame in frames for known in rows_of(frame)], file


def rows_of(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Each row without what is missing or empty; processes as objects."""
    numbers = {column.name for column in SOCKETS.columns if column.kind in ("optional", "value")}
    for row in frame.astype(object).to_dict("records"):
        known = {name: value for name, value in row.items() if not pd.isna(value) and (name in numbers or value != "")}
        if "processes" in known:
            known["processes"] = json.loads(known["processes"])
        yield known


NOT_OF_A_LIST = ("time_ns", "snapshot", "ip_version", "v4_mapped", "flow", "listener_flows")


# One set of sockets, every form


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("form", forms.FORMS)
def test_every_form_gives_the_same_values(form: str, seed: int, tmp_path: Path) -> None:
    """Value by value, and nothing that the form does not hold."""
    made, how = forms.sockets(seed), forms.FORMS[form]
    found, file = read(tmp_path / "list.txt", how.encode(how.write(made)))
    expected = [how.shows(each) for each in how.order(made)]
    assert len(found) == len(expected)
    for one, other, each in zip(found, expected, how.order(made), strict=True):
        assert {
            name: value
            for name, value in one.items()
            if name not in NOT_OF_A_LIST and (name != "timer_probes" or value)
        } == {name: value for name, value in other.items() if name != "timer_probes" or value}
        assert one["ip_version"] == (6 if ":" in each.local else 4)
        assert one["v4_mapped"] == each.mapped
        assert one["flow"] == -1
    assert not [note for note in file.notes if "no sockets" in note or "damaged" in note]


@pytest.mark.parametrize("form", ["ss-twoline", "jsonl", "netstat", "ss-ts", "docker"])
def test_rows_do_not_depend_on_the_batch(form: str, tmp_path: Path) -> None:
    """Batches of 1, 2, 7 and everything."""
    content = forms.FORMS[form].write(forms.sockets(3))
    whole, _ = read(tmp_path / "a", content)
    os.utime(tmp_path / "a", (1e9, 1e9))
    for size in (1, 2, 7):
        found, file = read(tmp_path / "a", content, batch_rows=size)
        assert len(found) == len(whole)
        drop = ("time_ns",) if form in ("ss-twoline", "netstat") else ()
        assert [{k: v for k, v in row.items() if k not in drop} for row in found] == [
            {k: v for k, v in row.items() if k not in drop} for row in whole
        ]
        assert file.snapshots == (2 if form in ("jsonl", "docker") else 1)


def test_lines_logged_in_parts(tmp_path: Path) -> None:
    """Docker cuts a line of more than 16 kB: its parts are one row again. Each list has the time of its first line."""
    name = "x" * 40_000
    line = f'ESTAB 0 0 10.0.0.1:80 10.0.0.2:1234 users:(("{name}",pid=1,fd=3))\n'
    parts = [line[at : at + (1 << 14)] for at in range(0, len(line), 1 << 14)]
    assert len(parts) == 3
    text = "".join(
        json.dumps({"log": part, "stream": "stdout", "time": f"2026-11-20T10:00:0{second}.5Z"}) + "\n"
        for second in (1, 3)
        for part in (*parts, "LISTEN 0 5 10.0.0.1:80 *:*\n")
    )
    found, file = read(tmp_path / "a", text)
    assert [(row.get("process", ""), row["snapshot"]) for row in found] == [(name, 0), ("", 0), (name, 1), ("", 1)]
    assert {row["time_ns"] - 1_795_168_800 * 10**9 for row in found} == {1_500_000_000, 3_500_000_000}
    assert not file.notes


def test_a_snapshot_larger_than_any_buffer(tmp_path: Path) -> None:
    """One line of JSON of megabytes is read piece by piece, in either order of what is in it."""
    made = forms.sockets(4, 2000)
    text = forms.ss_twoline(made)
    line = json.dumps({"time": 1.5, "ss": text})
    assert len(line) > 1 << 20
    found, file = read(tmp_path / "a", f"{line}\n{line}\n")
    assert len(found) == 4000
    assert found[:2000] == [{**row, "snapshot": 0} for row in found[2000:]]
    assert {row["snapshot"] for row in found[2000:]} == {1}
    assert {row["time_ns"] for row in found} == {1_500_000_000}
    assert not file.notes
    cut, file = read(tmp_path / "b", line[: len(line) // 2])
    assert 900 < len(cut) < 1100
    assert cut[:-1] == found[: len(cut) - 1]
    assert [note for note in file.notes if "damaged" in note]


# Odd lists


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Recv-Q Send-Q Local Address:Port Peer Address:Port\n0 36 10.0.0.1:22 10.0.0.2:55\n", {"send_q": 36, "recv_q": 0}),
        ("$ ss -tn state time-wait\nRecv-Q Send-Q Local Address:Port Peer Address:Port\n0 0 10.0.0.1:22 10.0.0.2:55\n", {"state": "TIME-WAIT"}),
        ("State Local Address:Port Peer Address:Port\nESTAB 10.0.0.1:22 10.0.0.2:55\n", {"state": "ESTAB", "peer_port": 55}),
        ("ESTAB 10.0.0.1:22 10.0.0.2:55\n", {"state": "ESTAB", "local": "10.0.0.1"}),
        ("ESTAB 0 0 [2001:db8::1]:22\n[2001:db8::2]:55 users:((\"a\",pid=1,fd=2))\n", {"peer": "2001:db8::2", "process": "a"}),
        ("tcp 0 0 10.0.0.1:22\n10.0.0.2:55 ESTABLISHED\n", {"state": "ESTAB", "peer_port": 55}),
        ("UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:*\n", {"netid": "udp", "local_interface": "lo", "local": "127.0.0.53"}),
        ("ESTAB 0 0 10.0.0.1:ssh web:nowhere\n", {"local_port": 22, "local_service": "ssh", "peer_printed": "web", "peer_service": "nowhere"}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2\n\t sackcubic mem:(r1,w2,f3,t4)\n", {"flags": "sack", "congestion": "cubic", "skmem_r": 1, "skmem_t": 4}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2\n\t mem:(r1,w2,f3,t4)cubic\n", {"congestion": "cubic", "skmem_w": 2}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 -->\n", {"shutdown": "receive"}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 <--\n", {"shutdown": "send"}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 timer:(keepalive,4.790ms,0)\n", {"timer_expires_ms": 4790}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 timer:(on,040ms,3)\n", {"timer_expires_ms": 40, "timer_retransmissions": 3}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 timer:(rto,,3)\n", {"timer": "unknown", "timer_expires_ms": 0}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 pacing_rate 2Mbps/3Mbps\n", {"pacing_rate_bps": 2e6}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 rto:1e999 minrtt:1e-999\n", {"minrtt_ms": 0.0, "rto_ms": None}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2\n\tinet-sockopt: ( recverr is_icsk cwnd:9)\n\t cubic cwnd:7\n", {"congestion": "cubic", "cwnd": 7}),
        ("ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 cwnd:18446744073709551616 mss:x bytes_sent:18446744073709551615\n", {"bytes_sent": 2**64 - 1}),
        ("  338: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 101 0 20514 2 0000000000000000 0\n", {"netid": "udp", "state": "UNCONN", "local": "127.0.0.53"}),
    ],
)  # fmt: skip
def test_odd_rows(text: str, expected: dict[str, Any], tmp_path: Path) -> None:
    """One socket each, with these values among its."""
    (found,), file = read(tmp_path / "a", text)
    assert {name: found.get(name) for name in expected} == expected
    assert "mss" not in found
    assert not [note for note in file.notes if "no sockets" in note]


def test_what_is_not_known_is_missing(tmp_path: Path) -> None:
    """netstat tells no limit of an accept queue, and cuts addresses of IPv6; ss without flags tells nothing else."""
    (listener,), _ = read(tmp_path / "a", "tcp 129 0 0.0.0.0:80 0.0.0.0:* LISTEN\n")
    assert (listener["accept_queue"], listener["send_q"]) == (129, 0)
    assert "accept_limit" not in listener
    (cut,), _ = read(tmp_path / "a", "tcp6 0 0 2001:db8:85a3:1:2:8:443 ::1:50892 ESTABLISHED\n")
    assert "local" not in cut
    assert (cut["local_printed"], cut["local_port"], cut["peer"]) == ("2001:db8:85a3:1:2:8", 443, "::1")
    (plain,), _ = read(tmp_path / "a", "ESTAB 0 0 10.0.0.1:1 10.0.0.2:2\n")
    assert not plain.keys() & {*WHOLES, *DECIMALS, "accept_queue", "process", "timer", "congestion", "flags"}


def test_keys_are_not_kept(tmp_path: Path) -> None:
    """`md5keys` stand in no column and in no note."""
    text = "ESTAB 0 0 10.0.0.1:1 10.0.0.2:2\n\t cubic cwnd:3 md5keys:10.0.0.2/32=hunter2,::1/128=swordfish\nmd5keys:x=hunter2 swordfish\n"
    path = tmp_path / "a"
    path.write_text(text)
    file = SocketFile(path)
    frames = [batch.frame("") for batch in file]
    shown = f"{[frame.astype(object).to_dict('records') for frame in frames]} {file.notes}"
    assert "cubic" in shown
    assert "hunter2" not in shown
    assert "swordfish" not in shown


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Active Internet connections (including servers)\nProto Recv-Q Send-Q  Local Address          Foreign Address        (state)\n", "macOS"),
        ("tcp4       0      0  192.168.1.10.52180     17.57.144.55.443       ESTABLISHED\n", "macOS"),
        ("tcp46      0      0  *.3283                 *.*                    LISTEN\n", "macOS"),
        ("udp6       0      0  *.5353                 *.*\n", "macOS"),
        ("\nActive Connections\n\n  Proto  Local Address          Foreign Address        State           PID\n  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       1712\n", "Windows"),
        ("Aktive Verbindungen\n  TCP    10.0.0.1:135    10.0.0.2:99   ABHÖREN    1712\n", "Windows"),
        ("  UDP    0.0.0.0:5353           *:*                                    27696\n", "Windows"),
    ],
)  # fmt: skip
def test_lists_of_other_systems_are_refused(text: str, word: str, tmp_path: Path) -> None:
    """By name, with the next step; before the capture is read."""
    with pytest.raises(SocketsError, match=word) as raised:
        read(tmp_path / "a", text)
    assert "ss -tanimoeOH" in str(raised.value)
    assert status_of("analyze", SAMPLE, "--sockets", tmp_path / "a") == 2


@pytest.mark.parametrize("content", ["", "hello\nworld\n", '{"a": 1}\n', "\x1f\x8b"])
def test_what_is_no_list_is_refused(content: str, tmp_path: Path) -> None:
    """An error that says what it can be; also for what is not there."""
    with pytest.raises(SocketsError, match="netstat -antp"):
        read(tmp_path / "a", content)
    with pytest.raises(SocketsError, match="a directory"):
        list(SocketFile(tmp_path))
    with pytest.raises(SocketsError, match="cannot be read"):
        list(SocketFile(tmp_path / "none"))


def test_times_of_a_log(tmp_path: Path) -> None:
    """A line with a time belongs to what follows; the name of a file and its own time are the last resort."""
    row = "ESTAB 0 {} 10.0.0.1:1 10.0.0.2:2\n"
    text = (
        "=== 2026-11-20T10:00:00Z ===\n"
        + row.format(1)
        + "=== 2026-11-20T10:00:05Z ===\n"
        + row.format(2)
        + row.format(3)
    )
    found, file = read(tmp_path / "a", text)
    start = 1795168800 * 10**9
    assert [(each["time_ns"], each["snapshot"], each["send_q"]) for each in found] == [
        (start, 0, 1), (start + 5 * 10**9, 1, 2), (start + 5 * 10**9, 1, 3),
    ]  # fmt: skip
    assert (file.snapshots, file.notes) == (2, [])
    (found,), file = read(tmp_path / "ss-20261120-100000.txt", row.format(1))
    assert found["time_ns"] == start
    (found,), file = read(tmp_path / "ss.txt", row.format(1))
    assert found["time_ns"] == (tmp_path / "ss.txt").stat().st_mtime_ns
    assert [note for note in file.notes if "that of the file" in note]


def test_summaries(tmp_path: Path) -> None:
    """`ss -s`, old and new, with the times before them."""
    text = """1763660000
Total: 812 (kernel 1034)
TCP:   1240 (estab 310, closed 870, orphaned 2, synrecv 0, timewait 866/0), ports 0

Transport Total     IP        IPv6
*\t  1034      -         -
TCP\t  370       200       170

1763660001
Total: 15
TCP:   8 (estab 0, closed 7, orphaned 0, timewait 7)
"""
    found, file = read(tmp_path / "a", text)
    assert found == []
    one, other = file.summaries
    assert (one["time_ns"], one["total"], one["kernel"]) == (1763660000 * 10**9, 812, 1034)
    assert one["tcp"] == {
        "total": 1240, "estab": 310, "closed": 870, "orphaned": 2, "synrecv": 0, "timewait": 866, "timewait_kernel": 0, "ports": 0,
    }  # fmt: skip
    assert one["transports"] == {"*": [1034, None, None], "TCP": [370, 200, 170]}
    assert other == {
        "time_ns": 1763660001 * 10**9,
        "total": 15,
        "tcp": {"total": 8, "estab": 0, "closed": 7, "orphaned": 0, "timewait": 7},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1:80", ("10.0.0.1", 80, "", False)),
        ("*:*", ("*", None, "", False)),
        (":::22", ("::", 22, "", False)),
        ("[::]:443", ("::", 443, "", False)),
        ("[fe80::1]%eth0:22", ("fe80::1", 22, "eth0", False)),
        ("[fe80::1%eth0]:22", ("fe80::1", 22, "eth0", False)),
        ("fe80::1%eth0:179", ("fe80::1", 179, "eth0", False)),
        ("0.0.0.0%virbr0:67", ("0.0.0.0", 67, "virbr0", False)),
        ("::ffff:10.0.0.1:80", ("10.0.0.1", 80, "", True)),
        ("[::ffff:10.0.0.1]:80", ("10.0.0.1", 80, "", True)),
        ("10.0.0.1:99999", ("10.0.0.1", None, "", False)),
        ("[2001:DB8::0:1]:1", ("2001:db8::1", 1, "", False)),
    ],
)
def test_endpoints(text: str, expected: tuple[Any, ...]) -> None:
    """Address, port, interface, and whether IPv6 was around IPv4."""
    found = endpoint_of(text)
    assert found is not None
    assert (found.address, found.port, found.interface, found.mapped) == expected


# The kernel and its twin


def test_the_words_are_read_as_the_twin_reads_them() -> None:
    """On words of every form, whole and damaged."""
    rng = random.Random(7)
    lines = [line for made in forms.sockets(5, 200) for line in forms.ss_oneline([made]).splitlines()]
    words = [line.partition(" users:")[0].split(None, 5)[-1] + " " + line.rpartition(")) ")[2] for line in lines]
    words += [_damaged(rng, each) for each in words for _ in range(3)]
    found = details_of(words)
    for row, each in enumerate(words):
        expected = numbers_in(each)
        numbers = {name: int(found.wholes[row, at]) for at, name in enumerate(WHOLES) if found.known[row, at]}
        numbers |= {
            name: float(found.decimals[row, at])
            for at, name in enumerate(DECIMALS)
            if found.known[row, len(WHOLES) + at]
        }
        assert {name: numbers.get(name) for name in expected} == expected, each


def _damaged(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return rng.choice(
        (text[:at], text[at:], text[:at] + rng.choice("0:,/()e. x") + text[at:], text[:at] + text[at + 1 :])
    )


# Joined to the capture


def flows_of(*ends: tuple[str, int, str, int, int], protocol: str = "tcp") -> np.ndarray:
    """Rows of FLOWS: client, port, server, port, start."""
    rows = np.zeros(len(ends), FLOWS.dtype)
    for number, (client, client_port, server, server_port, start_ns) in enumerate(ends):
        row = rows[number]
        row["flow"], row["protocol"], row["start_ns"] = number, FLOWS["protocol"].words.index(protocol), start_ns
        for side, address, port in (("client", client, client_port), ("server", server, server_port)):
            end = endpoint_of(f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
            assert end is not None
            row["ip_version"] = end.version
            row[f"{side}_hi"], row[f"{side}_lo"] = np.frombuffer(end.packed, ">u8")
            row[f"{side}_port"] = port
    return rows


def joined(path: Path, text: str, index: FlowIndex) -> list[tuple[int, int]]:
    """Flow and flows of the listener of each socket, -1 for none."""
    path.write_text(text)
    found = []
    for batch in SocketFile(path):
        index.join(batch)
        found += list(zip(batch.rows["flow"].tolist(), batch.listener_flows.tolist(), strict=True))
    return found


def test_sockets_find_their_flows(tmp_path: Path) -> None:
    """From either side; IPv4 in IPv6; scopes; of a 4-tuple that is used again the one of that time."""
    rows = flows_of(
        ("10.0.0.1", 40001, "10.0.0.2", 80, 100), ("fe80::1", 5, "fe80::2", 6, 100),
        ("10.0.0.1", 40001, "10.0.0.2", 80, 2_000_000_000), ("10.0.0.9", 1, "10.0.0.2", 80, 100),
    )  # fmt: skip
    index = FlowIndex([rows[:2], rows[2:]])
    text = """{"time": 1.0, "ss": "ESTAB 0 0 10.0.0.2:80 10.0.0.1:40001\\nESTAB 0 0 [::ffff:10.0.0.1]:40001 [::ffff:10.0.0.2]:80\\n"}
{"time": 3.0, "ss": "ESTAB 0 0 10.0.0.2:80 10.0.0.1:40001\\nESTAB 0 0 [fe80::1]%eth0:5 [fe80::2%eth0]:6\\n"}
{"time": 0.0000000001, "ss": "ESTAB 0 0 10.0.0.2:80 10.0.0.1:40001\\nESTAB 0 0 10.0.0.2:80 10.0.0.1:40002\\nudp ESTAB 0 0 10.0.0.2:80 10.0.0.9:1\\nESTAB 0 0 10.0.0.2:1 10.0.0.9:80\\n"}
"""
    assert [flow for flow, _ in joined(tmp_path / "a", text, index)] == [0, 0, 2, 1, 2, -1, -1, -1]
    assert joined(tmp_path / "a", text, FlowIndex([])) == [(-1, -1)] * 8


@pytest.mark.parametrize(
    ("listener", "local", "expected"),
    [
        ("10.0.0.2:80", (), 2),
        ("0.0.0.0:80", (), 3),
        ("0.0.0.0:80", ("10.0.0.2",), 2),
        ("*:80", ("10.0.0.2", "2001:db8::2"), 3),
        ("[::]:80", (), 4),
        ("[::]:80 v6only:1", (), 1),
        ("10.0.0.2:81", (), 0),
        ("[2001:db8::2]:80", (), 1),
        ("0.0.0.0:443", (), 0),
    ],
)
def test_listeners_know_what_they_accepted(
    listener: str, local: tuple[str, ...], expected: int, tmp_path: Path
) -> None:
    """An address of any stands for those of the host."""
    rows = flows_of(
        ("10.0.0.1", 1, "10.0.0.2", 80, 0), ("10.0.0.1", 2, "10.0.0.2", 80, 0),
        ("10.0.0.1", 2, "10.0.0.3", 80, 0), ("2001:db8::1", 2, "2001:db8::2", 80, 0),
    )  # fmt: skip
    address, _, words = listener.partition(" ")
    peer = "[::]:*" if "[" in address else "0.0.0.0:*"
    assert joined(tmp_path / "a", f"LISTEN 0 128 {address} {peer} {words}\n", FlowIndex([rows], local)) == [
        (-1, expected)
    ]


# What it comes to


def test_the_tally(tmp_path: Path) -> None:
    """States of the last list; full accept queues; the longest queues, without the FIN or SYN that counts as a byte."""
    text = """LISTEN 129 128 0.0.0.0:80 0.0.0.0:* users:(("slow",pid=1,fd=2))
LISTEN 128 128 0.0.0.0:81 0.0.0.0:*
CLOSE-WAIT 1 0 10.0.0.2:80 10.0.0.3:1
CLOSE-WAIT 8 0 10.0.0.2:80 10.0.0.3:2
SYN-SENT 0 1 10.0.0.2:9 10.0.0.3:3
ESTAB 5 7000 10.0.0.2:80 10.0.0.3:4
"""
    tally = Tally()
    (tmp_path / "a").write_text(text)
    for batch in SocketFile(tmp_path / "a", batch_rows=4):
        tally.add(batch)
    assert tally.states == {"tcp": {"ESTAB": 1, "SYN-SENT": 1, "CLOSE-WAIT": 2, "LISTEN": 2}}
    assert [(queue.local, queue.length, queue.limit, queue.process) for queue in tally.full] == [
        ("0.0.0.0:80", 129, 128, "slow")
    ]
    assert [queue.length for queue in tally.accept] == [129, 128]
    assert [(queue.length, queue.peer) for queue in tally.unread] == [(8, "10.0.0.3:2"), (5, "10.0.0.3:4")]
    assert [(queue.length, queue.peer) for queue in tally.unacknowledged] == [(7000, "10.0.0.3:4")]


def test_analyze_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lists of a bundle and those that are named; text, JSON, table."""
    bundle = tmp_path / "bundle"
    shutil.copytree(SAMPLE, bundle)
    row = 'ESTAB 9 5 10.0.0.2:80 10.0.0.1:40001 users:(("server",pid=7,fd=8))\n\t cubic rto:204\n'
    lists = [{"time": 1795205020.2, "ss": f"LISTEN 3 2 0.0.0.0:80 0.0.0.0:*\n{row}"}, {"time": 1795205020.3, "ss": row}]
    (bundle / "sockets.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lists))
    analysis = analyze(bundle)
    assert list(analysis.sockets.columns) == list(SOCKETS.empty().columns)
    assert analysis.sockets["flow"].tolist() == [-1, 0, 0]
    assert analysis.sockets["listener_flows"].tolist() == [1, pd.NA, pd.NA]
    assert analysis.sockets["accept_limit"].tolist() == [2, pd.NA, pd.NA]
    assert analysis.sockets["host"].tolist() == [analysis.host_name] * 3
    assert status_of("analyze", bundle) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 sockets in 2 lists" in shown
    assert "full: 0.0.0.0:80 3 connections not accepted, 2 may wait" in shown
    assert "unread 9 B 10.0.0.2:80 - 10.0.0.1:40001 (server), #0" in shown
    assert status_of("analyze", bundle, "--json") == 0
    told = json.loads(capsys.readouterr().out)["sockets"]
    assert (told["sockets"], told["snapshots"], told["tcp_connections_captured"]) == (3, 2, 1)
    assert [(each["length"], each["flow"]) for each in told["unacknowledged"]] == [(5, 0)]
    assert (
        status_of(
            "export", SAMPLE, "--table", "sockets", "--sockets", bundle / "sockets.jsonl", "-o", tmp_path / "o.jsonl"
        )
        == 0
    )
    exported = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [(each["flow"], each["accept_limit"], each["rto_ms"]) for each in exported] == [
        (-1, 2, None),
        (0, None, 204.0),
        (0, None, 204.0),
    ]
    assert (
        status_of(
            "export",
            SAMPLE,
            "--table",
            "sockets",
            "--sockets",
            bundle / "sockets.jsonl",
            "-o",
            bundle / "sockets.jsonl",
        )
        == 2
    )


def test_a_list_from_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of `--sockets <(ss -tan)`: it is read once."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_text("ESTAB 0 7 10.0.0.2:80 10.0.0.1:40001\n"), daemon=True)
    writer.start()
    assert status_of("analyze", SAMPLE, "--sockets", fifo) == 0
    writer.join(10)
    assert "7 B 10.0.0.2:80 - 10.0.0.1:40001, #0" in " ".join(capsys.readouterr().out.split())


# This machine


@pytest.fixture
def connections() -> Iterator[list[socket.socket]]:
    """Connections on loopback, some with data that nobody has read, and a listener with one that was not accepted."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        clients = [socket.create_connection(server.getsockname()) for _ in range(3)]
        accepted = [server.accept()[0] for _ in range(2)]
        clients[0].sendall(b"x" * 1000)
        yield [server, *clients, *accepted]
        for each in (*clients, *accepted):
            each.close()


def seen_by(found: list[dict[str, Any]], port: int) -> set[tuple[Any, ...]]:
    """Of the sockets of one server: state, queues (of listeners the accept queue), both ends."""
    return {
        (each["state"], each["recv_q"], each["send_q"] if "accept_queue" not in each else 0, each["local"], each["local_port"], each["peer"], each.get("peer_port"))
        for each in found
        if port in (each["local_port"], each.get("peer_port"))
    }  # fmt: skip


@pytest.mark.skipif(not Path("/proc/net/tcp").exists() or shutil.which("ss") is None, reason="needs Linux and ss")
@pytest.mark.parametrize(
    "command", ["ss -tanimoeOH", "ss -tanimoe", "ss -peaonmi", "ss -tna", "netstat -antp", "netstat -neopaW"]
)
def test_the_lists_of_this_machine_agree(command: str, connections: list[socket.socket], tmp_path: Path) -> None:
    """What ss and netstat print is what /proc/net/tcp says, and what the sockets themselves say."""
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"no {command.split()[0]}")
    port = connections[0].getsockname()[1]
    done = subprocess.run(
        command.split(), capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    found, _ = read(tmp_path / "a", done.stdout)
    expected, _ = read(tmp_path / "b", Path("/proc/net/tcp").read_text())
    assert seen_by(found, port) == seen_by(expected, port)
    assert len(seen_by(found, port)) == 7
    assert {(each["state"], each["recv_q"]) for each in found if each["local_port"] == port} == {
        ("LISTEN", 1), ("ESTAB", 0), ("ESTAB", 1000),
    }  # fmt: skip
    if command.startswith("ss -tanimoe"):
        client = connections[1]
        (own,) = [each for each in found if each["local_port"] == client.getsockname()[1]]
        assert own["bytes_sent"] == 1000
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        assert own["mss"] == int.from_bytes(info[16:20], "little")
        assert own["inode"] == os.fstat(client.fileno()).st_ino


# Settings


def test_settings_in_every_form(tmp_path: Path) -> None:
    """sysctl -a, a tree of /proc/sys, host.json: the same names and values."""
    expected = {
        "net.ipv4.tcp_rmem": "4096 131072 6291456",
        "net.ipv4.conf.eth0/1.forwarding": "1",
        "net.core.somaxconn": "4096",
    }
    text = "net.ipv4.tcp_rmem = 4096\t131072\t6291456\nnet.ipv4.conf.eth0/1.forwarding = 1\nnet.core.somaxconn=4096\nsysctl: permission denied on key 'fs.x'\n"
    assert parse_sysctls(text) == expected
    for name, value in expected.items():
        file = tmp_path / "proc" / "sys" / Path(*(part.replace("/", ".") for part in name.split(".")))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n".replace(" ", "\t"))
    assert read_sysctls(tmp_path) == read_sysctls(tmp_path / "proc" / "sys") == expected
    (tmp_path / "host.json").write_text(json.dumps({"sysctls": expected | {"net.core.somaxconn": "1"}}))
    assert read_sysctls(tmp_path / "host.json") == expected | {"net.core.somaxconn": "1"}
    assert sysctls_of(str(tmp_path)) == expected | {"net.core.somaxconn": "1"}
    assert sysctls_of("-") == {}
    (tmp_path / "other").write_text("hello\n")
    with pytest.raises(CaptureError, match="no settings"):
        read_sysctls(tmp_path / "other")


# Whatever the bytes


def test_fuzz(tmp_path: Path) -> None:
    """Damaged lists give sockets or an error, with queues and numbers in their ranges; a wider run: TCPCAP_FUZZ_CASES."""
    rng = random.Random(11)
    whole = [form.encode(form.write(forms.sockets(seed, 6))) for seed in range(3) for form in forms.FORMS.values()]
    counts = ["recv_q", "send_q", "accept_queue", "accept_limit", "timer_expires_ms", "local_port", "cwnd"]
    found = []
    path = tmp_path / "a"
    for _ in range(CASES):
        data = bytearray(rng.choice(whole))
        for _ in range(rng.randrange(1, 12)):
            at = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[at] = rng.choice((0, 10, 32, 34, 40, 41, 58, 92, 123, rng.randrange(256)))
            elif kind == 1:
                del data[at : at + rng.randrange(40)]
            elif kind == 2:
                data[at:at] = rng.choice(
                    (
                        b"9" * 30,
                        b"users:((",
                        b'",pid=',
                        "²".encode(),
                        b"timer:(on,9999999999min,9)",
                        b"\n",
                        b"\t",
                        bytes(data[:50]),
                    )
                )
            else:
                data = bytearray(data[:at] + data[rng.randrange(len(data)) :]) or bytearray(b"x")
        path.write_bytes(data)
        try:
            file = SocketFile(path, batch_rows=rng.choice((1, 7, 4096)))
            tally = Tally()
            for batch in file:
                found.append(batch.frame("")[[*counts, "time_ns"]])
                tally.add(batch)
            json.dumps(tally.as_dict())
        except SocketsError as error:
            assert "; " in str(error)
    rows = pd.concat(found)  # looked at together: one by one that takes longer than to read them
    assert [name for name in counts if not (rows[name].dropna() >= 0).all()] == []
    assert (rows["time_ns"] > 0).all()
    assert len(rows) > CASES


@pytest.mark.parametrize(
    "text",
    ["a@" * 300_000, "tcp 0 0 1:1 2:2 ESTABLISHED 1/" + " " * 500_000 + "x", "a:" * 400_000, "ESTAB 0 0 " + "a:" * 400_000,
     "ESTAB 0 0 1.1.1.1:1 2.2.2.2:2 users:((" + '"a",' * 200_000, "state " * 150_000],
)  # fmt: skip
def test_long_lines_end_soon(text: str, tmp_path: Path) -> None:
    """No pattern takes a time that grows with the square of a line."""
    started = time.process_time()
    read(tmp_path / "a", f"ESTAB 0 0 1.1.1.1:1 2.2.2.2:2\n{text}\n")
    assert time.process_time() - started < 5


def test_fuzz_of_settings() -> None:
    """Whatever stands there, names and values are texts of bounded length."""
    rng = random.Random(13)
    for _ in range(CASES):
        text = "".join(
            rng.choice(("net.ipv4.x", " = ", "=", "\n", "\x00", "²", "9" * 30, "/proc/sys/net/a", ":", "."))
            for _ in range(20)
        )
        for name, value in parse_sysctls(text).items():
            assert "." in name
            assert len(value) <= 4096
