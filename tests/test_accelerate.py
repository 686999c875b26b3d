"""Compiled kernels: what a call may pass, what is loaded and what is not, and where numba keeps code."""

from __future__ import annotations

import ast
import ctypes
import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from analyzer.accelerate import BOOL, INT, UINT, group_of, library, rows_of, view_of
from analyzer.accelerate.library import LIBRARY, MANIFEST, KernelsError, Library
from analyzer.accelerate.sources import PACKAGE, file_of, kernel_modules
from analyzer.accelerate.types import Type, address_of

ROOT = PACKAGE.parent
PAIR = np.dtype([("left", "u4"), ("right", "u1")], align=True)
NOBODY = 65534
COMPILE_ONE = """
import numpy as np
from analyzer.accelerate.cache import folder
from analyzer.capture.merge_kernel import copy_records
target = np.zeros(4, np.uint8)
source = np.arange(9, dtype=np.uint8)
source.flags.writeable = False
one = np.array([3])
copy_records(source, one, one, target, np.array([1]))
print(target.tolist(), folder())
"""


class Both(NamedTuple):
    """Two arrays."""

    pairs: Any
    numbers: Any


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A folder with the library that this checkout runs."""
    if not (library.FOLDER / LIBRARY).exists():
        pytest.fail("no library of kernels: python -m analyzer.accelerate makes it")
    yield library.FOLDER


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    for name in (LIBRARY, MANIFEST):
        shutil.copy(made / name, tmp_path / name)
    return tmp_path


# Arguments


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (INT, 1.0),
        (INT, 1 << 63),
        (INT, "1"),
        (UINT, -1),
        (UINT, 1 << 64),
        (BOOL, 2),
        (rows_of(PAIR), np.zeros(2, np.dtype([("left", "u4"), ("right", "u1")]))),
        (rows_of(np.int64), np.zeros(2, np.int32)),
        (rows_of(np.int64), np.zeros(2, ">i8")),
        (rows_of(np.int64), np.zeros((2, 2), np.int64)),
        (rows_of(np.int64), np.zeros(4, np.int64)[::2]),
        (rows_of(np.int64), np.frombuffer(bytes(16), np.int64)),
        (rows_of(np.int64), np.frombuffer(bytearray(17), np.uint8)[1:].view(np.int64)),
        (rows_of(np.int64), [1, 2]),
        (rows_of(np.int64), None),
        (group_of(Both, (PAIR, np.int64)), (np.zeros(1, PAIR), np.zeros(1, np.int64))),
        (group_of(Both, (PAIR, np.int64)), Both(np.zeros(1, PAIR), np.zeros(1, np.uint64))),
    ],
)
def test_what_is_not_of_the_declared_type_never_reaches_a_kernel(declared: Type, value: Any) -> None:
    """A wrong array would be read as something else, or beyond its end."""
    with pytest.raises(TypeError, match=r"^here: "):
        declared.put([], value, "here")


def test_words_are_those_of_numbas_convention() -> None:
    """Of an array: owner, parent, size, bytes an element, address, shape, strides."""
    words: list[int] = []
    array = np.zeros((3, 5), np.uint16)
    view_of(np.uint16, 2).put(words, array, "here")
    assert words == [0, 0, 15, 2, array.ctypes.data, 3, 5, 10, 2]
    words.clear()
    UINT.put(words, (1 << 64) - 7, "here")
    BOOL.put(words, np.True_, "here")
    INT.put(words, np.int32(-11), "here")
    assert words == [-7, 1, -11]


def test_addresses_are_those_of_the_memory() -> None:
    """Read from the array itself: of a part of one, of one that nobody may write to, of none, and of one that has moved."""
    whole = np.arange(64, dtype=np.int64)
    grown = np.zeros(2, PAIR)
    arrays: list[npt.NDArray[Any]] = [
        whole,
        whole[3:9],
        whole[:0],
        whole.reshape(8, 8)[2:],
        np.frombuffer(b"abc", np.uint8),
        grown,
    ]
    assert [address_of(each) for each in arrays] == [each.ctypes.data for each in arrays]
    before = grown.ctypes.data
    grown.resize(1 << 20, refcheck=False)
    assert address_of(grown) == grown.ctypes.data != before


@pytest.mark.parametrize("shape", [(1,), (5,), (0, 4), (3, 4)])
def test_shape_and_strides_stand_as_numpy_has_them(shape: tuple[int, ...]) -> None:
    """Of one dimension they follow from its size; of several they are the array's own."""
    array = np.zeros(shape, PAIR)
    words: list[int] = []
    rows_of(PAIR, len(shape)).put(words, array, "here")
    assert words == [0, 0, array.size, PAIR.itemsize, array.ctypes.data, *array.shape, *array.strides]


