"""A capture in, nanoseconds per frame of reading alone and of reading and decoding out, as JSON, kernels warm.

To be run as a process: `python -m tests.bench.stages CAPTURE FRAMES --warm-up SMALL [--runs N] [--scan]`. These few lines
are the only ones of the bench that know the library's own functions.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path


def scan(path: Path) -> None:
    """Find the records of a capture."""
    from analyzer.capture import open_capture

    with open_capture([path]) as capture:
        for _batch in capture:
            pass


def decode(path: Path) -> None:
    """Find the records of a capture and decode their headers."""
    from analyzer.capture import open_capture
    from analyzer.decode import decode as decode_batch

    with open_capture([path]) as capture:
        for batch in capture:
            decode_batch(batch, capture.interfaces)


def main() -> None:
    """Time the stages of one capture."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stages", description=main.__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("frames", type=int)
    parser.add_argument("--warm-up", type=Path, required=True, help="a small capture, to load the kernels with")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scan", action="store_true", help="also time the reading alone")
    options = parser.parse_args()
    stages = {"scan": scan, "decode": decode} if options.scan else {"decode": decode}
    times: dict[str, list[float]] = {name: [] for name in stages}
    for stage in stages.values():
        stage(options.warm_up)
    for _ in range(options.runs):
        for name, stage in stages.items():
            started = time.perf_counter_ns()
            stage(options.capture)
            times[name].append((time.perf_counter_ns() - started) / options.frames)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
