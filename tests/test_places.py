"""Where nothing can be written: no place for what is temporary, no home, low limits. One line with the next step, or an answer all the same."""

from __future__ import annotations

import errno
import subprocess
import sys
import tarfile
from io import FileIO
from pathlib import Path

import pytest

from analyzer import analyze
from analyzer.diagnosis.rule import all_rules, own_rules
from analyzer.errors import TcpcapError
from tests.command import COMMAND, environment, run, run_here
from tests.helpers import SAMPLES

BUNDLE = SAMPLES / "zero-window" / "server"
CAPTURE = BUNDLE / "capture.pcap"
ROOT = SAMPLES.parent


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing temporary can be written: each place that Python tries is a file."""
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(tmp_path / "file")])
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "export {bundle} --table flows --format parquet",
        "sql {bundle} FROM:events",
        "sql {bundle} FROM:events --format parquet",
        "analyze {archive}",
        "analyze --at a={archive} --at b={bundle}",
    ],
)
def test_no_place_for_what_is_temporary(words: str, nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said what to set, and nothing of how Python says it."""
    archive = nowhere / "bundle.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(BUNDLE, "server")
    told = [word.replace(":", " ") for word in words.format(bundle=BUNDLE, archive=archive).split()]
    ran = run_here(*told, capsys=capsys)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("tcpcap: TMPDIR: nothing can be written there") and "set it to a folder" in ran.err


def test_no_place_for_bytes(nowhere: Path) -> None:
    """In Python it is an error of ours, and captures on disk are read as ever."""
    with pytest.raises(TcpcapError, match="TMPDIR"):
        analyze(CAPTURE.read_bytes())
    assert len(analyze(BUNDLE).findings)


def test_a_place_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which place that is, and why."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(TcpcapError, match=f"TMPDIR: nothing can be written in {tmp_path / 'gone'} "):
        analyze(CAPTURE.read_bytes())


@pytest.mark.parametrize("home", ["a file", "nowhere", "none"])
def test_no_home(home: str, tmp_path: Path) -> None:
    """Pictures are drawn, and nobody complains of a home that cannot be written; what belongs into it is refused in one line."""
    (tmp_path / "home").touch()
    known = environment(HOME=str(tmp_path / "home" if home == "a file" else tmp_path / "home" / "more"))
    for name in ("HOME",) * (home == "none") + ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR"):
        known.pop(name, None)
    if home == "none":  # then that of the user is taken, which is not for tests
        known["XDG_CACHE_HOME"] = known["XDG_DATA_HOME"] = known["XDG_CONFIG_HOME"] = str(tmp_path / "home")
    known |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    for words, status in (("plot {} -o picture.svg --flow 0", 0), ("analyze {}", 0), ("completion bash --install", 2)):
        done = subprocess.run(
            [*COMMAND, *words.format(BUNDLE).split()], cwd=tmp_path, env=known, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert (done.returncode, done.stderr.count("\n")) == (status, status // 2), done.stderr
    assert (tmp_path / "picture.svg").stat().st_size > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "picture.svg"]


LIMITED = """
import resource, sys
from analyzer.__main__ import main
from analyzer import analyze
import analyzer.cli, analyzer.report.console, analyzer.evidence.seen, duckdb, pandas
which, size = getattr(resource, sys.argv[1]), int(sys.argv[2])
resource.setrlimit(which, (size, resource.getrlimit(which)[1]))
sys.dont_write_bytecode = True  # what the command itself would see to, had it begun under the limit
sys.argv = ["tcpcap", *sys.argv[3:]]
main()
"""


@pytest.mark.parametrize(
    ("limit", "size", "words"),
    [
        ("RLIMIT_NOFILE", 6, f"analyze {CAPTURE}"),
        ("RLIMIT_NOFILE", 6, f"analyze {BUNDLE}"),
        ("RLIMIT_NOFILE", 4, f"analyze {BUNDLE}"),
        ("RLIMIT_FSIZE", 100, f"export {BUNDLE} --table packets -o x.csv"),
        ("RLIMIT_FSIZE", 100, f"extract {BUNDLE} --flow 0 -o x.pcapng"),
        ("RLIMIT_DATA", 60_000_000, f"analyze {BUNDLE}"),
        ("RLIMIT_DATA", 200_000_000, f"analyze {BUNDLE}"),
    ],
)
def test_low_limits(limit: str, size: int, words: str, tmp_path: Path) -> None:
    """An answer, or one line that says what to do; never a traceback, and nothing is left."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, limit, str(size), *words.split()],
        cwd=tmp_path, env=environment(PYTHONPATH=str(ROOT), TMPDIR=str(tmp_path)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 2, 3), done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode == 2:
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("tcpcap: ") and "; " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_module_is_cut_by_a_limit(tmp_path: Path) -> None:
    """Of what is imported under it, no compiled half is left that nobody could import any more."""
    words = "from analyzer.ending import run\nrun(lambda: __import__('long').VALUE0)"
    (tmp_path / "long.py").write_text("".join(f"VALUE{n} = {n}\n" for n in range(100)))
    known = {name: value for name, value in environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    known["PYTHONPATH"] = f"{ROOT}:{tmp_path}"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    for code in (limit + words, words):
        done = subprocess.run([sys.executable, "-c", code], env=known, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    assert [path.stat().st_size > 100 for path in (tmp_path / "__pycache__").iterdir()] == [True]


def test_words_of_record_reach_no_shell(tmp_path: Path) -> None:
    """What is said to `record` is said to programs as it is, whatever a shell would make of it."""
    for words in (
        ["-i", "lo; touch pwned", "-o", "B"],
        ["-i", "$(touch pwned)", "-o", "B"],
        ["-i", "lo", "-o", "B", "--filter", "tcp port 1; touch pwned"],
        ["-i", "lo", "-o", "B", "--filter", "$(touch pwned)"],
        ["-i", "lo", "-o", "B", "--filter", "-z pwned"],
        ["-i", "lo", "-o", "B", "--netns", "../../../etc/passwd"],
    ):
        ran = run("record", "--duration", "1s", *words, cwd=tmp_path, PYTHONPATH=str(ROOT))
        assert (ran.status, ran.out) == (2, ""), ran.err
        assert ran.err.count("\n") == 1 and ran.err.startswith("tcpcap: ")
        assert list(tmp_path.iterdir()) == []


def test_record_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Nothing is begun that could not be kept."""
    (tmp_path / "file").touch()
    ran = run("record", "-i", "lo", "-o", "file/B", "--duration", "1s", cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "cannot be written" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("words", ["--at a={} --at b={}", "--at a={0} --at b={1} --html x.html"])
def test_a_temporary_file_without_room(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """What is full is the place for what is temporary, and nothing that was named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: FileIO("/dev/full", "r+b"))
    ran = run_here("analyze", *words.format(BUNDLE, BUNDLE.parent / "client").split(), capsys=capsys)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("tcpcap: TMPDIR: ") and "No space left on device" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_anothers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As sudo may leave it: where this user may not look there are no rules of theirs, and tcpcap's own hold."""
    there = Path.is_dir

    def is_dir(path: Path) -> bool:
        if path.is_relative_to(tmp_path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return there(path)

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "is_dir", is_dir)
    assert {rule.id for rule in all_rules()} == {rule.id for rule in own_rules()}
