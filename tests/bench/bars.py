"""The bars tcpcap must meet, and the runs that tell: captures in, one `Bar` per promise out."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import sockets
from .make import ROOT, Capture
from .run import ENVIRONMENT, TCPCAP, TOOLS, Log, Measured, Run, alternate, once, warm

BUNDLE = ROOT / "samples" / "reorder-duplicate" / "server"
TOO_SHORT = "too few frames to tell"
GetCapture = Callable[[str], Capture]


@dataclass(frozen=True)
class Bar:
    """A promise: a figure that stays below a limit. One that could not be measured counts as missed."""

    name: str
    text: str
    limit: float
    unit: str
    measured: float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure is there and below the limit."""
        return self.measured is not None and self.measured < self.limit


def help_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """`tcpcap --help`, ten times."""
    return [_times("help", "tcpcap --help", 0.12, [once([*TCPCAP, "--help"], 60) for _ in range(11)][1:])]


def ten_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """Ten frames, and a bundle with counters: what every start costs."""
    ten = [once(TOOLS[0].on(get("ten").path), 60) for _ in range(runs + 1)][1:]
    failed = next((run.failed for run in ten if run.failed), "")
    peak = None if failed else statistics.median(run.peak_mb for run in ten)
    bundle = [once(TOOLS[0].on(BUNDLE), 60) for _ in range(runs + 1)][1:]
    return [
        _times("ten", "ten frames", 0.35, ten),
        Bar("ten", "ten frames, peak memory", 60.0, "MB", peak, failed),
        _times("bundle", "a bundle with counters", 0.4, bundle),
    ]


def compile_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """All kernels compiled, as the build of a wheel does: on all cores, though what else is measured has one."""
    code = "import os, sys; from pathlib import Path; from analyzer.accelerate.build import build; "
    code += (
        "hasattr(os, 'sched_setaffinity') and os.sched_setaffinity(0, range(os.cpu_count())); build(Path(sys.argv[1]))"
    )
    with tempfile.TemporaryDirectory() as empty:
        run = once([sys.executable, "-c", code, empty], 300)
    return [_times("compile", "compiling the kernels", 40.0, [run])]


def memory_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """The peak memory of a capture that fills all that is bounded, and of a longer one."""
    peaks, failed = [], ""
    captures = get("mtu"), get("longer")
    for capture in captures:
        warm(capture.path)
        run = once(TOOLS[0].on(capture.path), 3600)
        log(f"{capture.name}, {capture.size / 1e9:.2f} GB: {run.failed or f'{run.peak_mb:.0f} MB, {run.wall_s:.2f} s'}")
        peaks.append(run.peak_mb)
        failed = failed or run.failed
    return memory_bars(*peaks, captures[1].frames / captures[0].frames, failed)


def memory_bars(shorter_mb: float, longer_mb: float, times: float, failed: str = "") -> list[Bar]:
    """The two promises about memory: a size, and that it does not grow with the length of the capture."""
    size = Bar("memory", "peak memory", 400.0, "MB", None if failed else max(shorter_mb, longer_mb), failed)
    growth = (longer_mb / shorter_mb - 1) * 100
    note = failed or f"{shorter_mb:.0f} to {longer_mb:.0f} MB, {times:.2g} times"
    return [size, Bar("growth", "memory for a longer capture", 5.0, "% more", None if failed else growth, note)]


def million_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """The peak memory of a million connections at a time, none of which may leave early."""
    return [_peak("million", get, log)]


def flood_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """The peak memory of ten million half-open connections, of which most must leave."""
    return [_peak("flood", get, log)]


def speed_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """The whole program on mtu, beside tshark and tcptrace in turns."""
    tools = [tool for tool in TOOLS if tool.name in ("tcpcap", "tshark", "tcptrace")]
    measured = [row for name in ("mtu", "ten") for row in alternate(get(name), tools, runs, 300, log)]
    return speed_bars(measured)


def speed_bars(measured: list[Measured]) -> list[Bar]:
    """The promises about speed; tshark and tcptrace are what tcpcap's time is a share of.

    tshark is given a slice, so it is compared per frame and beyond start-up; tcptrace as a whole process.
    """
    wall_s = {(row.capture, row.tool): row.median("wall_s") for row in measured}
    frames = {row.tool: row.frames for row in measured if row.capture == "mtu"}
    failed = {row.tool: f"{row.tool}: {row.note}" for row in measured if row.note}

    def beyond(tool: str) -> float | None:
        """ns per frame without start-up, unless there are too few frames to tell."""
        long, start = wall_s.get(("mtu", tool)), wall_s.get(("ten", tool))
        return None if long is None or start is None or long <= start else (long - start) / frames[tool] * 1e9

    def share(tool: str, text: str, limit: float, ours: float | None, theirs: float | None, unit: str) -> Bar:
        """tcpcap's time as a percentage of another tool's."""
        if ours is None or theirs is None:
            return Bar(tool, text, limit, "%", None, failed.get("tcpcap") or failed.get(tool, TOO_SHORT))
        places = 2 if unit == "s" else 0
        note = f"{ours:,.{places}f} of {theirs:,.{places}f} {unit}, {theirs / ours:.1f} times as fast"
        return Bar(tool, text, limit, "%", ours / theirs * 100, note)

    ours, whole_s = beyond("tcpcap"), wall_s.get(("mtu", "tcpcap"))
    return [
        Bar("frame", "mtu, beyond start-up", 230.0, "ns/frame", ours, failed.get("tcpcap", "" if ours else TOO_SHORT)),
        share("tshark", "mtu, a frame beside tshark", 100 / 50, ours, beyond("tshark"), "ns/frame"),
        share("tcptrace", "mtu, whole beside tcptrace", 100 / 1.4, whole_s, wall_s.get(("mtu", "tcptrace")), "s"),
    ]


