"""Ranges read and shares judged: the same answer as one pass, to the byte, wherever the file is cut and whoever does the work."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from analyzer import analyze
from analyzer.capture import open_capture
from analyzer.cluster import asked, forked, parted
from analyzer.cluster.executor import Here, Result, Task
from analyzer.cluster.judging import judge
from analyzer.cluster.part_kernel import ADDRESSES, INTERFACE, NUMBERS, PACKED, PORTS, SACK, STAMPS, STATES, TIME
from analyzer.cluster.processes import Processes
from analyzer.cluster.ranges import Bounds, Range, RangeFile, are_in_order, head_in, ranges_of
from analyzer.cluster.scatter import scatter
from analyzer.cluster.shares import ROWS, ShareWriter, rows_of_share
from analyzer.errors import CaptureError, TcpcapError
from analyzer.events.judge import Judge
from analyzer.flows import FlowTracker
from analyzer.passes import decoded
from analyzer.report.json_text import json_pieces
from analyzer.schema import Rows
from analyzer.summary.summary import SUMS, Summary
from analyzer.tables import PACKETS
from analyzer.together import joined
from tests import build, pkt
from tests.chained import START_NS, chained, records_of
from tests.helpers import SAMPLES
from tests.house import PACKAGE, ROOT
from tests.naive import parted as naive
from tests.test_batching import mixed_capture

CHAINS = {
    "losses": ("syn-ack-loss/server", "loss-ipv4/client", "fin-loss/client", "loss-ipv6/server"),
    "windows": (
        "zero-window-empty-queue/server",
        "syn-queue-full/client",
        "close-wait/server",
        "fast-open-refused/client",
    ),
    "offload": ("offload-veth/client", "offload-card/client", "corrupt-ipv4/client"),
}
EVENTS = Path(__file__).parent / "events"
TABLES = ("flows", "flow_events", "capture_facts", "checksums", "hosts")


class Several(Here):
    """Does what is asked for as if several did it."""

    def __init__(self, width: int) -> None:
        self.width = width


def told(analysis: Any) -> list[Any]:
    """All that findings are made of: tables, counts, warnings, and the notes on where time went."""
    tables = [str(getattr(analysis, name).to_json(orient="split")) for name in TABLES]
    counts = analysis.capture, analysis.event_counts, analysis.icmp_errors.rows, analysis.warnings
    return [*tables, *counts, repr(list(analysis.slow_notes(100)))]


def said(analysis: Any) -> list[Any]:
    """The same, and what `--json` prints, with every finding."""
    return [*told(analysis), "".join(json_pieces(analysis))]


@cache
def records(chain: str) -> list[build.Record]:
    """Several samples, two of them at a time."""
    return chained([SAMPLES / name / "capture.pcap" for name in CHAINS[chain]], 2)


def written(folder: Path, chain: str, kind: str) -> Path:
    """The same as a file of this kind."""
    path = folder / f"capture.{kind}"
    if kind == "pcap":
        path.write_bytes(build.pcap(records(chain)))
        return path
    found, described = records(chain), [build.idb(link=1, snaplen=262144)]
    over = [0] * len(found)
    if kind == "interfaces":  # each end of a connection sends over its own
        described *= 3
        over = [each.data[5] % 3 for each in found]
    blocks = [
        build.epb(each.data, ticks=each.time_ns // 1000, length=each.length, interface=interface)
        for each, interface in zip(found, over, strict=True)
    ]
    blocks.insert(len(blocks) // 2, build.nrb())
    ends = [build.isb(interface=number, dropped=number) for number in range(len(described))]
    path.write_bytes(build.pcapng(build.shb(), *described, *blocks, *ends))
    return path


def cut_at(monkeypatch: pytest.MonkeyPatch, cuts: Sequence[int]) -> None:
    """Have files cut at these bytes."""
    monkeypatch.setattr(parted, "cuts_of", lambda head, size, width: cuts)


@pytest.mark.parametrize("kind", ["pcap", "pcapng", "interfaces"])
@pytest.mark.parametrize("chain", CHAINS)
def test_the_same_answer_wherever_it_is_cut(
    tmp_path: Path, chain: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any byte, into 1, 2 or 7 ranges, for 1 to 4 workers: numbers of frames and flows included."""
    path = written(tmp_path, chain, kind)
    expected = said(analyze(str(path)))
    random = Random(f"{chain} {kind}")
    for pieces, width in ((1, 1), (2, 3), (40, 2), (7, 4)):
        cut_at(monkeypatch, [random.randrange(path.stat().st_size) for _ in range(pieces - 1)])
        analysis = analyze(str(path), cluster=Several(width))
        assert analysis.one_pass == ""
        assert len(analysis.flows) > 5
        assert told(analysis) == expected[:-1]
    assert said(analysis) == expected


