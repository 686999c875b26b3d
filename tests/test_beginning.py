"""How a process of its own begins and leaves; another's Python is left as it is."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest

from analyzer.beginning import OLDER, OLDEST, YOUNG
from tests.command import COMMAND, environment
from tests.house import ROOT

TOLD = """
import gc, json, os
{before}
import numpy
print(json.dumps([os.environ.get("OPENBLAS_NUM_THREADS"), gc.get_threshold(), len(os.listdir("/proc/self/task"))]))
"""
ENDS = """
import atexit, sys
from analyzer.ending import run
def command():
    atexit.register(print, "at exit")
    print("said")
    {end}
run(command)
"""


def told(before: str, **variables: str) -> list[object]:
    """How many threads algebra may have, the thresholds of garbage, and how many threads there are once NumPy is imported."""
    known = {name: value for name, value in environment().items() if name != "OPENBLAS_NUM_THREADS"} | variables
    code = TOLD.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=known, capture_output=True, text=True, check=True)
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")
def test_what_begins_starts_no_threads() -> None:
    """But for those that the environment asks for; and looks for garbage seldom."""
    begins = "from analyzer.beginning import begin; begin()"
    assert told(begins) == ["1", [YOUNG, OLDER, OLDEST], 1]
    assert told(begins, OPENBLAS_NUM_THREADS="2")[0] == "2"
    assert told("import analyzer; analyzer.analyze")[:2] == [None, list(fresh_threshold())]


def fresh_threshold() -> tuple[int, int, int]:
    """That of a Python in which nothing has happened yet."""
    code = "import gc; print(*gc.get_threshold())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second, third = map(int, done.stdout.split())
    assert (first, second, third) != gc.get_threshold()
    return first, second, third


@pytest.mark.parametrize(
    ("end", "status"), [("return None", 0), ("return 3", 3), ("sys.exit(2)", 2), ("sys.exit('no')", 1), ("1 / 0", 1)]
)
def test_what_leaves_has_said_all(end: str, status: int) -> None:
    """All is printed and all is called that wanted to be, whatever it ends with."""
    done = subprocess.run(
        [sys.executable, "-c", ENDS.format(end=end)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (status, "said\nat exit\n")
    assert ("Traceback" in done.stderr) == (end == "1 / 0")


def test_a_full_device_is_no_success() -> None:
    """Also where nothing was written before the end."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 a device
        done = subprocess.run([*COMMAND, "--version"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode != 0
