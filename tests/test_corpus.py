"""Odd captures of other projects, where they are at hand: each ends soon, says what it found, and counts frames as Wireshark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest

from analyzer.capture import open_capture
from analyzer.errors import CaptureError
from tests.each import for_each
from tests.tshark import frame_counts, needs_tshark

ROOT = Path(__file__).parent.parent
ODD = ROOT.parent / "shared" / "corpus" / "odd"
FILES = sorted(path for path in ODD.glob("*") if path.is_file() and path.suffix != ".md") if ODD.is_dir() else []
NAMES = [path.name for path in FILES]
DONE, NO_CAPTURE, DAMAGED = 0, 2, 3
SECONDS = 10
KIBIBYTES = 500 << 10

needs_corpus = pytest.mark.skipif(not FILES, reason="needs ../shared/corpus")


def frames_of(path: Path) -> tuple[int, int]:
    """Frames and damages, from the reader itself; (0, 1) for what is no capture."""
    try:
        with open_capture([path]) as capture:
            frames = sum(len(batch) for batch in capture)
            return frames, len(capture.damages)
    except CaptureError:
        return 0, 1


@needs_corpus
def test_the_corpus_is_of_some_size() -> None:
    """An empty list would let every other test pass."""
    assert len(FILES) > 67


@dataclass(frozen=True)
class Run:
    """How one command went."""

    status: int
    out: str
    err: str
    seconds: float  # of processor time
    kibibytes: int  # of memory at most


def run(command: list[str]) -> Run:
    """Run a command to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        texts = out.read().decode(), err.read().decode()
    return Run(process.returncode, *texts, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def run_on_each(*command: str) -> dict[str, Run]:
    """Run a command with each file as its last argument, on all processors.

    From processes of their own: a command's memory at most counts that of the process which starts it (`exec_mmap`).
    """
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("forkserver")) as pool:
        runs = pool.map(run, [[*command, str(path)] for path in FILES])
        return dict(zip(NAMES, runs, strict=True))


@pytest.fixture(scope="module")
def analyzed() -> dict[str, Run]:
    """`analyze` of every file, after one that compiles what is not compiled yet."""
    command = [sys.executable, "-m", "analyzer", "analyze"]
    run([*command, str(max(FILES, key=lambda path: path.stat().st_size))])
    return run_on_each(*command)


@pytest.fixture(scope="module")
def counted() -> dict[Path, int]:
    """Frames of the files that Wireshark reads to their ends."""
    found = frame_counts(FILES)
    assert len(found) > 50
    return found


@needs_corpus
@for_each("path", FILES)
def test_the_command_line_copes(path: Path, analyzed: dict[str, Run]) -> None:
    """`analyze` ends in time and memory with the status that fits, and without a traceback."""
    done = analyzed[path.name]
    assert "Traceback" not in done.err
    assert done.status in (DONE, NO_CAPTURE, DAMAGED), done.err[-2000:]
    frames, damages = frames_of(path)
    if done.out.startswith("No frame of this capture can be decoded"):
        assert done.status == NO_CAPTURE
        assert frames > 0
    elif done.status == NO_CAPTURE:
        assert (frames, damages) == (0, 1)
        assert path.name in done.err
        assert done.out == ""
    else:
        assert (done.status == DAMAGED) == bool(damages)
        assert done.out
    assert done.seconds < SECONDS
    assert done.kibibytes < KIBIBYTES


@needs_corpus
@needs_tshark
@for_each("path", FILES)
def test_frames_are_counted_as_tshark_does(path: Path, counted: dict[Path, int]) -> None:
    """Wherever Wireshark's library, which reads for tshark, comes to the end of the file."""
    frames, damages = frames_of(path)
    if path in counted:
        assert frames == counted[path]
        assert damages == 0
    else:
        assert frames + damages > 0


@needs_corpus
def test_json_of_a_damaged_capture() -> None:
    """The damage is in the machine-readable answer too."""
    path = next(path for path in FILES if frames_of(path)[0] > 0 and frames_of(path)[1] > 0)
    command = [sys.executable, "-m", "analyzer", "analyze", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == DAMAGED
    assert "damage" in json.dumps(json.loads(done.stdout))