def test_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real ones; and one of them is killed in the middle, which costs its task and not the run."""
    path = written(tmp_path, "windows", "pcap")
    expected = told(analyze(str(path)))
    cut_at(monkeypatch, [path.stat().st_size // 2])
    with Processes(2) as processes:
        assert told(analyze(str(path), cluster=Killing(processes))) == expected
        assert len(processes.ids) == 2
    assert analyze(str(path), jobs=3).one_pass.startswith("it is small")
    monkeypatch.setattr(asked, "LEAST_IN_PARTS", 0)
    analysis = analyze(str(path), jobs=3)
    assert (analysis.one_pass, told(analysis)) == ("", expected)
    assert told(analyze(str(path), jobs=1)) == expected
    with Processes(1) as processes, pytest.raises(CaptureError, match="no such file"):
        next(processes.run("scatter", [scattering(Range("not-there", 24, 24, 48, True), tmp_path / "x")]))


class Killing:
    """Kills one of the processes as soon as one has done something."""

    def __init__(self, processes: Processes) -> None:
        self._processes, self.width, self._killed = processes, 2, False

    def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        for done in self._processes.run(name, tasks):
            if not self._killed:
                os.kill(self._processes.ids[0], signal.SIGKILL)
                self._killed = True
            yield done


def scattering(wanted: Range, folder: Path) -> Task:
    return {"given": wanted.plain(), "shares": 2, "checking": True, "addresses": [], "folder": str(folder)}


def test_processes_that_die_again_and_again(tmp_path: Path) -> None:
    """Of a task that kills whoever does it, somebody must be told."""
    with Processes(1) as processes, pytest.raises(TcpcapError, match="3 processes died of it"):
        for _ in processes.run("no such task", [{}]):
            raise AssertionError("done")


FORKING = """
import json, os, sys, threading
from pathlib import Path
from analyzer.beginning import begin
begin()
from analyzer.cluster.processes import Processes
from analyzer.errors import TcpcapError
def seen(number):
    place = Path(f"/proc/{number}")
    caught = [line.split()[1] for line in (place / "status").read_text().splitlines() if line.startswith("SigCgt")]
    files = sorted(os.readlink(file).partition(":")[0] for file in (place / "fd").iterdir())
    return {"is_fork": (place / "cmdline").read_bytes() == Path("/proc/self/cmdline").read_bytes(), "files": files, "caught": caught[0]}
task, told = json.loads(sys.argv[1]), []
with open(sys.argv[2]) as kept, Processes(2) as processes:
    list(processes.run("scatter", [{**task, "folder": task["folder"] + str(number)} for number in range(2)]))
    told += map(seen, processes.ids)
done = threading.Event()
waiting = threading.Thread(target=done.wait)
waiting.start()
with Processes(1) as processes:
    list(processes.run("scatter", [{**task, "folder": task["folder"] + "2"}]))
    told += map(seen, processes.ids)
done.set()
waiting.join()
try:
    with Processes(1) as processes:
        list(processes.run("no such task", [{}]))
except TcpcapError as error:
    told.append(str(error))
