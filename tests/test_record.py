"""`tcpcap record` on real interfaces: its bundles agree with the kernel, however it ends; and what cannot be recorded is one line."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from analyzer import analyze
from analyzer.cli import cli
from analyzer.cli.examples import EXAMPLES
from analyzer.correlate import BOUNDED, EXACT, INFERRED_RELATION, NOT_COMPARABLE, UNOBSERVABLE
from analyzer.correlate.coverage import needs_beginning
from analyzer.errors import TcpcapError, UsageError
from analyzer.record import plan, record, recorder
from analyzer.record.folder import Folder, made
from analyzer.record.host import parse_offloads
from analyzer.record.kernel import Counted, counted, parse_pairs, parse_tables, steady_ns
from analyzer.record.lines import Lines, line
from analyzer.record.namespace import RecordError, host_name
from analyzer.record.programs import program_of
from analyzer.record.script import script_of
from analyzer.record.signals import heard
from analyzer.record.tools import capturer
from analyzer.record.words import recorded_text
from samples.lab import tools
from samples.lab.hosts import Host
from samples.lab.lab import Lab
from samples.lab.traffic import connect
from tests.agreement import right
from tests.command import COMMAND, Ran, environment, run_here
from tests.helpers import interrupts_on
from tests.readme import FILES

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "samples" / "fast-retransmit" / "client"
needs_root = pytest.mark.skipif(
    bool(tools.missing()), reason=f"needs root and {', '.join(tools.NEEDED)}; this machine {tools.missing()}"
)
TIMEOUT_S = 30


def place(host: Host) -> str:
    """The path of a host's namespace, for whoever may read this process."""
    return f"/proc/{os.getpid()}/fd/{host.namespace}"


@dataclass
class Running:
    """A recording in a process of its own."""

    folder: Path
    process: subprocess.Popen[str]
    end: int = 0  # the signal that ends it; 0 where it ends by itself
    ran: Ran = field(init=False)

    def begun(self) -> None:
        """Wait until it has taken a snapshot."""
        until = time.monotonic() + TIMEOUT_S
        files = [self.folder / name for name in ("counters.jsonl", "counters.txt")]
        while not any(file.exists() and file.stat().st_size for file in files):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)

    def ended(self) -> Ran:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return Ran(self.process.returncode, out, err)


def started(host: Host, folder: Path, *options: str, end: int = 0) -> Running:
    """`tcpcap record` of a host, from where the test itself is."""
    given = ["-i", "eth0", "-o", str(folder), *([] if "--pid" in options else ["--netns", place(host)]), *options]
    command = [*COMMAND, "record", *given]
    return Running(folder, _process(command), end)


def _process(command: list[str]) -> subprocess.Popen[str]:
    with interrupts_on():
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
            start_new_session=True,
        )


def scripted(host: Host, folder: Path, duration: str | None = None, end: int = 0) -> Running:
    """The script, run by dash on the host."""
    file = folder.with_suffix(".sh")
    file.write_text(script_of(plan("eth0", folder, every="500ms", duration=duration)))
    with host.inside():
        return Running(folder, _process(["dash", str(file)]), end)


@contextlib.contextmanager
def talking(client: Host, server: Host) -> Iterator[None]:
    """A connection every 50 ms while the body runs."""
    over = threading.Event()
    failed: list[BaseException] = []

    def talk() -> None:
        port = 30000
        try:
            while not over.wait(0.05):
                port += 1
                connection = connect(client, server, 80, port)
                connection.upload(3000)
                connection.close()
        except BaseException as error:  # noqa: BLE001 for the test
            failed.append(error)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert failed == []


