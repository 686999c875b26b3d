"""Counters of several hosts in one log: each host's are a series of its own, and one of them is compared where something tells which."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.counters import Series, SnapshotError, chosen, judged_together, series_of
from tests import logs
from tests.command import run_here
from tests.logs import COMMANDS, SECOND, Taken
from tests.test_snapshot_forms import BUSY, ROWS, TRUTH, sums
from tests.test_support import CAPTURE

OTHER = [Taken(row.time_ns + SECOND // 4, {name: 3 * value for name, value in row.values.items()}) for row in BUSY]
THRICE = {name: 3 * value for name, value in TRUTH.items()}
Hosts = dict[str, Sequence[Taken]]


def relabelled(make: Callable[[Sequence[Taken]], str]) -> Callable[[Hosts], str]:
    """One text for each host, one after the other; the names in them instead of web01."""
    return lambda hosts: "".join(make(rows).replace("web01", name) for name, rows in hosts.items())


def shuffled(rows: Callable[[str, Taken], str], command: str = "nstat -az") -> Callable[[Hosts], str]:
    """Line by line from any of them, as a collector of logs takes them."""

    def made(hosts: Hosts) -> str:
        rng = random.Random(1)
        queues = [
            [rows(name, taken) + line for taken in own for line in COMMANDS[command](taken.values, {}).splitlines()]
            for name, own in hosts.items()
        ]
        text = ""
        while any(queues):
            text += rng.choice([queue for queue in queues if queue]).pop(0) + "\n"
        return text

    return made


def asked(hosts: Hosts) -> str:
    """An answer of Prometheus with the samples of all."""
    bodies = [json.loads(logs.prometheus(rows).replace("web01", name)) for name, rows in hosts.items()]
    bodies[0]["data"]["result"] += [each for body in bodies[1:] for each in body["data"]["result"]]
    return json.dumps(bodies[0])


def federated(hosts: Hosts) -> str:
    """Samples by name, of all hosts, with their times."""
    lines = [
        line
        for name, rows in hosts.items()
        for taken in rows
        for line in logs.exporter(
            taken.values, f" {taken.time_ns // 1_000_000}", f'{{instance="{name}:9100"}}'
        ).splitlines()
    ]
    return "\n".join(sorted(lines)) + "\n"


def ansible(hosts: Hosts) -> str:
    """A command on all hosts, again and again."""
    return "".join(
        f"{name} | CHANGED | rc=0 >>\n{logs.epoch(taken)}\n{logs.az(taken.values, {})}"
        for at in range(max(map(len, hosts.values())))
        for name, taken in ((name, rows[at]) for name, rows in hosts.items() if at < len(rows))
    )


FORMS: dict[str, Callable[[Hosts], str]] = {
    "query_range": asked,
    "tsdb dump": relabelled(logs.dump),
    "telegraf": relabelled(logs.telegraf),
    "federation": federated,
    "ansible": ansible,
    "syslog": shuffled(lambda name, taken: taken.date.strftime(f"%b %d %H:%M:%S {name} nstat[812]: ")),
    "netstat in syslog": shuffled(lambda name, taken: taken.date.strftime(f"%b %d %H:%M:%S {name} netstat[812]: "), "netstat -s"),
    "RFC 5424": shuffled(lambda name, taken: f"<13>1 {logs.iso(taken)}+00:00 {name} nstat 812 - - "),
    "kubectl --prefix": shuffled(lambda name, taken: f"[pod/{name}/app] {logs.iso(taken)}Z "),
    "compose": shuffled(lambda name, taken: f"{name}  | {logs.epoch(taken)} "),
    "pdsh": shuffled(lambda name, taken: f"{name}: {logs.epoch(taken)} "),
    "stern": shuffled(lambda name, taken: f"{name} app {logs.epoch(taken)} "),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_host_is_a_series(tmp_path: Path, form: str) -> None:
    """With its own values, whatever the order of lines."""
    names = ("web-7d4b9", "web-55c6f")
    (tmp_path / "log").write_text(FORMS[form]({names[0]: ROWS, names[1]: OTHER}))
    series = series_of([tmp_path / "log"], capture_ns=(ROWS[0].time_ns, ROWS[-1].time_ns))
    found = {each.host: sums(each) for each in series.others}
    assert len(found) == 2
    assert [next(own for host, own in found.items() if name in host) for name in names] == [TRUTH, THRICE]
    assert not series.snapshots
    assert any(note.startswith("counters of 2 hosts") for note in series.notes)


@pytest.mark.parametrize("form", FORMS)
def test_one_host_is_no_several(tmp_path: Path, form: str) -> None:
    """What names a host in each line is one host where it is always the same."""
    (tmp_path / "log").write_text(FORMS[form]({"web-7d4b9": ROWS}))
    series = series_of([tmp_path / "log"], capture_ns=(ROWS[0].time_ns, ROWS[-1].time_ns))
    assert (sums(series), series.others) == (TRUTH, ())


def test_files_of_one_host_with_labels_of_different_kinds(tmp_path: Path) -> None:
    """An exporter calls it by its address, telegraf by its name; different values of one label are different hosts."""
    half = len(ROWS) // 2
    (tmp_path / "a").write_text(logs.dump(ROWS[:half]))
    (tmp_path / "b").write_text(logs.telegraf(ROWS[half:]))
    assert sums(series_of([tmp_path / "a", tmp_path / "b"])) == TRUTH
    (tmp_path / "c").write_text(logs.dump(OTHER).replace("web01", "web02"))
    assert len(series_of([tmp_path / "a", tmp_path / "c"]).others) == 2


def test_names() -> None:
    """With or without port and domain; where two go by it, none does."""
    empty = series_of_hosts("10.0.0.1:9100", "web02.example.net", "[2001:db8::1]:9100", "2001:db8::2")
    for name, host in {"10.0.0.1": 0, "web02": 1, "WEB02.other": 1, "2001:db8::1": 2, "2001:db8::2": 3}.items():
        assert chosen(empty, [name]).host == empty.others[host].host
    for names in ([], ["web03"], ["10.0.0.2"], ["10.0.0.1", "web02"], [""]):
        assert chosen(empty, names) is empty


def series_of_hosts(*hosts: str):  # type: ignore[no-untyped-def]

    return Series("", [], [], tuple(Series(host, []) for host in hosts))


def test_the_one_that_is_meant_by_name(tmp_path: Path) -> None:
    """By the address of --host: its counters are compared, the others' are there with what the kernel counted."""
    (tmp_path / "log").write_text(asked({"10.0.0.1": ROWS, "10.0.0.9": OTHER}))
    found = analyze(CAPTURE, snapshots=[tmp_path / "log"], hosts=["10.0.0.1"])
    rows = found.counters_whole.set_index(["host", "counter"])
    assert {name: int(rows.loc[("10.0.0.1", name), "observed"]) for name in TRUTH} == TRUTH
    assert {name: int(rows.loc[("10.0.0.9:9100", name), "observed"]) for name in TRUTH} == THRICE
    other = found.counters[found.counters["host"] == "10.0.0.9:9100"]
    assert set(other["verdict"]) == {"not_comparable"}
    assert set(other["reason"]) == {"of another host than the one that took the capture"}
    assert any("those of 10.0.0.1:9100 are compared (it goes by that name)" in note for note in found.warnings)


