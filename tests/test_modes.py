"""Kernels that are not compiled, and kernels whose every index is checked, do as those of the library.

As plain Python an overflow gives a warning, which is an error here, or another number; with checks an index beyond its array is an
error. In one file, since one library with checks serves all.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from analyzer.together import joined
from tests import test_fix_checksums, test_fuzz, test_judge, test_kernels, test_prediction_kernels
from tests.helpers import FEWER_CAPTURES, said_in_mode

MODES = pytest.mark.parametrize("mode", ["checked-library", "python"])
Factory = pytest.TempPathFactory


@pytest.mark.parametrize(("mode", "error"), [("checked-library", "RuntimeError"), ("checked", "IndexError")])
def test_an_index_beyond_its_array_is_an_error(tmp_path_factory: Factory, mode: str, error: str) -> None:
    """Five bytes of four."""
    code = """
import numpy as np
from analyzer.capture.merge_kernel import copy_records
first, sizes = np.zeros(1, np.int64), np.array([5])
try:
    copy_records(np.zeros(4, np.uint8), first, sizes, np.zeros(9, np.uint8), first)
except Exception as found:
    print(type(found).__name__)
"""
    assert said_in_mode(mode, tmp_path_factory, "-c", code) == f"{error}\n"


@MODES
def test_reading_and_following(tmp_path_factory: Factory, mode: str) -> None:
    """Every kernel from the file to flows, checksums and sums."""
    said = said_in_mode(mode, tmp_path_factory, "-m", "tests.test_kernels", overflowing=test_kernels.HASHES)
    assert json.loads(said) == test_kernels.compiled()


@MODES
def test_a_command_gives_the_same_json(tmp_path_factory: Factory, mode: str) -> None:
    """Counters beside the capture, too; what kernels count are Python's numbers in every mode."""
    words = ("-m", "analyzer", "analyze", "--json", "samples/reorder-duplicate/server")
    hashes = [*test_kernels.HASHES, *test_judge.HASHES]
    said = [said_in_mode(each, tmp_path_factory, *words, overflowing=hashes) for each in (mode, "library")]
    assert said[0] == said[1] != ""


def test_calls_are_of_the_declared_types(tmp_path_factory: Factory) -> None:
    """What numba finds when it looks at the arguments is what the library was compiled for, but for arrays that happen to be writable."""
    code = """
import json
import numpy as np
from numba import typeof
from analyzer import accelerate
from analyzer.accelerate import jit
plain = accelerate.kernel

def looks(value):  # all that numba looks at, which takes it longer than most calls
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num
    if isinstance(value, tuple):
        return type(value), *map(looks, value)
    return type(value), isinstance(value, int) and value >> 63

def recording(**types):
    declared = [str(jit.numba_type(each)) for each in types.values()]
    def decorated(function):
        run, known = plain(**types)(function), set()
        def called(*arguments):
            if looks(arguments) not in known:
                known.add(looks(arguments))
                print(json.dumps([function.__name__, declared, [str(typeof(each)) for each in arguments]]))
            return run(*arguments)
        return called
    return decorated

accelerate.kernel = recording
from tests.test_kernels import results
results()
"""
    said = said_in_mode("python", tmp_path_factory, "-c", code, overflowing=test_kernels.HASHES)
    called = [json.loads(line) for line in dict.fromkeys(said.splitlines())]
    assert len({name for name, _, _ in called}) >= 5
    for name, declared, found in called:
        assert [text.replace("readonly ", "") for text in found] == [
            text.replace("readonly ", "") for text in declared
        ], name


@pytest.fixture(scope="module")
def rows_on_disk(tmp_path_factory: Factory) -> Path:
    """Packet rows of every sample and of some simulated conversations."""
    simulated = [test_judge.simulated(seed) for seed in range(24)]
    rows = joined([*map(test_judge.decoded, FEWER_CAPTURES), *simulated])
    rows["frame"] = np.arange(len(rows)) + 1
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    np.save(path, rows)
    return path


@MODES
def test_judging(rows_on_disk: Path, tmp_path_factory: Factory, mode: str) -> None:
    """The same events, and the same flows."""
    words = ("-m", "tests.test_judge", str(rows_on_disk))
    said = said_in_mode(mode, tmp_path_factory, *words, overflowing=test_judge.HASHES)
    assert json.loads(said) == test_judge.digests(rows_on_disk)


@MODES
def test_fixing_checksums(tmp_path_factory: Factory, mode: str) -> None:
    """The same files, to the byte."""
    said = said_in_mode(mode, tmp_path_factory, "-m", "tests.test_fix_checksums", overflowing=test_kernels.HASHES)
    assert said.strip() == test_fix_checksums.digest_of_fixes()


@MODES
def test_hostile_captures(tmp_path: Path, tmp_path_factory: Factory, mode: str) -> None:
    """No error, and the same records and packets."""
    digest = hashlib.sha256()
    count = 280 if mode == "python" else 700
    outcomes = test_fuzz.run_cases(3, count, tmp_path / "capture", digest)
    words = ("-c", test_fuzz.SAMPLE, "3", str(count), str(tmp_path / "capture"))
    assert said_in_mode(mode, tmp_path_factory, *words).split() == [digest.hexdigest(), str(outcomes.total())]


@MODES
def test_predicting(tmp_path_factory: Factory, mode: str) -> None:
    """The same increments, one by one and summed."""
    hashes = test_prediction_kernels.HASHES
    said = said_in_mode(mode, tmp_path_factory, "-m", "tests.test_prediction_kernels", overflowing=hashes)
    assert json.loads(said) == test_prediction_kernels.compiled()