# Recordings of one host at the same time, by name: how each was started, and how it ends.
LONG = ("--every", "500ms")
Start = Callable[[Host, Path, int], Running]
ENDED: dict[str, Start] = {
    "interrupted": lambda host, path, _: started(host, path, *LONG, end=signal.SIGINT),
    "terminated": lambda host, path, _: started(host, path, *LONG, end=signal.SIGTERM),
    "hung up": lambda host, path, _: started(host, path, *LONG, end=signal.SIGHUP),
    "killed": lambda host, path, _: started(host, path, *LONG, end=signal.SIGKILL),
    "limit": lambda host, path, _: started(host, path, *LONG, "--until", "TcpOutSegs>1", "--after", "500ms"),
    "script interrupted": lambda host, path, _: scripted(host, path, end=signal.SIGINT),
    "script terminated": lambda host, path, _: scripted(host, path, end=signal.SIGTERM),
    "script killed": lambda host, path, _: scripted(host, path, end=signal.SIGKILL),
}
TIMED: dict[str, Start] = {
    "alone": lambda host, path, _: started(host, path, *LONG, "--duration", "4s"),
    "packed": lambda host, path, _: started(host, path, *LONG, "--duration", "4s", "--pack", "--name", "web01"),
    "dumpcap": lambda host, path, _: started(host, path, *LONG, "--duration", "4s", "--with", "dumpcap"),
    "ring": lambda host, path, _: started(host, path, "--every", "250ms", "--ring", "1s", "--duration", "5s"),
    "container": lambda host, path, pid: started(host, path, *LONG, "--duration", "4s", "--pid", str(pid)),
    "script": lambda host, path, _: scripted(host, path, "5s"),
}
KINDS = ENDED | TIMED
KILLED = ("killed", "script killed")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Running]:
    """All of them, ended; connections began when all of them did, and went on until the last one had ended."""
    root = tmp_path_factory.mktemp("recorded")
    with Lab(root) as lab:
        client, server = lab.direct_pair()
        with client.inside():
            container = subprocess.Popen(["sleep", "60"])
        every = {}
        try:
            for wave in (ENDED, TIMED):  # those that end by their time last: they have it when all have begun
                for name, start in wave.items():
                    every[name] = start(client, root / name.replace(" ", "-"), container.pid)
                for running in every.values():
                    running.begun()
            with talking(client, server):
                time.sleep(1.5)
                for running in every.values():
                    if running.end == signal.SIGINT:  # a terminal sends it to all that it sees
                        os.killpg(running.process.pid, running.end)
                    elif running.end:
                        running.process.send_signal(running.end)
                for running in every.values():
                    running.ran = running.ended()
                until = time.monotonic() + TIMEOUT_S
                while (
                    _working(root) and time.monotonic() < until
                ):  # what a killed recorder leaves behind ends by itself
                    time.sleep(0.05)
        finally:
            container.kill()
            container.wait()
            for running in every.values():
                if running.process.poll() is None:
                    running.process.kill()
                    running.process.communicate()
    return every


def _working(root: Path) -> bool:
    """Does any program have a file open there, or work there?"""
    for process in Path("/proc").glob("[0-9]*"):
        for link in (process / "cwd", *(process / "fd").glob("*")):
            with contextlib.suppress(OSError):
                if link.readlink().is_relative_to(root) and process.name != str(os.getpid()):
                    return True
    return False


def bundle(running: Running) -> Path:
    """What the recording made."""
    packed = running.folder.with_name(running.folder.name + ".tar.zst")
    return packed if packed.exists() else running.folder


@needs_root
@pytest.mark.parametrize("name", KINDS)
def test_counters_are_what_the_packets_say(name: str, recorded: dict[str, Running]) -> None:
    """Over the whole time and in every interval, whatever ended the recording; nothing was lost, and that is known."""
    running = recorded[name]
    analysis = analyze(bundle(running))
    comparison = analysis.comparison
    assert comparison is not None, running.ran
    assert comparison.coverage().complete, comparison.coverage().reason
    for rows in (comparison.whole(), comparison.rows()):
        decided = [each for each in rows if each.relation not in (INFERRED_RELATION, UNOBSERVABLE)]
        if name == "ring":  # it begins in the middle of connections, of which not all is known
            decided = [each for each in decided if not needs_beginning(each.counter)]
        assert [each for each in decided if not right(each) or each.verdict == NOT_COMPARABLE] == []
    claimed = (EXACT, BOUNDED) if name.startswith("script") else (EXACT,)  # by the times that a shell has
    assert sum(each.relation in claimed and each.observed > 0 for each in comparison.whole()) > 8
    drops = {key: value for key, value in analysis.drops.items() if value is not None and "received" not in key}
    assert set(drops.values()) == (set() if name in KILLED else {0})
    assert analysis.has_sockets
    assert analysis.is_damaged == (name in KILLED)
    assert any("not brought to its end" in text for text in analysis.warnings) == (name in KILLED)


