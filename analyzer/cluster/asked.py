"""`jobs`, `cluster` and `resume` of analyze(): who does the work, or why one process does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from analyzer.capture import Capture
from analyzer.capture.where import address_of
from analyzer.cluster.executor import Executor
from analyzer.cluster.kept import Kept
from analyzer.cluster.parted import NotInParts, Parted, Pass
from analyzer.cluster.processes import Processes
from analyzer.cluster.tabled import Parts
from analyzer.errors import UsageError
from analyzer.output import removed, temporary_folder

LEAST_IN_PARTS = 256 << 20  # bytes of a capture: of a smaller one, one process is done as soon as several are there
SMALL = "it is small, and one process is done as soon as several are there"
SMALL_FILES = "its files are small, and to begin so many ranges takes longer than to read them"
AHEAD_JOBS = 2  # so many cores one process keeps busy, which reads ahead
AHEAD_SHARE = 0.6  # of its work are one thread's
EACH_FILE = (
    6 << 20
)  # bytes that are read in the time that one more file takes, with all that is written of it and put together


def in_parts(
    capture: Capture,
    cluster: Any,
    jobs: int | None,
    resume: str | Path | None,
    reasons: list[str],
    then: Callable[[Parts], None] = lambda _: None,
    **asked: Any,
) -> tuple[Pass | None, str]:
    """What processes or machines find in parts, and where they leave what a next time goes on with; or why they do not.

    What they have written beside it is there for as long as `then` takes.
    """
    if resume == "":  # of which a Path would make the current folder
        raise UsageError("--resume", "an empty name", "name a folder")
    if resume is not None and cluster is None:
        jobs = jobs or os.cpu_count() or 1
    elif cluster is None and (jobs or 1) <= AHEAD_JOBS:
        return None, ""
    from analyzer.cluster.planned import why_whole

    reason = next(iter(reasons), "") or why_whole(capture)
    if not reason and cluster is None and resume is None:
        reason = why_small(capture, jobs or 1, LEAST_IN_PARTS)
    if reason:
        return None, reason
    paths = list(map(address_of, capture.paths))
    keeping: AbstractContextManager[Kept | None] = (
        nullcontext() if resume is None else Kept(Path(resume), capture.paths)
    )
    with keeping as kept:
        try:
            with (
                room_for(kept) as folder,
                executor_for(cluster, jobs or 1, paths, keeping=kept is not None) as executor,
                Parted(capture, executor, folder, **asked, kept=kept).running() as found,
            ):
                assert found.parts is not None
                then(found.parts)
        except NotInParts as error:
            capture.has_read(-capture.done)
            found, reason = None, str(error)
        if kept is not None:
            kept.drop()
    return found, reason


def why_small(capture: Capture, jobs: int, least: int, each_file: int = EACH_FILE) -> str:
    """Why one process is done with a capture as soon as so many; empty where it is not. `least` bytes are worth while as one file, and one more takes as long as `each_file` bytes."""
    size, more_files = capture.size or 0, len(capture.paths) - 1
    if size < least:
        return SMALL
    return SMALL_FILES if (size + more_files * each_file) / jobs > AHEAD_SHARE * size else ""


@contextmanager
def room_for(kept: Kept | None) -> Iterator[Path]:
    """Where tasks write: a temporary folder, if not that which keeps it. Who does tasks ends before it goes, else something might be written there behind it."""
    if kept is not None:
        yield kept.folder
        return
    folder = temporary_folder()
    try:
        yield folder
    finally:
        removed(folder)


@contextmanager
def executor_for(cluster: Any, jobs: int, paths: Sequence[str], *, keeping: bool) -> Iterator[Executor]:
    """Who does tasks for the files of a capture; what they write is to be kept here, or not."""
    if cluster is None:
        with Processes(jobs - 1, helping=True) as processes:
            yield processes
    elif hasattr(cluster, "run") and not hasattr(cluster, "scheduler_info"):
        yield cluster
    else:
        from analyzer.cluster.machines import connected

        with connected(cluster, paths) as machines:
            machines.keeps_rows = keeping
            yield machines
