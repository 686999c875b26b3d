"""What is ended by a signal leaves its inputs as they are, nothing half written and nothing temporary. By random moments: tests/killing.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pandas as pd
import pytest

from analyzer.ask.plan import query_error
from analyzer.capture import packed
from analyzer.cli import main
from analyzer.ending import Ended
from analyzer.errors import TcpcapError
from analyzer.report.export import no_room
from tests.command import COMMAND, environment, run
from tests.failing import FAILURES
from tests.helpers import SAMPLES, interrupts_on
from tests.killing import Trial, words_of
from tests.place import Place, place_in, workers, workers_left

ROOT = SAMPLES.parent
TIMEOUT_S = 60
# What happens to files, as Python tells those who watch over it: at each of them a signal may come.
MOMENTS = ("open", "os.mkdir", "os.rename", "os.chmod", "os.remove", "shutil.rmtree")
watched: tuple[Path, int] | None = None
passed = 0


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """The signal, at its moment."""
    global passed
    if watched is None or event not in MOMENTS or not arguments or not isinstance(arguments[0], str | Path):
        return
    folder, moment = watched
    if Path(arguments[0]).absolute().is_relative_to(folder):
        passed += 1
        if passed == moment:
            raise Ended


sys.addaudithook(_watch)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Where the test is, with a TMPDIR of its own."""
    made = place_in(tmp_path)
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr("tempfile.tempdir", str(made.temporary))
    yield made


def ended(place: Place, words: list[str], moment: int) -> Any:
    """The status of a command that is ended at a moment, by what happens to files."""
    global watched, passed
    packed._folders.clear()
    watched, passed = (place.folder.parent, moment), 0
    try:
        with pytest.raises(SystemExit) as left:
            main(words)
    finally:
        watched = None
    return left.value.code


@pytest.mark.parametrize("call", ["csv", "fix-checksums", "notebook"])
def test_an_end_at_any_moment(call: str, place: Place) -> None:
    """What was to be written is there as a whole, or not at all."""
    before, given = place.files(), "B" if call == "csv" else "packed.tgz"
    words = words_of(call, given)
    assert ended(place, words, 0) == 0
    most, whole = passed, place.files()
    assert whole.keys() - before.keys() and most > 3
    for moment in {most // 2, most - 1}:
        (place.folder / next(iter(whole.keys() - before.keys()))).unlink(missing_ok=True)
        assert ended(place, words, moment) in (130, 0)
        found = [each for each in place.wrong(before, whole) if not each.startswith("tcpcap-")]
        assert found == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal(number: signal.Signals, place: Place) -> None:
    """It is said which, the status tells it, and what was unpacked is gone."""
    os.mkfifo(place.folder / "pipe")
    with (
        interrupts_on(),
        subprocess.Popen(
            [*COMMAND, "analyze", "packed.tgz", "pipe"],
            cwd=place.folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=environment(TMPDIR=str(place.temporary), PYTHONPATH=str(ROOT)),
        ) as process,
    ):
        until = time.monotonic() + TIMEOUT_S
        while not list(place.temporary.rglob("capture.pcap")) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate(timeout=TIMEOUT_S)
    words = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert (process.returncode, said.strip().splitlines()[-1]) == (128 + number, f"tcpcap: {words}")
    assert "Traceback" not in said
    assert list(place.temporary.iterdir()) == []


def test_a_second_signal(tmp_path: Path) -> None:
    """It does not wait for what the first one began, and removes what is temporary all the same."""
    words = """
import time
from analyzer.ending import run
from analyzer.output import temporary_folder
def command():
    temporary_folder()
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("ending", flush=True)
        time.sleep(60)
run(command)
"""
    with (
        interrupts_on(),
        subprocess.Popen(
            [sys.executable, "-c", words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(TMPDIR=str(tmp_path)),
        ) as process,
    ):
        assert process.stdout is not None
        for said in ("begun", "ending"):
            assert process.stdout.readline() == f"{said}\n"
            assert len(list(tmp_path.iterdir())) == 1
            process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 130
    assert list(tmp_path.iterdir()) == []


def test_what_is_interrupted_while_it_is_imported() -> None:
    """In one line as well, whatever the import makes of it."""
    words = """
import os, signal
from analyzer.ending import run
def command():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("half of it") from None
run(command)
"""
    with interrupts_on():
        done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "tcpcap: interrupted\n")


def test_a_signal_when_all_is_done() -> None:
    """Between the end of the command and that of the process there is no moment at which a signal is a fault of the program."""
    words = """
import os, signal
from analyzer.ending import run
known = signal.getsignal
def late(number):
    signal.getsignal = known
    os.kill(os.getpid(), signal.SIGTERM)
    return known(number)
def command():
    signal.getsignal = late
run(command)
"""
    with interrupts_on():
        done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGTERM, "", "tcpcap: ended by SIGTERM\n")


