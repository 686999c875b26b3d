"""`python -m tests.machines` (Linux, root): a dask cluster of machines that are network namespaces, each with a disk of its own, reads a capture in parts.

One has the scheduler and asks; two have workers, of which one is killed while both work. A ring of files of which each worker has a
part, and who asks nothing, is read where it lies. The answer must be that of one pass.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from tests import build
from tests.chained import chained
from tests.helpers import SAMPLES
from tests.house import ROOT

PREFIX = f"tcj{os.getpid() % 10_000}"
NET, PORT = "10.213.7", 8786
COPIES = 40  # of a sample, one after the other
BEGUN = "begun"  # a file that is there as soon as a range has been read
SCHEDULER = f"tcp://{NET}.1:{PORT}"
WITH_DISK = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


@dataclass(frozen=True, slots=True)
class Machine:
    """A network namespace, and the folder that its processes see as `place`."""

    space: str
    disk: Path
    place: Path

    def command(self, words: Sequence[str]) -> list[str]:
        """What runs a command there; `ip netns exec` gives it mounts of its own."""
        inside = ["sh", "-c", WITH_DISK, "sh", str(self.disk), str(self.place)]
        return ["ip", "netns", "exec", self.space, *inside, *words]

    def asked(self, *words: str) -> str:
        """What `analyze` below prints there."""
        run = [sys.executable, "-m", "tests.machines", *words]
        return subprocess.run(self.command(run), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    """Do it; 0 if all is as it should be."""
    with tempfile.TemporaryDirectory(prefix="tcpcap-machines-") as name, ExitStack() as stack:
        records = chained([SAMPLES / "loss-ipv4/client/capture.pcap"] * COPIES)
        content, quarter = build.pcap(records), -(-len(records) // 4)
        first, *others = stack.enter_context(machines(Path(name), 3))
        for each in (first, *others):
            (each.disk / "capture.pcap").write_bytes(content)
        listening = "--host", f"{NET}.1", "--port", str(PORT), "--no-dashboard"
        stack.enter_context(running(first, "scheduler", *listening))
        worker = "worker", SCHEDULER, "--nthreads", "1", "--no-nanny", "--no-dashboard"
        workers = [stack.enter_context(running(each, *worker)) for each in others]
        capture = str(first.place / "capture.pcap")
        alone = first.asked(capture)
        whole = first.asked(capture, SCHEDULER, "2")
        say("two machines", whole == alone)
        ring, on = [], []
        for at in range(4):
            name, number = f"ring_{at:05}.pcap", at % 2
            for each in (first, others[number]):
                (each.disk / f"tap{number}").mkdir(exist_ok=True)
                (each.disk / f"tap{number}" / name).write_bytes(build.pcap(records[at * quarter : (at + 1) * quarter]))
            ring.append(str(first.place / f"tap{number}" / name))
            on.append(f"{NET}.{2 + number}:{ring[-1]}")
        apart = first.asked(",".join(ring))
        for number in range(2):
            shutil.rmtree(first.disk / f"tap{number}")
        there = first.asked(",".join(on), SCHEDULER, "2")
        for name, path in zip(on, ring, strict=True):
            there = there.replace(name, path)
        say("each with files that nobody else has", there == apart)
        (first.disk / BEGUN).unlink()
        killing = Thread(target=kill_when_begun, args=(workers[1], first.disk / BEGUN))
        killing.start()
        after = first.asked(capture, SCHEDULER, "2")
        killing.join()
        say("one of them killed in the middle", after == alone)
        say("it did not come back", workers[1].poll() is not None)
        return 0 if whole == after == alone and there == apart and workers[1].poll() is not None else 1


def say(what: str, right: bool) -> None:
    """A line of the result."""
    print(f"{what}: {'as one pass' if right else 'NOT AS IT SHOULD BE'}", flush=True)


def analyze(paths: str, address: str | None = None, workers: str = "0") -> None:
    """In a machine: print the answer as JSON; of a cluster with so many workers, in ranges so small that each has some.

    `paths` have commas between them; those that lie elsewhere have their host before them.
    """
    from analyzer.analysis import Analysis
    from analyzer.cluster import ranges
    from analyzer.report.json_text import json_pieces
    from analyzer.run import analyze as run

    if address is None:
        found: Analysis = run(paths.split(","))
    else:
        from distributed import Client

        ranges.LEAST_RANGE = 1 << 16
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(int(workers))
            named = paths.split(",")
            given = {"on": named} if ":" in paths else {"paths": named}
            sign = (Path(named[0]).with_name(BEGUN),) if "paths" in given else ()
            found = run(**given, cluster=client, progress=lambda _: [each.touch() for each in sign])
        assert found.one_pass == "", found.one_pass
    sys.stdout.writelines(json_pieces(found))


@contextmanager
def machines(folder: Path, count: int) -> Iterator[list[Machine]]:
    """So many, on one network; nothing of them stays."""
    place = folder / "captures"
    place.mkdir()
    hub, made = f"{PREFIX}-hub", []
    try:
        ip("netns", "add", hub)
        ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        ip("-n", hub, "link", "set", "bridge", "up")
        for number in range(count):
            space, plug = f"{PREFIX}-{number}", f"port{number}"
            ip("netns", "add", space)
            ip("-n", hub, "link", "add", plug, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("-n", hub, "link", "set", plug, "master", "bridge", "up")
            ip("-n", space, "address", "add", f"{NET}.{1 + number}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                ip("-n", space, "link", "set", device, "up")
            disk = folder / f"disk-{number}"
            disk.mkdir()
            made.append(Machine(space, disk, place))
        yield made
    finally:
        for space in (hub, *(f"{PREFIX}-{number}" for number in range(count))):
            subprocess.run(["ip", "netns", "delete", space], stderr=subprocess.DEVNULL)


def ip(*words: str) -> None:
    """Run ip(8)."""
    subprocess.run(["ip", *words], check=True)


@contextmanager
def running(machine: Machine, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of dask in a machine, until it is not needed any more."""
    command = machine.command([sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]])
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def kill_when_begun(worker: subprocess.Popen[bytes], sign: Path) -> None:
    """Kill a worker as soon as there is a sign that work has begun."""
    while not sign.exists():
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(analyze(*sys.argv[1:]) if sys.argv[1:] else main())