@needs_root
def test_how_recordings_end(recorded: dict[str, Running]) -> None:
    """Status and reason; nobody still captures, and nothing that is not part of the bundle is left."""
    reasons = {
        "alone": "its time was over",
        "interrupted": "SIGINT",
        "terminated": "SIGTERM",
        "hung up": "SIGHUP",
        "limit": "TcpOutSegs rose by",
        "script": "its time was over",
        "script interrupted": "a signal",
        "script terminated": "a signal",
    }
    for name, running in recorded.items():
        assert running.ran.status == (-signal.SIGKILL if name in KILLED else 0), running.ran
        assert reasons.get(name, "") in running.ran.out
        assert "recording eth0 into" in running.ran.err
        files = {file.name for file in running.folder.iterdir()} if running.folder.exists() else set()
        assert all(file.startswith(("capture", "counters.", "sockets.", "host.json", "tcpdump.txt")) for file in files)
        assert not _working(running.folder)


@needs_root
def test_what_host_json_tells(recorded: dict[str, Running]) -> None:
    """Addresses, offloads, routes, queues, settings; no keys. A container goes by its name, a namespace by what it is told."""
    host = json.loads((recorded["alone"].folder / "host.json").read_text())
    eth0 = next(each for each in host["interfaces"] if each["name"] == "eth0")
    assert eth0["addresses"] == ["10.0.0.1/24"]
    assert eth0["offloads"]["tx-checksumming"] is True
    assert host["iproute2"].startswith("ip utility")
    assert host["routes"]["4"][0]["dst"] == "10.0.0.0/24"
    assert {each["dev"] for each in host["queues"]} == {"lo", "eth0"}
    assert host["sysctls"]["net.ipv4.tcp_rmem"].count(" ") == 2
    assert [name for name in host["sysctls"] if name.endswith("key")] == []
    assert host["recording"]["frames"] > 50
    scripted = json.loads((recorded["script"].folder / "host.json").read_text())
    own = ["name", "mac", "mtu", "addresses"]
    expected = [{name: each[name] for name in own} for each in host["interfaces"]]
    for each in (*expected, *scripted["interfaces"]):
        each["addresses"] = [text for text in each["addresses"] if ":" not in text]
    assert scripted["interfaces"] == expected
    same = scripted["sysctls"].keys() & host["sysctls"].keys()
    assert len(same) > 100
    assert {name: scripted["sysctls"][name] for name in same} == {name: host["sysctls"][name] for name in same}
    assert analyze(bundle(recorded["packed"])).host_name == "web01"


@needs_root
def test_a_ring_keeps_the_end(recorded: dict[str, Running]) -> None:
    """What is older than it is gone, of frames and of snapshots."""
    folder = recorded["ring"].folder
    lines = [json.loads(line)["time"] for line in (folder / "counters.jsonl").read_text().splitlines()]
    assert 0.99 <= lines[-1] - lines[0] < 2.0  # of two clocks, read one after the other
    assert len(list(folder.glob("capture-*.pcap"))) in (2, 3, 4)
    summary = analyze(folder).summary
    assert summary.total("last_ns") - summary.total("first_ns") < 4e9


# What cannot be recorded


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Host]:
    """A host that talks to nobody, with an interface that leads nowhere."""
    with Lab(tmp_path) as lab:
        (host,) = lab.hosts("host", cable=True)
        host.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        host.run("ip", "link", "set", "eth1", "up")
        host.add_interface("eth0", host.address, host.mac)
        yield host