def checksum_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """What verifying checksums adds, with and without in turns."""
    tools = [tool for tool in TOOLS if tool.name in ("tcpcap", "tcpcap-plain")]
    return [cost_bar(alternate(get("mtu"), tools, max(runs, 5), 300, log))]


def cost_bar(measured: list[Measured]) -> Bar:
    """The promise about checksums: nanoseconds that they add to a frame."""
    text, limit = "mtu, verifying checksums", 90.0
    times = {row.tool: row.median("wall_s") for row in measured}
    with_s, without_s = times.get("tcpcap"), times.get("tcpcap-plain")
    if with_s is None or without_s is None:
        return Bar("checksums", text, limit, "ns/frame", None, "; ".join(row.note for row in measured if row.note))
    frames = next(row.frames for row in measured if row.tool == "tcpcap")
    note = f"{with_s:.2f} s with, {without_s:.2f} s without"
    return Bar("checksums", text, limit, "ns/frame", (with_s - without_s) / frames * 1e9, note)


def decode_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """Reading and decoding alone, in a process that did it once before."""
    times, failed = stage_times(get("mtu"), get("ten"), runs, scan=False)
    found = times.get("decode", [])
    note = failed or f"best {min(found):.0f}, median of {len(found)}"
    measured = statistics.median(found) if found else None
    return [Bar("decode", "reading and decoding mtu", 150.0, "ns/frame", measured, note)]


def stage_times(capture: Capture, ten: Capture, runs: int, scan: bool) -> tuple[dict[str, list[float]], str]:
    """ns per frame by stage and run, measured inside a child process; and what went wrong, if anything."""
    warm(capture.path)
    command = [sys.executable, "-m", f"{__package__}.stages", str(capture.path), str(capture.frames)]
    command += ["--warm-up", str(ten.path), "--runs", str(runs), *(["--scan"] if scan else [])]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
    if done.returncode:
        return {}, (done.stderr.strip().splitlines() or ["nothing said"])[-1]
    return json.loads(done.stdout), ""


def _peak(name: str, get: GetCapture, log: Log) -> Bar:
    """A promise about the peak memory on the capture of that name."""
    capture = get(name)
    warm(capture.path)
    run = once(TOOLS[0].on(capture.path), 3600)
    note = run.failed or f"{run.wall_s:.1f} s, {run.wall_s / capture.frames * 1e9:.0f} ns/frame"
    log(f"{name}: {note}, {run.peak_mb:.0f} MB")
    return Bar(name, f"{name}, peak memory", 1500.0, "MB", None if run.failed else run.peak_mb, note)


def _times(name: str, text: str, limit_s: float, runs: list[Run]) -> Bar:
    """A promise about the median wall time of some runs."""
    failed = next((run.failed for run in runs if run.failed), "")
    return Bar(name, text, limit_s, "s", None if failed else statistics.median(run.wall_s for run in runs), failed)


def sockets_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """Lists of a hundred thousand and of a million sockets: how fast they are read, and that memory does not grow."""
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for count in (100_000, 1_000_000):
            path = Path(folder, f"{count}.jsonl")
            sockets.write(path, count)
            command = [sys.executable, "-m", f"{__package__}.sockets", str(path)]
            done = subprocess.run(command, cwd=ROOT, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
            if done.returncode:
                return sockets_bars([], (done.stderr.strip().splitlines() or ["nothing said"])[-1])
            found.append(json.loads(done.stdout))
            log(f"{count:,} sockets: {found[-1]['cpu_s']:.2f} s, {found[-1]['peak_mb']:.0f} MB")
            path.unlink()
    return sockets_bars(found)


def sockets_bars(found: list[dict[str, float]], failed: str = "") -> list[Bar]:
    """The two promises: 50 MB a second, and memory that stays."""
    speed = growth = None
    note = failed
    if found:
        few, many = found
        speed = many["cpu_s"] / many["bytes"] * 1e9
        growth = (many["peak_mb"] / few["peak_mb"] - 1) * 100
        note = f"{many['bytes'] / many['cpu_s'] / 1e6:.0f} MB/s, {many['peak_mb']:.0f} MB"
    return [
        Bar("sockets", "a million sockets", 20.0, "ns/byte", speed, note),
        Bar("sockets-memory", "memory for ten times the sockets", 10.0, "% more", growth, failed),
    ]


BARS: dict[str, Callable[[GetCapture, int, Log], list[Bar]]] = {
    "help": help_bar,
    "ten-frames": ten_bar,
    "compile": compile_bar,
    "speed": speed_bar,
    "memory": memory_bar,
    "million": million_bar,
    "flood": flood_bar,
    "decode": decode_bar,
    "checksums": checksum_bar,
    "sockets": sockets_bar,
}