def test_a_signal_in_the_words_of_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB makes an error of its own of it, which is neither one of the disk nor one of the query; without a signal it is what it says."""
    with duckdb.connect() as connection, monkeypatch.context() as meanwhile:
        connection.register("piece", pd.DataFrame({"a": [1]}))
        meanwhile.setattr(pd.DataFrame, "__getitem__", _signalled)
        with pytest.raises((duckdb.Error, RuntimeError)) as told:
            connection.execute("SELECT a FROM piece").fetchall()
    with pytest.raises(TcpcapError):
        raise no_room("x.csv", str(told.value))
    monkeypatch.setattr("analyzer.ending._came", [signal.SIGTERM])
    with pytest.raises(Ended):
        no_room("x.csv", str(told.value))
    with pytest.raises(Ended):
        query_error(told.value)
    assert "no such table" in str(query_error(duckdb.Error("no such table")))


def _signalled(_: Any, __: Any) -> Any:
    raise Ended


def test_a_database_that_cannot_be_read_back(tmp_path: Path) -> None:
    """What a query's answer was kept in: one line, as of a disk that is full."""
    failure = FAILURES[2]
    with Trial(place_in(tmp_path), "sql-csv", Random()) as trial:
        assert [wrong for first in (1, 4, 8, 12, trial.calls(failure)) for wrong in trial.failing(failure, first)] == []


def test_a_file_that_shrinks_under_the_reader(tmp_path: Path) -> None:
    """At the worst moment: its pages are gone when they are touched. That is said, and nothing temporary is left."""
    (tmp_path / "temporary").mkdir()
    words = """
import os, sys
from analyzer.capture.opened import open_source
from analyzer.ending import run
from analyzer.output import temporary_folder
def command():
    temporary_folder()
    source = open_source(sys.argv[1], 1 << 20)
    assert source.require(1 << 19)
    os.truncate(sys.argv[1], 100)
    print(int(source.window.sum()))
run(command)
"""
    file = tmp_path / "a.pcap"
    file.write_bytes(b"x" * (1 << 20))
    done = subprocess.run(
        [sys.executable, "-c", words, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=environment(TMPDIR=str(tmp_path / "temporary")),
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(
        "tcpcap: a file was made shorter, or its disk failed, while it was read; copy it first"
    )
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "status"),
    [("schema events", 2), ("export B --table flows", 2), ("fix-checksums B/capture.pcap out/x.pcap", 2)],
)
def test_a_standard_output_that_is_closed(words: str, status: int, place: Place) -> None:
    """Nobody has read what was printed there: that is no success, and no file takes its place."""
    command = " ".join([*COMMAND, words])
    done = subprocess.run(
        f"{command} >&-",
        shell=True,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(PYTHONPATH=str(ROOT)),
        check=False,
    )
    assert done.returncode == status
    assert done.stderr.count("\n") == (status > 0)
    assert done.stderr.startswith("tcpcap: standard output: " if status else "")


def test_a_standard_output_that_is_full(place: Place) -> None:
    """One line, and the status."""
    with Path("/dev/full").open("wb") as full:
        ran = run("schema", "events", stdout=full, cwd=place.folder, PYTHONPATH=str(ROOT))
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "No space left on device" in ran.err


@pytest.mark.parametrize("call", ["parquet", "anonymize", "html", "completion", "passages", "parts-csv"])
def test_random_moments(call: str, tmp_path: Path) -> None:
    """A share of what tests/killing.py does with all commands: a signal and a disk that fails, at a moment of each run that nobody has chosen."""
    with Trial(place_in(tmp_path), call, Random()) as trial:
        assert trial.signalled(signal.SIGTERM) == []
        for failure in FAILURES[:2]:
            assert trial.failure(failure) == []


def test_what_is_read_is_read_before_anything_is_written(tmp_path: Path) -> None:
    """Nothing stands there where the last thing that is read could not be."""
    failure, most = FAILURES[2], 4
    with Trial(place_in(tmp_path), "html", Random()) as trial:
        last = trial.calls(failure)
        assert last > most
        assert [wrong for first in range(last, last - most, -1) for wrong in trial.failing(failure, first)] == []


TASK = {
    "given": {},
    "folder": "/nowhere/x",
    "shares": 1,
    "checking": True,
    "addresses": [],
}  # refused: there is an answer


@pytest.mark.parametrize("cut", [0, 1, 20])
def test_who_does_tasks_for_nobody_ends_without_a_word(cut: int) -> None:
    """Where what gave them is killed while they are done, or while it gives one, the terminal shows nothing of it."""
    command = [sys.executable, "-m", "analyzer.cluster.worker"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdout.close()
        line = json.dumps({"name": "scatter", "task": TASK}).encode() + b"\n"
        process.stdin.write(line[: len(line) - cut])
        process.stdin.close()
        said = process.stderr.read()
        process.wait(TIMEOUT_S)
    assert said == b""
    assert process.returncode == 0


def test_processes_that_do_tasks_are_found_and_end(tmp_path: Path) -> None:
    """Those whom the trials look for are there while they work, and gone with who began them."""
    place = place_in(tmp_path)
    known = {**environment(), "TMPDIR": str(place.temporary)}
    command = [sys.executable, "-m", "tests.in_parts", "export", str(place.folder / "B"), "--table", "packets", "--jobs", "3", "-o", "-"]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, env=known, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # fmt: skip
        until = time.monotonic() + TIMEOUT_S  # its output is not read, so it cannot end
        while (
            not (found := workers(place.temporary, process.pid)) and process.poll() is None and time.monotonic() < until
        ):
            time.sleep(0.005)
        process.kill()
    assert found
    assert workers_left(place.temporary) == []