@needs_root
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-i", "eth9"], "-i: no interface 'eth9' here; did you mean eth1 or eth0?"),
        (["--filter", "foo bar"], "can't parse filter expression: syntax error; see pcap-filter(7)"),
        (["--filter", "foo bar", "--with", "dumpcap"], "syntax error"),
        (["--until", "TcpRetrans>1"], "no counter 'TcpRetrans' here; did you mean TcpRetransSegs"),
        (["-i", "off0"], "That device is not up; switch it on: ip link set off0 up"),
    ],
)
def test_refused(
    options: list[str], said: str, lonely: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and without a trace."""
    lonely.run("ip", "link", "add", "off0", "type", "veth", "peer", "name", "off1")
    folder = tmp_path / "incident"
    given = ["-i", "eth0", "-o", folder, "--netns", place(lonely), "--duration", "1s", *options]
    ran = run_here("record", *given, capsys=capsys)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err
    assert not folder.exists()


@needs_root
@pytest.mark.parametrize(
    ("without", "options", "said"),
    [
        ("net_raw", [], "the kernel does not let this user capture"),
        (
            "sys_admin",
            ["--netns", "/proc/self/ns/net"],
            "cannot be entered (setns: Operation not permitted); run it as root",
        ),
        ("sys_ptrace,-sys_admin", ["--pid", "1"], "--pid: permission denied; run it as root"),
    ],
)
def test_without_privilege(without: str, options: list[str], said: str, tmp_path: Path) -> None:
    """What is needed is said."""
    folder = tmp_path / "incident"
    command = ["setpriv", f"--bounding-set=-{without}", *COMMAND, "record", "-i", "lo", "-o", str(folder), *options]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=30, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert said in ran.stderr
    assert not folder.exists()


def test_without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """How to install what is missing."""
    monkeypatch.setattr(shutil, "which", lambda name, path=None: "/sbin/apk" if name == "apk" else None)
    with pytest.raises(RecordError, match=r"^tcpdump: not installed; install it: apk add tcpdump$"):
        capturer()
    with pytest.raises(RecordError, match=r"^dumpcap: not installed; install it: apk add wireshark-common$"):
        capturer("dumpcap")


@needs_root
def test_an_interface_that_goes(lonely: Host, tmp_path: Path) -> None:
    """What was recorded stays."""
    running = started(lonely, tmp_path / "incident")
    running.begun()
    lonely.run("ip", "link", "delete", "eth0")
    ran = running.ended()
    assert (ran.status, "early: eth0 is gone" in ran.out) == (3, True)
    host = json.loads((running.folder / "host.json").read_text())
    assert (host["recording"]["cut"], host["recording"]["ended_by"]) == (True, "eth0 is gone")


@needs_root
@pytest.mark.parametrize(("step_s", "cut"), [(-7200, True), (7200, False)])
def test_a_clock_that_is_set(
    step_s: int, cut: bool, lonely: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back: the recording ends, since what follows would stand before the rest. Forward: it is said."""
    calls: list[int] = []

    def shifted() -> Counted:
        calls.append(1)
        now = counted()
        return now._replace(time_ns=now.time_ns + (step_s * 10**9 if len(calls) > 4 else 0))

    monkeypatch.setattr(recorder, "counted", shifted)
    found = record(plan("eth0", tmp_path / "incident", netns=place(lonely), duration="600ms", every="100ms"))
    assert found.cut == cut
    told = found.ended_by if cut else found.notes[0]
    assert told.startswith(f"the clock was set {'back' if cut else 'forward'} by 2.0 h")
    assert found.snapshots == (3 if cut else 7)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@needs_root
def test_a_disk_that_fills(lonely: Host, small: Path) -> None:
    """The recording ends while there is some room; a line for which there is none is taken back; then nothing begins."""
    running = started(lonely, small / "incident", "--every", "100ms")
    running.begun()
    filler = (small / "filler").open("wb")
    with filler:
        os.posix_fallocate(filler.fileno(), 0, 10 << 20)
    ran = running.ended()
    assert (ran.status, "early: the disk is nearly full" in ran.out) == (3, True)
    lines = Lines(small / "lines")
    with (small / "filler").open("ab") as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(1 << 20))
            filler.flush()
    os.truncate(small / "filler", (small / "filler").stat().st_size - (64 << 10))
    with pytest.raises(OSError) as failed:
        for _ in range(100):
            lines.add(1, 1, text="x" * 3000)
    lines.close()
    assert failed.value.errno == errno.ENOSPC
    kept = (small / "lines").read_text()
    assert kept.count("\n") == lines.count > 0
    assert kept.endswith('"}\n')
    with pytest.raises(RecordError, match=r"are free there, and 33.6 MB are left to others; make room"):
        record(plan("eth0", small / "again", netns=place(lonely), duration="1s"))