def test_the_one_that_is_meant_by_the_packets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no name tells: the one whose counters the packets explain. Where they explain all alike, none."""
    log, capture = tmp_path / "log", [CAPTURE, "--host", "10.0.0.1", "--snapshots", tmp_path / "log"]
    log.write_text(federated({"web02": OTHER, "web01": ROWS}))
    found = analyze(CAPTURE, snapshots=[log], hosts=["10.0.0.1"])
    assert found.comparison is not None
    assert sums(found.comparison.series) == TRUTH
    assert any("those of web01:9100 are compared (they go together with the packets best)" in note for note in found.warnings)  # fmt: skip
    assert not found.counters_whole["verdict"].isin(["under", "over"]).any()
    log.write_text(federated({"web02": ROWS, "web01": ROWS}))
    ran = run_here("analyze", *capture, capsys=capsys)
    assert ran.status == 0
    assert "not compared: of one of several hosts, and nothing tells which" in " ".join(ran.out.split())
    rows = analyze(CAPTURE, snapshots=[log], hosts=["10.0.0.1"]).counters_whole
    assert set(rows["host"]) == {"web01:9100", "web02:9100"}
    assert set(rows["verdict"]) == {"not_comparable"}


def test_differences_are_of_one_host(tmp_path: Path) -> None:
    """`counters diff` has nobody to ask."""
    for name in ("before", "after"):
        (tmp_path / name).write_text(federated({"web02": OTHER, "web01": ROWS}))
    with pytest.raises(SnapshotError, match=r"counters of several hosts, .*web01:9100.*; keep those of one"):
        judged_together(tmp_path / "before", tmp_path / "after")


def test_very_many_hosts_are_refused(tmp_path: Path) -> None:
    """Nobody means them."""
    (tmp_path / "log").write_text("".join(f"h{n}: TcpInSegs {n}\nh{n}: TcpOutSegs {n}\n" for n in range(300)))
    with pytest.raises(SnapshotError, match="counters of more than 256 hosts; keep those"):
        series_of([tmp_path / "log"])
    text = "".join(f'node_netstat_Tcp_InSegs{{instance="h{n}"}} {n}\n' for n in range(300))
    (tmp_path / "log").write_text(text)
    with pytest.raises(SnapshotError, match="counters of more than 256 hosts; keep those"):
        series_of([tmp_path / "log"])