def test_a_dtype_that_is_an_array_gives_more_dimensions() -> None:
    """As numpy makes an array of it."""
    declared = rows_of(np.dtype((np.int32, (16,))))
    words: list[int] = []
    declared.put(words, np.zeros(2, np.dtype((np.int32, (16,)))), "here")
    assert words[5:] == [2, 16, 64, 4]


@pytest.mark.parametrize("arguments", [(), (1, 2)])
def test_too_few_or_too_many_arguments(made: Path, arguments: tuple[int, ...]) -> None:
    """The library's kernels take as many as they declare."""
    call, _ = bound(lambda words, results: 0)
    with pytest.raises(TypeError, match="1 arguments needed"):
        call(*arguments)


def test_a_kernel_that_fails_is_named() -> None:
    """numba's status of an error, such as a division by zero."""
    call, name = bound(lambda words, results: 1)
    with pytest.raises(RuntimeError, match=name):
        call(5)


def test_results_come_back() -> None:
    """One number is a number, several are a tuple."""

    def double(words: Any, results: Any) -> int:
        ctypes.cast(results, ctypes.POINTER(ctypes.c_int64))[0] = (
            2 * ctypes.cast(words, ctypes.POINTER(ctypes.c_int64))[0]
        )
        return 0

    call, _ = bound(double)
    assert call(-21) == -42


def bound(body: Callable[[Any, Any], int]) -> tuple[Callable[..., Any], str]:
    """A kernel of one number whose compiled form is `body`, and its name."""

    def twice(number: int) -> int:
        raise AssertionError

    twice.__annotations__["return"] = "Int"
    compiled = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(body)
    made_of_one = object.__new__(Library)
    name = f"{twice.__module__}.{twice.__qualname__}"
    made_of_one.kernels = {name: {"symbol": "twice", "types": "int64 -> 1"}}
    made_of_one._symbols = {"twice": compiled}  # type: ignore[assignment]
    return made_of_one.bind(twice, {"number": INT}), "twice"


# The build


@pytest.mark.parametrize("counted", [False, True])
def test_numba_with_less_to_do_compiles_the_same(counted: bool) -> None:
    """A loop, a branch, a record, calls, several results: the instructions are the same, whether numba counts references or not, as in kernels."""
    from analyzer.accelerate.guarded import numba
    from analyzer.accelerate.jit import FLAGS
    from analyzer.accelerate.lean import less_to_do

    def is_odd(pair: Any, bits: int) -> Any:
        return pair["right"] & bits == 1

    def last_of(pairs: Any) -> Any:
        for i in range(len(pairs) - 1, -1, -1):
            if is_odd(pairs[i], 3):
                return i
        return -1

    def most(pairs: Any, limit: int) -> tuple[int, int]:
        found, at = 0, last_of(pairs)
        for i in range(len(pairs)):
            pair = pairs[i]
            if found < pair["left"] < limit or is_odd(pair, 7):
                found, at = np.int64(pair["left"]), i
                pair["right"] = 0
        return found, at

    signature = (numba.from_dtype(PAIR)[::1], numba.int64)
    texts, plain = [], (is_odd, last_of)
    for less in (nullcontext(), less_to_do()):
        how = numba.njit(**{} if counted else FLAGS)
        with less:
            is_odd, last_of = how(plain[0]), how(plain[1])
            compiled = how(most)
            compiled.compile(signature)
        # But for names, which are numbered, and how long a message with one is.
        named = re.sub(r"[\w$.]*(most|last_of|is_odd)[\w$.]*", "", compiled.inspect_asm(signature))
        texts.append(re.sub(r'(missing Environment: ", )\d+', r"\1", named))
    assert texts[0] == texts[1]
    assert texts[0].count("\n") > 100


def test_what_few_frames_reach_is_called(made: Path) -> None:
    """A `rare` helper has a name of its own in the library, though it may have only one caller; an `inline` one has none."""
    library = (made / LIBRARY).read_bytes()
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*_kernel.py")]
    rare, inline = (
        {name for text in sources for name in re.findall(rf"^@{how}\ndef (\w+)", text, re.MULTILINE)}
        for how in ("rare", "inline")
    )
    assert "below_next" in rare and "was_late" in inline - rare
    for name in rare | {"was_late"}:
        assert (f"{len(name)}{name}B".encode() in library) == (name in rare)