# What needs no privilege


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"duration": "soon"}, "--duration: 'soon' is no length of time"),
        ({"every": "1ms"}, "--every: '1ms' is too often"),
        ({"rotate": "1kB"}, "--rotate: '1kB' is too small"),
        ({"rotate": "much"}, "--rotate: 'much' is no size"),
        ({"ring": "1s"}, "--ring: '1s' holds no two snapshots"),
        ({"snaplen": 20}, "--snaplen: 20 bytes hold no headers"),
        ({"until": "TcpRetransSegs"}, "--until: 'TcpRetransSegs' is no limit"),
        ({"netns": "a", "pid": 1}, "--pid: beside --netns"),
    ],
)
def test_what_cannot_be_planned(options: dict[str, Any], said: str) -> None:
    """The option, and what it takes."""
    with pytest.raises(UsageError) as refused:
        plan("eth0", "incident", **options)
    assert str(refused.value).startswith(said)


def test_a_plan() -> None:
    """Sizes in decimal units; a folder with the ending of a packed one is packed."""
    found = plan("eth0", "a/b.tar.zst", rotate="1.5MB", ring="10m", until="TcpOutRsts > 2.5/s", after="1m")
    assert (found.folder, found.pack, found.packed) == (Path("a/b"), Path("a/b.tar.zst"), True)
    assert (found.rotate, found.ring_ns) == (1_500_000, 600 * 10**9)
    assert found.limit is not None
    assert (found.limit.rate, found.limit.after_ns) == (2.5, 60 * 10**9)
    assert found.limit.passed(6, 2 * 10**9)
    assert not found.limit.passed(5, 2 * 10**9)


def test_examples_are_right() -> None:
    """What the pages and the help show can be planned."""
    command = cli.commands["record"]
    texts = *(file.read_text() for file in FILES), "\n".join(EXAMPLES["record"])
    shown = [row for text in texts for row in text.splitlines() if "tcpcap record -i" in row]
    assert len(shown) >= 8
    for row in shown:
        words = shlex.split(row, comments=True)
        words = words[words.index("record") + 1 :]
        given = command.make_context("record", list(takewhile(lambda word: word[0] not in "|>", words))).params
        assert given.pop("script") == ("--script" in words)
        assert plan(**given).interface == "eth0"


def test_times_keep_nine_places() -> None:
    """A float would keep six of them."""
    text = line(1_763_660_000_000_000_007, counters={"IpInReceives": 7})
    read = json.loads(text, parse_float=Decimal)
    assert read == {"time": Decimal("1763660000.000000007"), "counters": {"IpInReceives": 7}}


def test_counters_have_the_names_of_nstat() -> None:
    """Settings and gauges are left out, as nstat does."""
    text = "Ip: Forwarding InReceives\nIp: 1 23\nTcpExt: TCPDSACKRecv\nTcpExt: 7\nTcp: MaxConn InSegs\nTcp: -1 5\n"
    assert parse_tables(text) == {"IpInReceives": 23, "TcpExtTCPDSACKRecv": 7, "TcpInSegs": 5}
    assert parse_pairs("Ip6InReceives                   \t11\n") == {"Ip6InReceives": 11}


def test_offloads() -> None:
    """Those that change what a capture shows."""
    text = "Features for eth0:\ntx-checksumming: off [fixed]\n\ttx-checksum-ipv4: on\nhighdma: on\n"
    assert parse_offloads(text) == {"tx-checksumming": False}


@pytest.mark.parametrize(
    ("program", "said", "expected"),
    [
        ("tcpdump", "50 packets captured|53 packets received by filter|1 packet dropped by kernel", (50, 53, 1)),
        (
            "tcpdump",
            "tcpdump: 5 packets captured, 6 packets received by filter, 0 packets dropped by kernel",
            (5, 6, 0),
        ),
        ("tcpdump", "1 packet captured|2 packets dropped by kernel|3 packets dropped by interface", (1, -1, 2)),
        ("tcpdump", "listening on eth0", (-1, -1, -1)),
        ("dumpcap", "Packets captured: 4|Packets received/dropped on interface 'eth0': 4/2 (pcap:2)", (4, 4, 2)),
    ],
)
def test_last_words_of_programs(program: str, said: str, expected: tuple[int, int, int]) -> None:
    """How many frames they captured, received and dropped; -1 where they do not say. What a card drops no capture has lost."""
    made = program_of(plan("eth0", "incident", program=program))
    found = made.tallied(said.split("|"))
    assert (found.captured, found.received, found.dropped) == expected


