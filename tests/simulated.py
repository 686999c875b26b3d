"""`python -m tests.simulated CAPTURE`: how long it would take so many cores to read a capture in parts, from how long each task takes one.

Each task is done here, one after the other, cut as for so many, and its processor time is taken: other programs do not disturb
it much. Then they are dealt out as the processes would take them. Beside it stands what the model of the page
`machines` says, which knows only sums.
"""

from __future__ import annotations

import argparse
import heapq
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.analysis import Analysis
from analyzer.cluster.executor import Here, Result, Task
from analyzer.run import analyze

CORES = (1, 2, 4, 8, 16, 32, 64)


class Timing(Here):
    """Does tasks for so many, and notes the seconds of each."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.seconds: dict[str, list[float]] = {}

    def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        before = time.process_time()
        for done in super().run(name, tasks):
            self.seconds.setdefault(name, []).append(time.process_time() - before)
            yield done
            before = time.process_time()


@dataclass(frozen=True, slots=True)
class Measured:
    """The seconds of one run in parts: of each task, of what one process does between and behind them, of another's start."""

    width: int
    tasks: dict[str, list[float]] = field(default_factory=dict)
    alone_s: float = 0
    start_s: float = 0

    @property
    def sum_s(self) -> float:
        """Of all tasks."""
        return sum(map(sum, self.tasks.values()))

    def simulated_s(self) -> float:
        """Until all is done, if so many do it as it was cut for."""
        starting = [0.0, *[self.start_s] * (self.width - 1)]
        ends = starting
        for seconds in self.tasks.values():
            ends = dealt(seconds, ends)
            ends = [max(ends)] * self.width  # those of one kind need all of the kind before
        return max(ends) + self.alone_s

    def model_s(self, one: Measured) -> float:
        """The same by sums alone: the tasks of `one` shared evenly, and for each more than it had a little, also to put it together."""
        more = sum(map(len, self.tasks.values())) - sum(map(len, one.tasks.values()))
        start = self.start_s if self.width > 1 else 0
        shared = one.sum_s + more * EACH_S + start * (self.width - 1)
        return shared / self.width + one.alone_s + more * JOIN_S


EACH_S, JOIN_S = 0.015, 0.002  # of a task, whatever it is about, and of its result


def dealt(seconds: Sequence[float], free: Sequence[float]) -> list[float]:
    """When each worker is done, if whoever is free first takes the next task; they are `free` from these moments on."""
    ends = list(free)
    heapq.heapify(ends)
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return ends


def measured(path: str, width: int, start_s: float) -> Measured:
    """Read a capture as it is cut for so many."""
    timing = Timing(width)
    before = time.process_time()
    found: Analysis = analyze(path, cluster=timing)
    assert found.one_pass == "", found.one_pass
    assert len(found.findings) >= 0
    spent = time.process_time() - before
    return Measured(width, timing.seconds, spent - sum(map(sum, timing.seconds.values())), start_s)


START = """
import sys, tempfile
from pathlib import Path
from analyzer.beginning import begin
begin()
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from analyzer.cluster.processes import Processes
from analyzer.cluster.ranges import Range
from analyzer.cluster.tasks import prepared
def spent():
    return sum(each.ru_utime + each.ru_stime for each in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))
prepared()
with tempfile.TemporaryDirectory() as folder:
    wanted = Range(sys.argv[1], 24, 24, Path(sys.argv[1]).stat().st_size, True)
    task = {"given": wanted.plain(), "shares": 2, "checking": True, "addresses": [], "folder": folder + "/range"}
    before = spent()
    with Processes(1) as processes:
        list(processes.run("scatter", [task]))
    print(spent() - before)
"""
SMALL = "samples/loss-ipv4/client/capture.pcap"


def start_of_a_process() -> float:
    """Seconds of processor time until a process is there, and has done a task of a few kilobytes."""
    done = subprocess.run([sys.executable, "-c", START, SMALL], stdout=subprocess.PIPE, check=True, text=True)
    return float(done.stdout)


def lines(runs: Sequence[Measured]) -> Iterator[str]:
    """The table, as Markdown."""
    yield "| cores | tasks | all tasks | longest | what one does alone | simulated | times as fast | model |"
    yield "|---|---|---|---|---|---|---|---|"
    one = runs[0]
    for run in runs:
        count, longest = sum(map(len, run.tasks.values())), max(map(max, run.tasks.values()))
        yield (
            f"| {run.width} | {count} | {run.sum_s:.2f} s | {longest:.3f} s | {run.alone_s:.2f} s | {run.simulated_s():.2f} s"
            f" | {one.simulated_s() / run.simulated_s():.1f} | {run.model_s(one):.2f} s |"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulated", description=main.__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--cores", type=int, nargs="+", default=list(CORES))
    options = parser.parse_args()
    path = str(options.capture)
    start_s = sorted(start_of_a_process() for _ in range(3))[1]
    measured(path, 2, start_s)  # so that all is loaded, and the file is in memory
    runs = [measured(path, cores, start_s) for cores in options.cores]
    print(f"start of a process: {start_s:.2f} s of its processor")
    print("\n".join(lines(runs)))


if __name__ == "__main__":
    main()
