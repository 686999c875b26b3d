"""Whose rights `tcpcap record` has, and whose its files are: root begins it, others go on. On the loopback of this machine, as root."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer import analyze
from analyzer.errors import TcpcapError
from analyzer.record import plan, record
from analyzer.record.folder import Folder, made
from analyzer.record.lines import Lines
from analyzer.record.namespace import RecordError
from analyzer.record.programs import program_of
from analyzer.record.rights import User, acting_as, caller, capturer, grant, may_write
from analyzer.record.tools import path_of
from samples.lab import tools
from tests.command import COMMAND, environment
from tests.helpers import interrupts_on

ROOT = Path(__file__).resolve().parent.parent
SOMEBODY = User("nobody", pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
TIMEOUT_S = 30
needs_root = pytest.mark.skipif(
    bool(tools.missing()), reason=f"needs root and {', '.join(tools.NEEDED)}; this machine {tools.missing()}"
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of somebody's, to which they may go."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    os.chown(folder, SOMEBODY.number, SOMEBODY.group)
    yield folder
    shutil.rmtree(folder)


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    """A recording that somebody began by sudo."""
    with interrupts_on():
        return subprocess.Popen(
            [*COMMAND, "record", "-i", "lo", "-o", str(folder), "--every", "100ms", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment(SUDO_UID=str(SOMEBODY.number)),
        )  # fmt: skip


def users(folder: Path) -> dict[str, set[str]]:
    """The users that each program is whose folder, or one of whose files, is this one: real, effective and saved."""
    found: dict[str, set[str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            at = {link.readlink() for link in ((process / "cwd"), *(process / "fd").iterdir())}
            status = dict(line.partition(":")[::2] for line in (process / "status").read_text().splitlines())
        except OSError:  # it has ended
            continue
        if process.name != str(os.getpid()) and any(each.is_relative_to(folder) for each in at):
            found.setdefault(status["Name"].strip(), set()).update(status["Uid"].split()[:3])
    return found


def begun(process: subprocess.Popen[str]) -> None:
    """Wait until frames are captured, and the rights are given up."""
    assert process.stderr is not None
    assert "recording lo into" in process.stderr.readline()


RINGS: tuple[list[str], ...] = ([], ["--ring", "1s"], ["--rotate", "1MB"])


@needs_root
@pytest.mark.skipif(capturer() is None, reason="no user tcpdump here")
@pytest.mark.parametrize("options", RINGS, ids=["one file", "ring", "rotate"])
def test_root_is_given_up(options: list[str], place: Path) -> None:
    """Of what lasts as long as the recording only the shell is root that ends tcpdump; and the folder is theirs who called, alone."""
    folder = place / "incident"
    process = started(folder, *options, "--with", "tcpdump")
    begun(process)
    now = users(folder)
    capturing = capturer()
    assert capturing is not None
    assert now.pop("tcpdump") == {str(capturing.number)}
    assert now.pop("sh") == {"0"}
    assert list(now.values()) == [{str(SOMEBODY.number)}]
    time.sleep(2.5 if options else 0.3)  # a ring of one second begins its second file after one
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (0, "")
    assert folder.stat().st_uid == SOMEBODY.number
    assert folder.stat().st_mode & 0o7777 == 0o700
    assert {file.stat().st_uid for file in folder.iterdir()} <= {SOMEBODY.number, capturing.number}
    with acting_as(SOMEBODY):
        assert all(file.read_bytes() for file in folder.iterdir())
    assert analyze(folder).capture["files"]
    assert "root" not in out


@needs_root
@pytest.mark.skipif(not path_of("dumpcap"), reason="no dumpcap here")
@pytest.mark.parametrize("options", [*RINGS, ["--ring", "1s", "--pack"]])
def test_what_dumpcap_captures_is_the_owners_to_read(options: list[str], place: Path) -> None:
    """It stays root, and others need not be root to read it."""
    process = started(place / "incident", *options, "--with", "dumpcap", "--duration", "1500ms")
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err.count("\n")) == (0, 1)
    made = place / ("incident.tar.zst" if "--pack" in options else "incident")
    assert made.stat().st_uid == SOMEBODY.number
    assert made.stat().st_mode & 0o077 == 0
    with acting_as(SOMEBODY):
        assert all(file.read_bytes() for file in (made.iterdir() if made.is_dir() else [made]))
    assert analyze(made).capture["files"]


@needs_root
def test_a_killed_recorder_leaves_nobody(place: Path) -> None:
    """Whoever it was when it was killed: tcpdump ends two seconds later."""
    folder = place / "incident"
    process = started(folder)
    begun(process)
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    until = time.monotonic() + TIMEOUT_S
    while users(folder) and time.monotonic() < until:
        time.sleep(0.1)
    assert users(folder) == {}
    assert analyze(folder).is_damaged


@needs_root
def test_a_folder_where_only_root_may_write(tmp_path: Path) -> None:
    """Nothing is lost for want of rights: it stays root, and says so."""
    tmp_path.chmod(0o700)
    assert not may_write(SOMEBODY, tmp_path)
    process = started(tmp_path / "incident", "--duration", "500ms", "--pack")
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err.count("\n")) == (0, 1)
    assert "it ran as root to its end: nobody may not write to" in " ".join(out.split())
    assert (tmp_path / "incident.tar.zst").stat().st_uid == 0
    assert (tmp_path / "incident.tar.zst").stat().st_mode & 0o077 == 0


@needs_root
def test_a_folder_that_was_there(place: Path) -> None:
    """Its group and mode are its owner's business: then tcpdump stays root where it begins further files, and otherwise does not."""
    (place / "empty").mkdir(0o755)
    cases = (("empty", "1m", None), ("new", "1m", capturer()), ("empty", None, capturer()))
    for name, ring, user in cases:
        program = program_of(plan("lo", place / name, program="tcpdump", ring=ring))
        assert program.user == user
        named = program.command[program.command.index("-Z") + 1] if "-Z" in program.command else ""
        assert named == (user.name if user else "root" if ring else "")
    with made(plan("lo", place / "empty", ring="1m")):
        assert (place / "empty").stat().st_mode & 0o7777 == 0o755