def test_lines_of_a_ring(tmp_path: Path) -> None:
    """The file is replaced now and then; an interval that reaches into the ring keeps its beginning."""
    lines, sizes = Lines(tmp_path / "lines", ring_ns=100), []
    for now in range(0, 1000, 10):
        lines.add(now, now, value=now)
        sizes.append(lines.count)
    lines.close()
    times = [round(json.loads(line)["time"] * 1e9) for line in (tmp_path / "lines").read_text().splitlines()]
    assert times == list(range(times[0], 1000, 10))
    assert 1000 - 10 - 125 <= times[0] <= 1000 - 10 - 100
    assert max(sizes) <= 14
    assert [file.name for file in tmp_path.iterdir()] == ["lines"]


def test_files_of_a_ring(tmp_path: Path) -> None:
    """A file leaves when all its frames are too old: when the next one was begun so long ago, and a quarter more."""
    folder = Folder(plan("eth0", tmp_path, ring="100s"))
    for second in range(0, 300, 10):
        if second % 20 == 0:
            file = tmp_path / f"capture-{second:03}.pcap"
            file.touch()
            os.utime(file, (second, second))
        folder.prune(second * 10**9)
    folder.close()
    assert [file.name for file in folder.captures()] == [f"capture-{second}.pcap" for second in range(160, 300, 20)]


def test_the_script_is_sound() -> None:
    """shellcheck finds nothing, and what is not planned for it is refused."""
    text = script_of(plan("eth0", "it's here", filter='tcp port 80 and not host "a"', duration="1500ms"))
    assert "folder='it'\"'\"'s here'\n" in text
    assert "duration=2\n" in text
    done = subprocess.run(["shellcheck", "-s", "sh", "-"], input=text, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)
    with pytest.raises(UsageError, match="does not know --ring and --pack"):
        script_of(plan("eth0", "x", ring="10m", pack=True))


def test_a_filter_is_no_option() -> None:
    """Neither for a program nor for the script, whatever it begins with."""
    planned = plan("eth0", "incident", filter="-w/etc/passwd")
    assert program_of(replace(planned, program="tcpdump")).command[-2:] == ("--", "-w/etc/passwd")
    assert '"$@" -- "$filter"' in script_of(planned)
    assert "every=1000000000\n" in script_of(plan("eth0", "incident", every="1000000000s"))


@needs_root
def test_what_a_container_is_called(tmp_path: Path) -> None:
    """The kernel's word for it: a file of a container may be a link to one of this host."""
    with subprocess.Popen(
        ["unshare", "--uts", "sh", "-c", "hostname web01; echo; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as container:
        assert container.stdout is not None and container.stdout.read(1) == b"\n"
        assert host_name(container.pid) == "web01"
        assert os.uname().nodename != "web01"
        container.kill()
    assert host_name(1 << 30) == ""


def test_a_machine_that_sleeps() -> None:
    """Its time counts: as /proc/uptime has it. Nobody waits longer than a minute without a look at it."""
    assert abs(steady_ns() / 1e9 - float(Path("/proc/uptime").read_text().split()[0])) < 1
    with heard() as bell:
        bell.ring()
        bell.wait(1e15)


def little_room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """So many bytes are free, wherever that is asked."""
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))


def test_nothing_is_left_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the folder nor those above it that were made for it."""
    little_room(monkeypatch, 1000)
    with pytest.raises(RecordError, match=r"1.00 kB|1 kB"), made(plan("lo", tmp_path / "a" / "b" / "incident")):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("why", ["full", "there", "over", ""])
def test_packing(why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it fails or is interrupted the folder is as it was, and it is said; a link to a folder stays one."""
    shutil.copytree(SAMPLE, tmp_path / "real")
    (tmp_path / "incident").symlink_to("real")
    before = {file.name: file.read_bytes() for file in (tmp_path / "real").iterdir()}
    planned = plan("lo", tmp_path / "incident", pack=True)
    found = recorder.Recorded(planned.folder)
    if why == "full":
        little_room(monkeypatch, 1 << 20)
    if why == "there":
        planned.pack.write_text("mine")
    with heard() as bell:
        if why == "over":
            signals = iter([[], ["SIGINT"]])
            monkeypatch.setattr(type(bell), "signals", property(lambda _: next(signals, ["SIGINT"])), raising=False)
        recorder._pack(planned, found, bell)
    if why:
        said = {"full": "No space left on device", "there": "is there already", "over": "was interrupted"}[why]
        assert said in found.unpacked and said in recorded_text(found).replace("\n             ", "")
        assert {file.name: file.read_bytes() for file in (tmp_path / "real").iterdir()} == before
        assert found.path == planned.folder
        left = {"incident.tar.zst"} if why == "there" else set()
    else:
        assert (found.unpacked, found.path) == ("", planned.pack)
        assert analyze(found.path).summary.total("frames") == analyze(SAMPLE).summary.total("frames")
        left = {"incident.tar.zst"}
    assert {file.name for file in tmp_path.iterdir()} == {"real", "incident"} | left


