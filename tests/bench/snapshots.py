"""Long logs of counters: how fast `tcpcap counters diff` reads one, and whether memory grows with it."""

from __future__ import annotations

import random
import statistics
import tempfile
from pathlib import Path

from .bars import Bar, GetCapture
from .run import TCPCAP, Log, once

SNAPSHOTS = 100_000
NAMES = ("IpInReceives", "IpInDelivers", "IpOutRequests", "TcpInSegs", "TcpOutSegs", "TcpRetransSegs", "IpExtInOctets")
COUNTERS = (*NAMES, *(f"TcpExtTCPName{number}" for number in range(33)))
NS_A_BYTE = 20.0  # 50 MB/s


def write_log(path: Path, snapshots: int) -> None:
    """A loop of `date +%s; nstat -a` on a busy host."""
    rng = random.Random(1)
    values = [rng.randrange(10**6) for _ in COUNTERS]
    with path.open("w") as file:
        for number in range(snapshots):
            values = [value + rng.randrange(50) for value in values]
            rows = "".join(f"{name:<32}{value:<16}   0.0\n" for name, value in zip(COUNTERS, values, strict=True))
            file.write(f"{1_795_200_000 + number}\n#kernel\n{rows}")


def snapshots_bar(get: GetCapture, runs: int, log: Log) -> list[Bar]:
    """A log of 100,000 snapshots, beside one of half as many and a short one."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {count: Path(folder, str(count)) for count in (2, SNAPSHOTS // 2, SNAPSHOTS)}
        measured = {}
        for count, path in paths.items():
            write_log(path, count)
            found = [once([*TCPCAP, "counters", "diff", str(paths[2]), str(path)], 600) for _ in range(runs)]
            measured[count] = found
            log(
                f"{count:,} snapshots: {found[0].failed or f'{found[0].cpu_s:.2f} s of CPU, {found[0].peak_mb:.0f} MB'}"
            )
        size = paths[SNAPSHOTS].stat().st_size
    failed = next((run.failed for each in measured.values() for run in each if run.failed), "")
    start_s, _, whole_s = (statistics.median(run.cpu_s for run in each) for each in measured.values())
    _, half_mb, whole_mb = (statistics.median(run.peak_mb for run in each) for each in measured.values())
    return bars(size, whole_s - start_s, half_mb, whole_mb, failed)


def bars(size: int, seconds: float, half_mb: float, whole_mb: float, failed: str = "") -> list[Bar]:
    """The promises about a log of so many bytes: the time that it takes beyond start-up, and its memory."""
    note = failed or f"{size / 1e6:.0f} MB, {size / 1e6 / seconds:.0f} MB/s"
    growth = failed or f"{half_mb:.0f} to {whole_mb:.0f} MB, twice as many"
    return [
        Bar("snapshots", "a log of nstat", NS_A_BYTE, "ns/byte", None if failed else seconds / size * 1e9, note),
        Bar(
            "snapshots",
            "memory for a longer log",
            5.0,
            "% more",
            None if failed else (whole_mb / half_mb - 1) * 100,
            growth,
        ),
    ]