print(json.dumps(told))
"""


@pytest.mark.skipif(not forked.THREADS.exists(), reason="the system does not say how many threads there are")
def test_a_process_of_one_thread_forks(tmp_path: Path) -> None:
    """What is forked has no file and no handler of a signal of who forked it; with a second thread it is a Python anew."""
    path = written(tmp_path, "windows", "pcap")
    task = json.dumps(scattering(Range(str(path), 24, 24, path.stat().st_size, True), tmp_path / "range"))
    words = [sys.executable, "-c", FORKING, task, str(path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    *seen, error = json.loads(done.stdout)
    assert [each["is_fork"] for each in seen] == [True, True, False]
    for each in seen[:2]:
        assert each["files"].count("pipe") == 4 and str(path) not in each["files"] and len(each["files"]) == 4
        assert int(each["caught"], 16) == 0
    assert "3 processes died of it" in error and done.stderr.count("KeyError: 'no such task'") == 3


def outer(folder: Path) -> Path:
    """A capture whose packets carry another one: its records look like those of the file."""
    inner = build.pcap(Record for Record in records("windows"))[24:]
    pieces = [inner[at : at + 60_000] for at in range(0, len(inner), 60_000)]
    found = [
        build.Record(build.ethernet(build.ipv4(build.udp(piece), 17)), START_NS + number)
        for number, piece in enumerate(pieces)
    ]
    path = folder / "outer.pcap"
    path.write_bytes(build.pcap(found))
    return path


def test_a_capture_inside_of_a_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A range that begins with a record of the inner one does not count: it is read again from where the one before ends."""
    path = outer(tmp_path)
    head = head_in(path.read_bytes())
    assert head == 24
    middle = path.stat().st_size // 3
    (_, second) = ranges_of(str(path), head, [middle], path.stat().st_size)
    opened = RangeFile(second)
    misled = opened.begin()
    opened.close()
    ends = [24]
    for record in records_of(path):
        ends.append(ends[-1] + 16 + len(record.data))
    assert misled is not None and misled not in ends
    cut_at(monkeypatch, [middle])
    analysis = analyze(str(path), cluster=Several(2))
    assert analysis.one_pass == ""
    assert told(analysis) == told(analyze(str(path)))


def doubled(found: list[build.Record]) -> list[build.Record]:
    """Each frame twice, as a mirror of both directions makes it."""
    return [
        each for record in found for each in (record, build.Record(record.data, record.time_ns + 500, record.length))
    ]


def back(found: list[build.Record]) -> list[build.Record]:
    """A clock that steps back once."""
    return [*found[:50], *(build.Record(each.data, each.time_ns - 10**9, each.length) for each in found[50:])]


def lasting(found: list[build.Record]) -> list[build.Record]:
    """The first segment is wrong, and nobody ever says what became of it."""
    segment = build.ethernet(
        build.ipv4(build.tcp(b"data", check=0x1234, between=("10.9.8.7", build.DST4)), src="10.9.8.7")
    )
    return [build.Record(segment, found[0].time_ns), *found]