# The library


def test_every_kernel_is_in_the_library(made: Path) -> None:
    """Of every module that has one."""
    kernels = Library(made).kernels
    assert {name.rpartition(".")[0] for name in kernels} == set(kernel_modules())


@pytest.mark.parametrize("name", kernel_modules())
def test_what_only_kernels_call_is_imported_only_where_it_is_compiled(name: str) -> None:
    """The library holds it already: what of other kernels is imported in any case, the module itself uses."""
    tree = ast.parse(file_of(name).read_text(encoding="utf-8"))
    compiled = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    bodies = {id(each) for node in compiled for statement in node.body for each in ast.walk(statement)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in bodies}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).endswith("_kernel"):
            assert used & {alias.asname or alias.name for alias in node.names}, node.module


def test_a_numba_that_nobody_has_tried_does_all_that_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer one, or an older; what is installed has been tried."""
    from analyzer.accelerate import lean

    passes = lean.guarded.numba.core.compiler.DefaultPassBuilder
    with lean.less_to_do():
        assert passes.define_nopython_pipeline.__module__ == "analyzer.accelerate.passes"
    for tried in (((0, 1), (0, 2)), ((99, 0), (99, 1))):
        monkeypatch.setattr(lean, "TRIED", tried)
        with lean.less_to_do():
            assert passes.define_nopython_pipeline.__module__.startswith("numba.")


def test_python_calls_no_helper_that_lacks_what_it_calls() -> None:
    """Where there is a library, what a module of kernels imports for them is not there for a helper that Python calls, either."""
    called: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        if not path.stem.endswith("_kernel"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and str(node.module).endswith("_kernel"):
                    called.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
    assert called
    for name in kernel_modules():
        tree = ast.parse(file_of(name).read_text(encoding="utf-8"))
        inside = [each for node in tree.body if isinstance(node, ast.If) for each in node.body]
        lacking = {
            alias.asname or alias.name for node in inside if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        entries = {
            each for each, node in functions.items() if any(isinstance(how, ast.Call) for how in node.decorator_list)
        }
        reached, waiting = set(), list((called.get(name, set()) - entries) & set(functions))
        while waiting:
            used = {node.id for node in ast.walk(functions[waiting.pop()]) if isinstance(node, ast.Name)}
            waiting += (used - reached) & set(functions)
            reached |= used
        assert not reached & lacking, name


def test_an_intact_copy_is_loaded(copied: Path) -> None:
    """Wherever it lies."""
    assert Library(copied).kernels == Library().kernels


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"MZ foreign"], ids=["empty", "four bytes", "foreign"])
def test_another_library_is_not_loaded(copied: Path, content: bytes) -> None:
    (copied / LIBRARY).write_bytes(content)
    with pytest.raises(KernelsError, match="cut, changed or of another build"):
        Library(copied)


def test_a_cut_library_is_not_loaded(copied: Path) -> None:
    """To map what is not there would end the process."""
    whole = (copied / LIBRARY).read_bytes()
    (copied / LIBRARY).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(KernelsError, match="cut, changed or of another build"):
        Library(copied)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_damaged_manifest_is_said(copied: Path, content: bytes) -> None:
    (copied / MANIFEST).write_bytes(content)
    with pytest.raises(KernelsError, match="damaged"):
        Library(copied)


@pytest.mark.parametrize("name", [LIBRARY, MANIFEST])
def test_a_missing_file_is_said(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(KernelsError, match="not there"):
        Library(copied)


@pytest.mark.parametrize("change", ["sources", "files"])
def test_code_older_than_its_sources_is_not_loaded(copied: Path, change: str) -> None:
    """The manifest says from which it was made: when one of them changes or goes, the library is old."""
    manifest = json.loads((copied / MANIFEST).read_text())
    manifest[change] = "0" * 64 if change == "sources" else [*manifest["files"], "gone_kernel.py"]
    (copied / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(KernelsError, match="older than the sources"):
        Library(copied)


def test_a_damaged_library_ends_a_command_in_one_line(tmp_path: Path) -> None:
    """Not in a crash, and not in old code. `tcpcap` with a copy of the package whose library was cut."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    damaged = tmp_path / PACKAGE.name / "accelerate" / LIBRARY
    damaged.write_bytes(damaged.read_bytes()[:-1])
    environment = {**os.environ, "TCPCAP_KERNELS": "library", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "analyzer", "analyze", str(ROOT / "samples" / "reorder-duplicate" / "server")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert str(damaged) in done.stderr


def test_changed_kernels_never_run_as_they_were(tmp_path: Path) -> None:
    """A checkout in which one was edited: the library is left alone, and numba compiles what stands there now."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    edited = tmp_path / PACKAGE.name / "capture" / "merge_kernel.py"
    before = edited.read_text()
    edited.write_text(before.replace("= source[offsets[i] + k]", "= source[offsets[i] + k] + 100"))
    assert edited.read_text() != before
    code = COMPILE_ONE + "from analyzer.accelerate import mode\nprint(mode())"
    done = run(code, cwd=tmp_path, PYTHONPATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert done.stderr == ""
    assert done.stdout.split("\n")[0].startswith("[0, 103, 104, 105] ")
    assert done.stdout.split("\n")[1] == "jit"


def test_without_a_linker_a_wheel_needs_numba_and_says_so(tmp_path: Path) -> None:
    """The build ends well all the same, with a wheel for any platform."""
    tree = tmp_path / "tree"
    shutil.copytree(PACKAGE, tree / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__", "kernels-*"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "rules"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "out")]
    environment = {**os.environ, "PATH": "", "TCPCAP_KERNELS": ""}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert [path.name.split("-", 2)[2] for path in (tmp_path / "out").iterdir()] == ["py3-none-any.whl"]
    said = " ".join((done.stdout + done.stderr).split())
    assert "none of cc, gcc, clang, ld, ld.lld found" in said
    assert "pip install 'tcpcap[jit]'" in said


@pytest.mark.parametrize("seen", [True, False], ids=["a terminal", "a file"])
def test_compiling_is_said_once_where_somebody_looks(monkeypatch: pytest.MonkeyPatch, seen: bool) -> None:
    """What is done, how long it takes, and where the result is kept."""
    from analyzer.accelerate import jit

    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: seen)
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(jit, "_announced", threading.Event())
    monkeypatch.setattr(jit, "folder", lambda: Path("/where"))
    jit.announce()
    jit.announce()
    text = "tcpcap: compiling the kernels with numba, for a minute or two (kept in /where for later starts)\n"
    assert shown.getvalue() == (text if seen else "")


def test_an_unknown_way_to_run_kernels_is_refused() -> None:
    done = run("import analyzer.capture.merge_kernel", TCPCAP_KERNELS="fast")
    assert "choose from library, checked-library, jit, checked, python" in done.stderr


def test_numba_is_not_imported(made: Path) -> None:
    """Nor is anything that a command does not use: analysing a bundle in which no rule sees a reason to run needs numpy and click."""
    code = """
import sys
from analyzer.cli import main
try:
    main(["analyze", "samples/counters-handshake/server"])
except SystemExit as ended:
    heavy = {"numba", "llvmlite", "pandas", "duckdb", "rich", "dpkt", "pyshark"}
    print(sorted(heavy & set(sys.modules)), ended.code, file=sys.stderr)
"""
    done = run(code, TCPCAP_KERNELS="library")
    assert done.stderr.strip() == "[] 0"
    assert "1 TCP connection" in done.stdout


# numba's code


def test_settings_in_the_current_folder_are_not_read(tmp_path: Path) -> None:
    """With PyYAML, numba reads .numba_config.yaml of whatever folder it is in, at its import and before each function it compiles."""
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    (evidence / ".numba_config.yaml").write_text("cache_dir: planted\nboundscheck: 1\n")
    (tmp_path / "yaml.py").write_text(
        "def safe_load(file):\n    return {'cache_dir': 'planted', 'cache_locator_classes': 'planted.Locator'}\n"
    )
    (tmp_path / "planted.py").write_text("print('planted code runs')\n")
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    done = run(
        COMPILE_ONE + "from numba.core import config\nprint(repr(config.CACHE_DIR))\nimport yaml\nprint(yaml.__file__)",
        cwd=evidence,
        TCPCAP_KERNELS="jit",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        PYTHONPATH=path,
    )
    assert done.stderr == ""
    assert "planted" not in done.stdout
    assert done.stdout.splitlines()[0].startswith("[0, 3, 4, 5] ")
    assert done.stdout.splitlines()[1:] == ["''", str(tmp_path / "yaml.py")]
    assert list(evidence.iterdir()) == [evidence / ".numba_config.yaml"]


def test_code_is_kept_where_nobody_else_can_write(tmp_path: Path) -> None:
    """In a folder made for this user alone; another start takes it from there."""
    first = compile_one(tmp_path)
    (entry,) = entries(tmp_path)
    assert stat.S_IMODE((tmp_path / "tcpcap" / "kernels").stat().st_mode) == 0o700
    before = entry.stat().st_mtime_ns
    assert compile_one(tmp_path) == first == f"[0, 3, 4, 5] {tmp_path / 'tcpcap' / 'kernels'}"
    assert entry.stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", ["group may write", "all may write", "a link", "a file", "another's"])
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path, kind: str) -> None:
    """Whoever writes there decides what runs."""
    folder = tmp_path / "tcpcap" / "kernels"
    folder.parent.mkdir()
    if kind == "a file":
        folder.write_text("")
    elif kind == "a link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o770 if kind == "group may write" else 0o777 if kind == "all may write" else 0o700)
    if kind == "another's":
        if os.geteuid():
            pytest.skip("needs root to give a folder away")
        os.chown(folder, NOBODY, NOBODY)
    assert compile_one(tmp_path) == "[0, 3, 4, 5] None"
    assert not folder.is_dir() or list(folder.iterdir()) == []


@pytest.mark.parametrize("damage", ["empty", "cut", "foreign"])
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: str) -> None:
    compile_one(tmp_path)
    (entry,) = entries(tmp_path)
    whole = entry.read_bytes()
    entry.write_bytes({"empty": b"", "cut": whole[:-9], "foreign": b"#!/bin/sh\n" * 99}[damage])
    assert compile_one(tmp_path).startswith("[0, 3, 4, 5] ")
    (entry,) = entries(tmp_path)
    assert len(entry.read_bytes()) == len(whole)


def test_two_processes_at_once_do_no_harm(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COMPILE_ONE]
    environment = {**os.environ, "TCPCAP_KERNELS": "jit", "XDG_CACHE_HOME": str(tmp_path)}
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [err for _, err in said] == ["", ""]
    assert {out.split("] ")[0] for out, _ in said} == {"[0, 3, 4, 5"}
    assert len(entries(tmp_path)) == 1


def test_a_read_only_install_without_a_home_works_for_another_user() -> None:
    """With the library, and with numba, which then keeps nothing."""
    if os.geteuid():
        pytest.skip("needs root to become another user")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        installed = Path(name) / PACKAGE.name
        shutil.copytree(PACKAGE, installed, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "rules", installed / "rules")
        sample = shutil.copytree(ROOT / "samples" / "reorder-duplicate" / "server", Path(name) / "evidence")
        for path in [installed, *installed.rglob("*"), sample, *sample.iterdir()]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        # Python itself may lie where only root can look: this user may read everything, and write nothing.
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        become += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        site = os.pathsep.join([name, *(each for each in sys.path if "site-packages" in each)])
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": site}
        for mode, command in (
            ("library", ["-m", "analyzer", "analyze", str(sample)]),
            ("jit", ["-c", COMPILE_ONE]),
        ):
            done = subprocess.run(
                [*become, sys.executable, *command], cwd=name, env={**environment, "TCPCAP_KERNELS": mode},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, "")
            assert ("1 TCP connection" if mode == "library" else "[0, 3, 4, 5] None") in done.stdout


def compile_one(cache: Path) -> str:
    """Call a kernel compiled by numba, with this folder for caches; what it did and where code is kept."""
    done = run(COMPILE_ONE, TCPCAP_KERNELS="jit", XDG_CACHE_HOME=str(cache))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def entries(cache: Path) -> list[Path]:
    """What is kept."""
    return list((cache / "tcpcap" / "kernels").iterdir())


def run(code: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python process with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "TCPCAP_"))}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, check=False
    )


def test_what_nobody_waits_for_ends() -> None:
    """A process that compiles ends when the one that started it is gone, killed or not."""
    child = (
        "import os, time\n"
        "from analyzer.accelerate.build import _end_with\n"
        "_end_with(os.getppid())\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=subprocess.PIPE)\n"
        "print(child.stdout.readline().decode(), flush=True)\n"
        "import os; os._exit(0)\n"
    )
    said = subprocess.run([sys.executable, "-c", parent, child], cwd=ROOT, capture_output=True, text=True, check=True)
    number = int(said.stdout)
    for _ in range(600):
        state = Path(f"/proc/{number}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        os.kill(number, signal.SIGKILL)
        pytest.fail("it goes on")