def test_what_a_ring_tells() -> None:
    """Its numbers are of the whole time, and its files are not: that is said."""
    text = recorded_text(recorder.Recorded(Path("x"), frames=5000, dropped=0, ring_ns=60 * 10**9))
    assert "the last 60 s, and up to a quarter more; frames and drops" in text


# What is read of it


def test_what_a_loss_of_power_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A frame and two lines that are half written, and no end: all before them is read, each of it is said, and the status tells."""
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "incident"))
    for name, cut in (("capture.pcap", 10), ("counters.jsonl", 300), ("sockets.jsonl", 20)):
        os.truncate(folder / name, (folder / name).stat().st_size - cut)
    host = json.loads((folder / "host.json").read_text())
    host["recording"] = {"interface": "eth0", "filter": "tcp", "begun": 1.5, "ended": None}
    (folder / "host.json").write_text(json.dumps(host))
    ran = run_here("analyze", folder, "--json", capsys=capsys)
    found = json.loads(ran.out)
    said = "\n".join(found["warnings"])
    assert ran.status == 3
    for words in (
        "capture.pcap: byte",
        "counters.jsonl: damaged JSON lines left out: 1",
        "sockets.jsonl: line",
        "not brought to its end",
    ):
        assert words in said
    assert found["capture"]["interfaces"][0]["filter"] == "tcp"
    assert found["capture"]["interfaces"][0]["name"] == "eth0"
    assert "filtered" in {each["fact"] for each in found["capture_facts"]}


@pytest.mark.parametrize(
    ("recording", "dropped", "damaged"),
    [
        ({"ended": 2.5, "dropped": 7}, 7, False),
        ({"ended": 2.5, "cut": True, "ended_by": "eth0 is gone"}, None, True),
        ({"ended": 2.5, "dropped": -1}, None, False),
        ({"dropped": "many"}, None, False),
        ("soon", None, False),
    ],
)
def test_what_host_json_says_of_the_recording(
    recording: Any, dropped: int | None, damaged: bool, tmp_path: Path
) -> None:
    """Its drops make nothing exact; what is no statement is none."""
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "incident"))
    host = json.loads((folder / "host.json").read_text()) | {"recording": recording}
    (folder / "host.json").write_text(json.dumps(host))
    analysis = analyze(folder)
    assert analysis.drops.get("counted_by_the_recorder") == dropped
    assert analysis.is_damaged == damaged
    assert any("eth0 is gone" in text for text in analysis.warnings) == damaged
    assert any("dropped 7 packets" in text for text in analysis.warnings) == (dropped == 7)


@pytest.mark.parametrize("there", ["incident", "incident.tar.zst", "incident/notes.txt"])
def test_what_is_there_stays(there: str, tmp_path: Path) -> None:
    """Nothing is recorded into a folder that holds something, or over a file."""
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")
    with pytest.raises(TcpcapError, match="is there already; name another folder with -o, or remove it"):
        record(plan("lo", tmp_path / "incident", pack=True, duration="1s"))
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("name", ["counters.jsonl", "sockets.jsonl"])
def test_a_recording_that_ended_before_its_first_snapshot(name: str, tmp_path: Path) -> None:
    """Its files were made by then, and are empty: all else is read, and that is said."""
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "incident"))
    frames = analyze(folder).capture["frames"]
    (folder / name).write_bytes(b"")
    found = analyze(folder)
    assert found.capture["frames"] == frames > 0
    assert [text for text in found.warnings if name in text and "before it took its first snapshot" in text]