def backwards(found: list[build.Record]) -> bytes:
    """Over two interfaces, of which one writes its frames late."""
    blocks = [
        build.epb(each.data, ticks=each.time_ns // 1000 - 30 * (at % 5 == 0), interface=int(at % 5 == 0))
        for at, each in enumerate(found)
    ]
    return build.pcapng(build.shb(), build.idb(), build.idb(), *blocks)


def fragmented(found: list[build.Record]) -> list[build.Record]:
    """One datagram in pieces, the first and the last frame but one."""
    packet = build.ipv4(build.udp(bytes(3000)), 17)
    pieces = [build.Record(build.ethernet(each), found[0].time_ns) for each in build.cut_up(packet, [1480])]
    return [pieces[0], *found[:-1], build.Record(pieces[1].data, found[-1].time_ns), found[-1]]


WHOLE: dict[str, tuple[Callable[[list[build.Record]], list[build.Record]], dict[str, Any], str]] = {
    "copies": (doubled, {}, "frames came twice"),
    "clock": (back, {}, "the capture clock goes back"),
    "max_flows": (list, {"max_flows": 5}, "there are more flows than are followed"),
    "filter": (list, {"filter": "tcp"}, "part of it is asked for"),
    "nothing": (lambda _: [], {}, "it holds no frames"),
}


@pytest.mark.parametrize("case", WHOLE)
def test_what_only_one_pass_can_tell(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then one pass does it, and the reason is said."""
    changed, wanted, reason = WHOLE[case]
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap(changed(records("losses"))))
    cut_at(monkeypatch, [path.stat().st_size // 2])
    analysis = analyze(str(path), cluster=Several(2), **wanted)
    assert analysis.one_pass.startswith(reason)
    assert told(analysis) == told(analyze(str(path), **wanted))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("answered_past_nat", "the same connections were captured on both sides of a NAT"),
        ("tw_recycle", "several hosts are behind one address"),
        ("syn_cookie", "a server refused options that it had granted others"),
    ],
)
def test_connections_that_tell_of_others(script: str, reason: str, tmp_path: Path) -> None:
    """The two sides of a NAT, clocks behind one address, options that a server granted to others: as soon as they are seen, each in a share of its own."""
    scenario = next(each for each in pkt.read(EVENTS / f"{script}.pkt") if each.expects(script))
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([build.Record(line.frame, line.time_ns) for line in scenario.lines]))
    analysis = analyze(str(path), cluster=Several(32))
    assert analysis.one_pass.startswith(reason)
    assert told(analysis) == told(analyze(str(path)))


def test_servers_that_refuse_options(tmp_path: Path) -> None:
    """All of them, from anybody, is told of each connection for itself; and so is it beside servers that grant them."""
    (scenario, *_) = (each for each in pkt.read(EVENTS / "options_refused.pkt") if each.expects("options_refused"))
    found = [build.Record(line.frame, line.time_ns) for line in scenario.lines]
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([*found, *(later(each, found[-1].time_ns) for each in records("windows"))]))
    analysis = analyze(str(path), cluster=Several(2))
    assert (analysis.one_pass, analysis.event_counts["options_refused"]) == ("", 1)
    assert told(analysis) == told(analyze(str(path)))


def test_servers_that_several_judges_saw() -> None:
    """They are put together unless one was asked for that another has seen, wherever in the table."""
    one, two, joined = (Judge(FlowTracker()) for _ in range(3))
    half = len(one.servers) // 2
    one.servers[7] = two.servers[9] = 1234
    one.servers[half + 7] = one.servers[half + 8] = two.servers[half + 9] = 1
    assert joined.join_servers([one.servers, two.servers])
    assert np.flatnonzero(joined.servers).tolist() == [7, 9]
    two.servers[8] = 5678
    assert not joined.join_servers([one.servers, two.servers])


def later(record: build.Record, than_ns: int) -> build.Record:
    """The same, after that time."""
    return build.Record(record.data, record.time_ns - START_NS + than_ns + 1, record.length)


def test_interfaces_that_are_not_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their frames would have to be sorted, which may show in a range or between two."""
    path = tmp_path / "capture.pcapng"
    path.write_bytes(backwards(records("losses")))
    cut_at(monkeypatch, [path.stat().st_size // 2])
    analysis = analyze(str(path), cluster=Several(2))
    assert analysis.one_pass == "several interfaces were captured, and their frames are not in order of time"
    assert told(analysis) == told(analyze(str(path)))
    first, second = Bounds(0, 10), Bounds(9, 12)
    assert are_in_order([first, Bounds(10, 11)])
    assert not are_in_order([first, second])


def test_wrong_checksums_wherever_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some frames are changed, in payload, in checksums or anywhere behind Ethernet: all counts are those of one pass."""
    path = tmp_path / "capture.pcap"
    reasons = []
    for seed in range(8):
        random = Random(seed)
        found = list(records(random.choice(["losses", "windows"])))
        for at in random.sample(range(len(found)), random.choice([1, 4, 40])):
            data = bytearray(found[at].data)
            where = random.choice(
                [50, len(data) - 1, len(data) - 2, random.randrange(54 if seed % 2 else 34, len(data))]
            )
            data[min(where, len(data) - 1)] = random.choice([0, 0xFF, random.randrange(256)])
            found[at] = build.Record(bytes(data), found[at].time_ns, found[at].length)
        path.write_bytes(build.pcap(found))
        cut_at(monkeypatch, [random.randrange(path.stat().st_size) for _ in range(random.choice([1, 2, 6]))])
        analysis = analyze(str(path), cluster=Several(2))
        assert told(analysis) == told(analyze(str(path))), seed
        reasons.append(analysis.one_pass)
    assert 3 <= reasons.count("") < len(reasons), reasons


def test_a_wrong_segment_of_which_nothing_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What became of it may show at the end: a few ranges are read as one, and many are left to one pass."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap(lasting(records("losses"))))
    size = path.stat().st_size
    for pieces, reason in ((2, ""), (9, "what became of wrong checksums does not show wherever it is cut")):
        cut_at(monkeypatch, range(size // pieces, size - size // pieces + 1, size // pieces))
        analysis = analyze(str(path), cluster=Several(2))
        assert analysis.one_pass == reason
        assert told(analysis) == told(analyze(str(path)))


def test_fragments_on_both_sides_of_a_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ranges are read as one, if the fragments are no more than 30 seconds apart; what is complete does not matter."""
    found = [build.Record(each.data, START_NS + number) for number, each in enumerate(records("losses"))]
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap(fragmented(found)))
    for pieces, reason in ((2, ""), (9, "fragments of IP datagrams are missing wherever it is cut")):
        size = path.stat().st_size
        cut_at(monkeypatch, range(size // pieces, size - size // pieces + 1, size // pieces))
        analysis = analyze(str(path), cluster=Several(2))
        assert (analysis.one_pass, analysis.summary.layers["reassembled"]) == (reason, 1)
        assert told(analysis) == told(analyze(str(path)))


def test_what_cannot_be_cut(tmp_path: Path) -> None:
    """Compressed, alone."""
    path = written(tmp_path, "windows", "pcap")
    packed = tmp_path / "capture.pcap.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    analysis = analyze(str(packed), cluster=Several(2))
    assert (analysis.one_pass, told(analysis)) == ("it is compressed", told(analyze(str(packed))))


def test_a_file_that_was_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The damage stands where it does in one pass; one in the middle is left to that."""
    whole = written(tmp_path, "windows", "pcap").read_bytes()
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole[:-7])
    cut_at(monkeypatch, [len(whole) // 2])
    analysis = analyze(str(path), cluster=Several(2))
    assert (analysis.one_pass, analysis.is_damaged) == ("", True)
    assert told(analysis) == told(analyze(str(path)))
    path.write_bytes(whole[:24] + whole[24:32] + b"\xff" * 8 + whole[40:])
    analysis = analyze(str(path), cluster=Several(2))
    assert analysis.one_pass == "the file is damaged"
    assert told(analysis) == told(analyze(str(path)))


def rows_of(chain: str, folder: Path) -> Rows:
    """The packet rows of a chain, as one pass decodes them."""
    return analyze(str(written(folder, chain, "pcap")))._again("packets")


def test_rows_go_to_shares_and_come_back(tmp_path: Path) -> None:
    """Each row of a flow to the share of its tuple, whoever sent it; and all of it comes back that follow and judge read."""
    rows = rows_of("losses", tmp_path)
    rows["sack_left_1"][::7] = 5  # in the hot part of a row, though there is no other block
    writer = ShareWriter(tmp_path, 4)
    opening = [at for at in range(0, len(rows), 100) for at in (writer.add(rows[at : at + 100]) + at).tolist()]
    writer.close()
    assert opening == naive.opening(rows)
    expected = naive.shares(rows, 4)
    assert all(expected)
    for share in range(4):
        found = joined([part.copy() for part in rows_of_share([tmp_path], [1000], share)])
        mine = rows[expected[share]]
        assert (found["frame"] - 1000).tolist() == mine["frame"].tolist()
        assert (found["flow"] == -1).all() and (found["place"] == -1).all()
        for name in sorted(naive.READ - {"frame"}):
            assert np.array_equal(found[name], mine[name]), name


def test_whole_rows(tmp_path: Path) -> None:
    """For who predicts counters every column comes back, and rows without a flow have a share of their own."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(mixed_capture(3, 400, "pcap"))
    rows = analyze(str(path))._again("packets")
    writer = ShareWriter(tmp_path, 2, whole=True)
    writer.add(rows)
    writer.close()
    found = [[part.copy() for part in rows_of_share([tmp_path], [0], share)] for share in range(3)]
    counts = [sum(map(len, parts)) for parts in found]
    assert counts == [*map(len, naive.shares(rows, 2)), sum(not naive.has_flow(row) for row in rows)]
    assert counts[2] > 50
    together = np.concatenate([part for parts in found for part in parts])
    together = together[np.argsort(together["frame"])]
    others = {"flow", "place", "events", "wireshark", "direction", "reused", "unused"}
    for name in set(PACKETS.dtype.names or ()) - others:
        assert np.array_equal(together[name], rows[name]), name


def opened_below(folder: Path) -> list[str]:
    """The files of a folder that this process holds open to write."""
    numbers = (each.name for each in Path("/proc/self/fd").iterdir() if str(each.resolve()).startswith(str(folder)))
    flags = {number: Path(f"/proc/self/fdinfo/{number}").read_text() for number in numbers}
    return [number for number, text in flags.items() if int(re.findall(r"flags:\s*(\d+)", text)[0], 8) & os.O_ACCMODE]


def test_nothing_stays_open_behind_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of a range and of a share are closed, whatever ended the work on them."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(mixed_capture(3, 400, "pcap"))
    head = head_in(path.read_bytes())
    assert head is not None
    (wanted,) = ranges_of(str(path), head, [], path.stat().st_size)
    scatter(wanted.plain(), 2, False, [], str(tmp_path / "range"), whole=True)
    asked = {"tables": ("packets", "events", "series"), "every_ns": 50_000_000}

    def fails(*_: object) -> None:
        assert opened_below(tmp_path)
        raise CaptureError(str(path), "is bad", "give up")

    monkeypatch.setattr(ShareWriter, "add", fails)
    with pytest.raises(CaptureError, match="is bad"):
        scatter(wanted.plain(), 2, False, [], str(tmp_path / "again"))
    assert not opened_below(tmp_path)
    monkeypatch.setattr(Judge, "judged", fails)
    with pytest.raises(CaptureError, match="is bad"):
        judge([str(tmp_path / "range")], [0], 0, 0, 1000, str(tmp_path / "share"), beside=asked)
    assert not opened_below(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["capture.pcap", "range"]


def test_rows_of_a_file_that_was_changed(tmp_path: Path) -> None:
    """It is refused, whatever it holds."""
    writer = ShareWriter(tmp_path, 1)
    writer.add(rows_of("losses", tmp_path))
    writer.close()
    file = tmp_path / ROWS
    size = file.stat().st_size
    os.truncate(file, size - 8)
    with pytest.raises(CaptureError, match="is shorter than it was"):
        list(rows_of_share([tmp_path], [0], 0))
    file.write_bytes(b"\xff" * size)
    with pytest.raises(CaptureError, match="holds other rows than were written"):
        list(rows_of_share([tmp_path], [0], 0))


@pytest.mark.parametrize("sample", ["scripted/times-made-up.pcap", "clean-ipv4/client/capture.pcap"])
def test_summaries_of_ranges_join(sample: str) -> None:
    """Wherever a capture is cut once or twice, also behind its first frame: the counts of one pass, steps from range to range among them."""
    with open_capture([str(SAMPLES / sample)]) as capture:
        rows = joined([part.copy() for part in decoded(capture, None)])
    whole = Summary()
    whole.add(rows, 1)
    for first in range(1, min(len(rows), 9)):
        for second in {first + 1, first + 2, len(rows) - 1}:
            found = Summary()
            for part in (rows[:first], rows[first:second], rows[second:]):
                more = Summary()
                more.add(part, 1)
                assert found.join(more.counts())
            for name in found.counts():
                assert found.counts()[name].tolist() == whole.counts()[name].tolist() or name == "totals"
            for name in (*SUMS, "least_step_ns", "step_ns", "first_ns", "last_ns"):
                assert found.total(name) == whole.total(name), (first, second, name)


def test_all_that_is_read_is_kept() -> None:
    """No stage behind the shares reads a column of a row that they leave out."""
    read = set()
    for folder in ("flows", "events", "timing"):
        for file in (PACKAGE / folder).glob("*_kernel.py"):
            read |= set(re.findall(r'\brow\["(\w+)"\]', file.read_text()))
    columns = read & set(PACKETS.dtype.names or ()) - {"flow", "place", "direction", "events", "reused", "wireshark"}
    words = {TIME, INTERFACE, SACK, *range(ADDRESSES, ADDRESSES + 4), NUMBERS, STAMPS, PORTS, STATES, STATES + 1}
    kept = {
        name
        for name in columns
        if name in ("frame", *PACKED)
        or (PACKETS.dtype.fields or {})[name][1] // 8 in words
        or (PACKETS.dtype.fields or {})[name][1] >= PACKETS.hot_bytes
    }
    assert len(columns) > 30
    assert columns - kept - naive.OF_OTHERS == set()


def test_processes_end_before_their_folder_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one of them might still write there what nobody removes; also where it is broken off."""
    path = written(tmp_path, "losses", "pcap")
    monkeypatch.setattr(asked, "LEAST_IN_PARTS", 0)
    cut_at(monkeypatch, [path.stat().st_size // 2])
    begun: list[Processes] = []
    left: list[list[int]] = []

    class Watched(Processes):
        def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
            begun.append(self)
            for done in super().run(name, tasks):
                assert self.ids
                yield done
                raise KeyboardInterrupt

    real = asked.removed
    monkeypatch.setattr(asked, "Processes", Watched)
    monkeypatch.setattr(asked, "removed", lambda folder: (left.append(begun[0].ids), real(folder)))
    with pytest.raises(KeyboardInterrupt):
        analyze(path, jobs=3)
    assert left == [[]]