@needs_root
def test_a_folder_that_is_exchanged(place: Path) -> None:
    """By a link to another, or by another's: root gives nobody rights to that."""
    (place / "others").mkdir(0o755)
    (place / "link").symlink_to(place / "others")
    for name in ("link", "others"):
        with pytest.raises(OSError):
            grant(place / name, 0o1777, SOMEBODY, SOMEBODY.group)
    assert (place / "others").stat().st_mode & 0o7777 == 0o755


@needs_root
def test_two_that_begin_in_the_same_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both saw that nothing was there: the second one says so, and all of the first one's stays."""
    planned = plan("lo", tmp_path / "incident")
    for missing in ([planned.folder], []):
        with made(planned) as first:
            first.counters.add(1, 1, counters={})
            before = {file.name: file.read_bytes() for file in planned.folder.iterdir()}
            with monkeypatch.context() as there:
                there.setattr("analyzer.record.folder._missing", lambda _, known=missing: known)
                with pytest.raises(RecordError, match="is there already"), made(planned):
                    pass
            assert {file.name: file.read_bytes() for file in planned.folder.iterdir()} == before
        shutil.rmtree(planned.folder)


@needs_root
@pytest.mark.parametrize("said", ["", "0", "x", "-1", "1e3", "4294967294", "9" * 30])
def test_nobody_called_sudo(said: str) -> None:
    """Root itself, or a number that is nobody's."""
    assert caller({"SUDO_UID": said}) is None


@needs_root
def test_somebody_called_sudo() -> None:
    """By their number; the name is what the system knows."""
    assert caller({"SUDO_UID": str(SOMEBODY.number), "SUDO_USER": "root"}) == SOMEBODY
    with acting_as(SOMEBODY):
        assert caller({"SUDO_UID": "0"}) is None
        assert os.geteuid() == SOMEBODY.number
    assert os.geteuid() == 0


@needs_root
@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "Input/output error")])
def test_a_first_snapshot_that_cannot_be_written(
    number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was recorded: that is an error, and nothing is left. Later it is an early end."""
    written, left = Lines.add, [0]

    def add(lines: Lines, *arguments: Any, **values: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(number, os.strerror(number))
        written(lines, *arguments, **values)

    monkeypatch.setattr(Lines, "add", add)
    planned = plan("lo", tmp_path / "incident", every="50ms", duration="1s")
    with pytest.raises(RecordError, match=f"nothing could be recorded: .*{said}"):
        record(planned)
    assert list(tmp_path.iterdir()) == []
    left[0] = 4
    found = record(planned)
    assert found.cut and said in found.ended_by
    assert analyze(planned.folder).is_damaged


@needs_root
def test_an_end_that_cannot_be_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was recorded is there, and says itself that it was not brought to its end: so does the recorder."""
    described = Folder.describe

    def describe(folder: Folder, host: dict[str, Any], recording: dict[str, Any]) -> None:
        if recording["ended"]:
            raise TcpcapError("host.json", "cannot be written (No space left on device)", "make room")
        described(folder, host, recording)

    monkeypatch.setattr(Folder, "describe", describe)
    found = record(plan("lo", tmp_path / "incident", every="50ms", duration="200ms"))
    assert found.cut and any("No space left" in note for note in found.notes)
    assert analyze(found.path).is_damaged
