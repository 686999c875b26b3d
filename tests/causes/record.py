"""A case and a seed go in; a folder with the bundles of both ends and `truth.json` comes out."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from samples.lab.lab import Lab

from .cases import CASES

TRUTH = "truth.json"
FIRST = os.sched_param(1)  # what a busy machine keeps from running delays frames, and nobody measures that


def record(case: str, seed: int, into: Path) -> Path:
    """Make the recording, in a folder below `into`."""
    os.sched_setscheduler(0, os.SCHED_RR, FIRST)  # a nice value counts within its session only (sched_autogroup)
    folder = into / f"{case}-{seed}"
    with Lab(folder, seed) as lab:
        truth = CASES[case](lab)
    (folder / TRUTH).write_text(json.dumps({cause: round(seconds, 6) for cause, seconds in truth.items()}) + "\n")
    return folder


def record_all(cases: Iterable[tuple[str, int]], into: Path, at_once: int = 1) -> Iterator[Path]:
    """Make several; each needs a main thread of its own, which moves between namespaces and holds signals back."""
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for future in [pool.submit(record, case, seed, into) for case, seed in cases]:
            yield future.result()
