"""Capture points of which one capture is worse than it was: python -m tests.degraded [FOLDER]...

Every sample with two hosts (see tests/points.py) is analysed again with one capture degraded in each of the ways of DEGRADED:
nothing may then be claimed of the network that the lab did not do. The other capture is given as its bundle.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.points.passing import Passings
from analyzer.points.points import Points
from tests.helpers import SAMPLES
from tests.points import Frame, deeds_of, fates_of, hosts_of, two_hosts, written

Keep = Callable[[float, random.Random], bool]  # by the share of the capture's time, and draws of chance


@dataclass(frozen=True)
class Degraded:
    """How a capture is made worse: the frames that stay, how much of each, how often it is there, and how its clock is wrong."""

    keep: Keep = lambda share, draws: True
    snaplen: int = 1 << 16
    part: str = ""  # a filter; {port} and {address} are those of the first client
    times: int = 1
    shift_ns: int = 0
    drift: float = 0.0


DEGRADED = {
    "lossy 1%": Degraded(keep=lambda share, draws: draws.random() >= 0.01),
    "lossy 3%": Degraded(keep=lambda share, draws: draws.random() >= 0.03),
    "lossy 10%": Degraded(keep=lambda share, draws: draws.random() >= 0.1),
    "hole": Degraded(keep=lambda share, draws: not 1 / 3 < share < 2 / 3),
    "short hole": Degraded(keep=lambda share, draws: not 0.5 < share < 0.52),
    "late": Degraded(keep=lambda share, draws: share > 0.3),
    "early": Degraded(keep=lambda share, draws: share < 0.7),
    "snaplen 96": Degraded(snaplen=96),
    "snaplen 60": Degraded(snaplen=60),
    "one direction": Degraded(part="src host {address}"),
    "one port": Degraded(part="port {port}"),
    "doubled": Degraded(times=2),
    "shifted": Degraded(shift_ns=7_200_000_000_000, drift=1e-4),
}


def degraded(source: Path, target: Path, how: Degraded, seed: str) -> list[int]:
    """Write a capture of the lab degraded to `target`. Returns which frame of `source` each of its frames is."""
    packets = _analysed(source)[0].packets
    first, length = int(packets["time_ns"].iloc[0]), int(packets["time_ns"].iloc[-1] - packets["time_ns"].iloc[0])
    draws, kept = random.Random(seed), []
    some = None
    if how.part:
        openings = packets[packets["src_port"] > 0]
        if openings.empty:
            return []
        chosen = how.part.format(port=openings["src_port"].iloc[0], address=openings["src"].iloc[0])
        some = set(analyze(source, filter=chosen).packets["frame"])

    def keep(number: int, time_ns: int) -> bool:
        stays = how.keep((time_ns - first) / max(1, length), draws) and (some is None or number in some)
        kept.extend([number] * (stays * how.times))
        return stays

    def clock(time_ns: int) -> int:
        return time_ns + how.shift_ns + round((time_ns - first) * how.drift)

    written(source, target, keep, how.snaplen, clock, how.times)
    return kept


@cache
def _analysed(capture: Path) -> tuple[Analysis, Passings]:
    """A capture as it was, analysed once for all that is done to the other one."""
    passings = Passings()
    return analyze(capture, passings=passings), passings


def claimed_falsely(sample: Path, host: str, other: str, how: str, folder: Path) -> list[str]:
    """What is claimed of a sample with the capture of `host` degraded that the lab did not do, a sentence each."""
    path = folder / f"{host}.pcap"
    kept = degraded(sample / host / "capture.pcap", path, DEGRADED[how], f"{sample.name} {host} {how}")
    if not kept:
        return []
    known, passings = _analysed(sample / other)
    passed = Passings()
    found = fates_of(Points({host: analyze(path, passings=passed), other: known}, [passed, passings]))
    passed.close()
    done = deeds_of(sample)
    told = []
    for fate, frames in found.items():
        may = done["delayed"] if fate == "reordered" else set()
        named: set[Frame] = {(at, kept[frame - 1] if at == host else frame) for at, frame in frames}
        told += [f"{frame} is called {fate}" for frame in sorted(named - done[fate] - may)]
    return told


def sweep(folder: Path, kinds: Collection[str] = tuple(DEGRADED)) -> int:
    """Print what is claimed falsely; in how many runs something is."""
    bad = runs = 0
    for sample in two_hosts(folder):
        _analysed.cache_clear()
        hosts = hosts_of(sample)
        for host, other in (hosts, hosts[::-1]):
            for how in kinds:
                with tempfile.TemporaryDirectory() as room:
                    told = claimed_falsely(sample, host, other, how, Path(room))
                runs, bad = runs + 1, bad + bool(told)
                if told:
                    print(f"{sample.name}, {how} at {host}: {'; '.join(told[:6])}", flush=True)
    print(f"{bad} of {runs} runs claim what did not happen")
    return bad


if __name__ == "__main__":
    sys.exit(min(sum(sweep(Path(each)) for each in sys.argv[1:] or [SAMPLES]), 1))
