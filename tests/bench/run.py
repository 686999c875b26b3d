"""A command in, its wall time, CPU time and peak memory out: whole processes, one at a time, on one core."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .make import ROOT, Capture

TCPCAP = [sys.executable, "-m", "analyzer"]
SLICE = 100_000  # frames of a capture that a slow tool gets
PATIENCE_S = 20.0  # a run that took longer is not repeated
ENVIRONMENT = {"NUMBA_NUM_THREADS": "1"}
Log = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """One finished process; `failed` says what went wrong, if anything did."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    failed: str = ""


@dataclass(frozen=True)
class Tool:
    """A program and how it is called on a capture. A `slow` one gets a slice of large captures, and gets it once."""

    name: str
    command: tuple[str, ...]
    pipe: bool = False
    slow: bool = False

    @property
    def installed(self) -> bool:
        """Whether the program is there."""
        return shutil.which(self.command[0]) is not None

    def on(self, path: Path) -> list[str]:
        """The command for one capture."""
        return [word.format(file=path) for word in self.command]


TOOLS = (
    Tool("tcpcap", (*TCPCAP, "analyze", "{file}")),
    Tool("tcpcap-plain", (*TCPCAP, "analyze", "--no-checksums", "{file}")),
    Tool("tcpcap-pipe", (*TCPCAP, "analyze", "-"), pipe=True),
    Tool(
        "tshark",
        ("tshark", "-n", "-r", "{file}", "-c", str(SLICE), "-T", "fields", "-e", "tcp.analysis.flags"),
        slow=True,
    ),
    Tool("tcptrace", ("tcptrace", "-n", "{file}")),
    Tool("tcpdump", ("tcpdump", "-n", "-S", "-r", "{file}")),  # without -S it searches a long list for each frame
    Tool("capinfos", ("capinfos", "-cdaeuoyz", "{file}")),  # all but the hashes of the file
)


@dataclass
class Measured:
    """The runs of one tool on one capture; `frames` is how many of them it was given, `whole` whether that was all."""

    capture: str
    tool: str
    frames: int
    whole: bool = True
    runs: list[Run] = field(default_factory=list)
    note: str = ""

    def median(self, name: str) -> float | None:
        """The median of a figure over the runs that did not fail."""
        good = [getattr(run, name) for run in self.runs if not run.failed]
        return statistics.median(good) if good else None


def once(command: list[str], timeout_s: float, fed: Path | None = None) -> Run:
    """Run a command to its end; `fed` is a file that comes through a pipe, whose writer is not counted as CPU time."""
    environment = {**os.environ, **ENVIRONMENT}
    late = threading.Event()
    with tempfile.TemporaryFile() as complaints:
        started = time.perf_counter()
        feeder = subprocess.Popen(["cat", str(fed)], stdout=subprocess.PIPE) if fed else None
        source = feeder.stdout if feeder else subprocess.DEVNULL
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=source, stdout=subprocess.DEVNULL, stderr=complaints
        )
        if feeder and feeder.stdout:
            feeder.stdout.close()  # the reader alone holds it, so that `cat` ends when the reader does
        timer = threading.Timer(timeout_s, lambda: (late.set(), process.kill()))
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if feeder:
            feeder.wait()
        failed = ""
        if late.is_set():
            failed = f"more than {timeout_s:g} s"
        elif process.returncode:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().splitlines()
            failed = f"exit status {process.returncode}: {said[-1] if said else 'nothing said'}"
    return Run(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, failed)


def alternate(capture: Capture, tools: Iterable[Tool], runs: int, timeout_s: float, log: Log) -> list[Measured]:
    """Each tool on a capture `runs` times, in turns, with the file in the page cache."""
    warm(capture.path)
    measured = []
    for tool in tools:
        frames = min(capture.frames, SLICE) if tool.slow else capture.frames
        row = Measured(capture.name, tool.name, frames, frames == capture.frames)
        row.note = "" if tool.installed else "not installed"
        measured.append(row)
    for turn in range(runs):
        for tool, row in zip(tools, measured, strict=True):
            if row.note or (turn and not row.whole) or (turn and row.runs[0].wall_s > PATIENCE_S):
                continue
            fed = capture.path if tool.pipe else None
            run = once(tool.on(capture.path), timeout_s, fed)
            log(f"{capture.name} {tool.name}: {run.failed or f'{run.wall_s:.2f} s'}")
            row.runs.append(run)
            row.note = run.failed
    return measured


def warm(path: Path) -> None:
    """Read a file once, so that it comes from memory from now on."""
    buffer = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def pin() -> int | None:
    """Keep this process and all it starts on one core; its number, or None where that cannot be done."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def own_peak_mb() -> float:
    """The peak memory of this process: Linux credits a process it starts with at least as much."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
