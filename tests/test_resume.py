"""What was done of a capture in parts is gone on with after an interruption: no more, no less, and only if it is whole."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analyzer import analyze
from analyzer.cli import cli
from analyzer.cluster import kept
from analyzer.cluster.executor import Here, Result, Task
from analyzer.errors import UsageError
from analyzer.output import meant, whole_folder
from tests.house import ROOT
from tests.test_cluster import cut_at, told, written

PIECES, SHARES = 5, 4  # of the capture, and of its flows for two that work at a time


class Counting(Here):
    """Does tasks, and counts them by name."""

    width = 2

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        for done in super().run(name, tasks):
            self.done[name] = self.done.get(name, 0) + 1
            yield done


def cuts(path: Path) -> list[int]:
    """Where it is cut, here and below."""
    size = path.stat().st_size
    return [size * number // PIECES for number in range(1, PIECES)]


DYING = """
import os, signal, sys
from analyzer import analyze
from analyzer.cluster import parted
from analyzer.cluster.processes import Processes
path, folder, cuts, most = sys.argv[1], sys.argv[2], list(map(int, sys.argv[3].split(","))), int(sys.argv[4])
parted.cuts_of = lambda head, size, width: cuts
class Dying:
    width, left = 2, most
    def run(self, name, tasks):
        for done in processes.run(name, tasks):
            yield done
            self.left -= 1
            if not self.left:
                os.killpg(0, signal.SIGKILL)
with Processes(2) as processes:
    analyze(path, cluster=Dying(), resume=folder)
"""


@pytest.mark.parametrize("results", [2, PIECES + 1])
def test_all_of_it_is_killed_in_the_middle(results: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With SIGKILL, who asks and who works, while ranges are read or while shares are judged: nothing that was done is done again."""
    path, folder = written(tmp_path, "losses", "pcap"), tmp_path / "work"
    words = [sys.executable, "-c", DYING, str(path), str(folder), ",".join(map(str, cuts(path))), str(results)]
    died = subprocess.run(words, cwd=ROOT, start_new_session=True, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    begun = [each.name for each in folder.iterdir() if not each.name.startswith(".")]
    assert results - 1 <= len(begun) < PIECES + SHARES
    cut_at(monkeypatch, cuts(path))
    counting = Counting()
    analysis = analyze(str(path), cluster=counting, resume=folder)
    assert analysis.one_pass == ""
    assert sum(counting.done.values()) == PIECES + SHARES - len(begun)
    assert told(analysis) == told(analyze(str(path)))
    assert list(folder.iterdir()) == [], "nor is anything left that was half written"


def interrupted(path: Path, folder: Path, most: int) -> None:
    """What is left of a run that was interrupted after so many tasks."""

    class Stopping(Counting):
        def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
            for done in super().run(name, tasks):
                yield done
                if sum(self.done.values()) == most:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyze(str(path), cluster=Stopping(), resume=folder)


def spoil(entry: Path, how: str) -> None:
    """Damage an entry."""
    found = entry / "found"
    seal, line, *arrays = found.read_bytes().split(b"\n")
    largest = max(entry.iterdir(), key=lambda file: file.stat().st_size)
    if how == "cut":
        largest.write_bytes(largest.read_bytes()[:-1])
    elif how == "changed":
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 1
        largest.write_bytes(content)
    elif how == "gone":
        largest.unlink()
    elif how == "other facts":
        found.write_bytes(b"\n".join([seal, line.replace(b"1", b"2", 1), *arrays]))
    elif how == "a link":
        largest.rename(entry.with_name("aside"))
        largest.symlink_to(entry.with_name("aside"))
    elif how == "a link to another":
        entry.rename(entry.with_name(f"aside-{entry.name}"))
        entry.symlink_to(entry.with_name(f"aside-{entry.name}"))
        (entry / "found").unlink()
    elif how == "a file":
        shutil.rmtree(entry)
        entry.write_text("")
    elif how == "waiting":
        found.unlink()
        os.mkfifo(found)
    elif how == "deep":
        found.write_text("[" * 100_000)
    elif how == "no seal":
        found.write_bytes(b"\n".join([b"null", line, *arrays]))
    else:
        found.write_text(how)


@pytest.mark.parametrize(
    "how",
    [
        "cut",
        "changed",
        "gone",
        "other facts",
        "no seal",
        "",
        "[1]",
        "[3, 0]\n{}\n",
        "a link",
        "a link to another",
        "a file",
        "waiting",
        "deep",
    ],
)
def test_what_is_damaged_is_done_anew(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only that: an entry of which a byte is missing, other or unreadable."""
    path, folder = written(tmp_path, "losses", "pcap"), tmp_path / "work"
    cut_at(monkeypatch, cuts(path))
    interrupted(path, folder, PIECES + 2)
    for entry in (min(folder.glob("range-*")), min(folder.glob("share-*"))):
        spoil(entry, how)
    counting = Counting()
    assert told(analyze(str(path), cluster=counting, resume=folder)) == told(analyze(str(path)))
    assert counting.done == {"scatter": 1, "judge": SHARES - 1}


def test_what_is_of_other_work_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another capture, of this one before it was changed, of other versions, or nobody knows of what."""
    path, folder = written(tmp_path, "losses", "pcap"), tmp_path / "work"
    cut_at(monkeypatch, cuts(path))
    interrupted(path, folder, PIECES)
    for name in ("range-0", ".range-0-0123456789abcdef", ".git"):
        (folder / name).mkdir()
        (folder / name / "found").write_text("{}")
    (folder / "notes").write_text("")
    before = sorted(folder.iterdir())
    expected = told(analyze(str(path)))

    def again() -> dict[str, int]:
        counting = Counting()
        assert told(analyze(str(path), cluster=counting, resume=folder, **asked)) == expected
        return counting.done

    asked: dict[str, Any] = {}
    with monkeypatch.context() as other:
        other.setattr(kept, "about", lambda: {"tcpcap": "0", "kernels": "0", "numpy": "0"})
        assert again() == {"scatter": PIECES, "judge": SHARES}
    asked = {"max_flows": 99_999}
    assert again() == {"judge": SHARES}
    interrupted(path, folder, PIECES)  # it was all there, and was removed when all was done
    asked = {}
    content = path.read_bytes()
    path.write_bytes(content)
    assert again() == {"scatter": PIECES, "judge": SHARES}
    assert set(before) - set(folder.iterdir()) == set(), "entries of the file as it was"


def test_the_command(tmp_path: Path) -> None:
    """The folder is made, and it is no file; where one pass must do it nothing stays, either."""
    path, folder = written(tmp_path, "losses", "pcap"), tmp_path / "deep" / "work"
    words = ["analyze", str(path), "--jobs", "2", "--resume", str(folder), "--json"]
    done = CliRunner().invoke(cli, words)
    assert (done.exit_code, json.loads(done.output)["capture"]["frames"] > 100) == (0, True)
    assert list(folder.iterdir()) == []
    done = CliRunner().invoke(cli, [*words, "--max-flows", "2"])
    assert (done.exit_code, list(folder.iterdir())) == (0, [])
    with pytest.raises(UsageError, match=r"capture\.pcap: (File exists|Not a directory); name a folder"):
        analyze(str(path), jobs=2, resume=path)


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes while another works is refused, of whatever capture; whoever comes after it is not, and the first is not disturbed."""
    path, folder = written(tmp_path, "losses", "pcap"), tmp_path / "work"
    (tmp_path / "other").mkdir()
    other = written(tmp_path / "other", "losses", "pcapng")
    cut_at(monkeypatch, cuts(path))
    refused = []

    class Meeting(Counting):
        def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
            for done in super().run(name, tasks):
                for each in (path, other):
                    with pytest.raises(UsageError, match=r"work: another tcpcap works there; wait for it, or name an"):
                        analyze(str(each), cluster=Counting(), resume=folder)
                    refused.append(each)
                yield done

    assert told(analyze(str(path), cluster=Meeting(), resume=folder)) == told(analyze(str(path)))
    assert (len(refused), list(folder.iterdir())) == (2 * (PIECES + SHARES), [])
    interrupted(path, folder, PIECES)
    with kept.Kept(folder, [str(path)]) as first:
        first.drop()
        with kept.Kept(folder, [str(path)]) as second:
            first.close()  # once more: it has nothing there now
            with pytest.raises(UsageError, match="another tcpcap"):
                kept.Kept(folder, [str(path)])
            second.drop()
    assert list(folder.iterdir()) == []


def test_a_lock_that_was_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opened it while another had it, and locks it after that one has removed it, takes the next one."""
    path, lock = tmp_path / "lock", kept._lock
    tries = []

    def late(file: Any) -> bool:
        tries.append(file)
        if len(tries) < 3:
            path.unlink()
        if len(tries) == 2:
            path.touch()
        return lock(file)

    monkeypatch.setattr(kept, "_lock", late)
    file = kept._locked(path)
    assert file is tries[2]
    assert [each.closed for each in tries] == [True, True, False]
    with pytest.raises(BlockingIOError):
        kept._locked(path)
    file.close()


def test_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: it goes on, and leaves what others may be writing."""
    path, folder = written(tmp_path, "losses", "pcap"), tmp_path / "work"
    monkeypatch.setitem(sys.modules, "fcntl", None)
    cut_at(monkeypatch, cuts(path))
    interrupted(path, folder, PIECES + 1)
    begun = min(folder.glob("range-*"))
    draft = folder / f".{begun.name}-0123456789abcdef"
    others = folder / f".range-0-{'0' * kept.WORK}-{'0' * kept.TASK}-0123456789abcdef"
    draft.mkdir()
    others.mkdir()
    counting = Counting()
    analyze(str(path), cluster=counting, resume=folder)
    assert (counting.done, list(folder.iterdir())) == ({"judge": SHARES - 1}, [others])


def test_nothing_of_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all is done: not what another `--jobs` has cut otherwise, nor what a killed run had begun to write, of whatever work."""
    path, folder = written(tmp_path, "losses", "pcap"), tmp_path / "work"
    (tmp_path / "other").mkdir()
    other = written(tmp_path / "other", "losses", "pcapng")
    cut_at(monkeypatch, cuts(other))
    interrupted(other, folder, 2)
    others, draft = sorted(folder.iterdir())
    draft.rename(folder / f".{draft.name}-0123456789abcdef")
    cut_at(monkeypatch, cuts(path))
    interrupted(path, folder, PIECES + 2)
    for each in (min(folder.glob("range-1-*")), min(folder.glob("share-*"))):
        each.rename(folder / f".{each.name}-fedcba9876543210")
    cut_at(monkeypatch, cuts(path)[1:])
    with monkeypatch.context() as wider:
        wider.setattr(Counting, "width", 4)
        assert told(analyze(str(path), cluster=Counting(), resume=folder)) == told(analyze(str(path)))
    assert list(folder.iterdir()) == [others]


def test_what_a_draft_is_to_be(tmp_path: Path) -> None:
    """It is told by its name."""
    with whole_folder(tmp_path / "range-0") as draft:
        assert meant(draft.name) == "range-0"
    assert [meant(name) for name in ("range-0", ".range-0", ".git", "")] == [""] * 4


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="a folder where not even root may write")
def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    """It is named, and not TMPDIR."""
    with pytest.raises(UsageError, match=r"--resume: /sys: [A-Z][a-z -]+; name a folder, or one that can be made"):
        analyze(str(written(tmp_path, "losses", "pcap")), cluster=Counting(), resume="/sys")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="a system without owners")
def test_a_folder_in_which_others_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is believed, so nobody else may put anything there, nor there where a folder above it stands."""
    path, own = written(tmp_path, "losses", "pcap"), tmp_path / "above" / "work"
    cut_at(monkeypatch, cuts(path))
    own.mkdir(parents=True)
    for shared, mode in ((own, 0o770), (own, 0o1777), (own.parent, 0o707)):
        shared.chmod(mode)
        if mode & stat.S_IWGRP and os.geteuid() == 0:  # who else cannot give a folder to a group that is nobody's own
            os.chown(shared, -1, 4711)
        elif mode & stat.S_IWGRP:
            continue
        with pytest.raises(
            UsageError, match=rf"others can write to {shared} \(chmod go-w\); name a folder of your own"
        ):
            analyze(str(path), cluster=Counting(), resume=own)
        shared.chmod(0o755)
    own.parent.chmod(0o1777)
    assert analyze(str(path), cluster=Counting(), resume=own).one_pass == ""
    own.parent.chmod(0o755)
    if os.geteuid() == 0:  # who else cannot give a folder away
        os.chown(own, 4711, -1)
        with pytest.raises(UsageError, match=rf"{own} belongs to another user"):
            analyze(str(path), cluster=Counting(), resume=own)
        os.chown(own, 0, 0)
    analyze(str(path), cluster=Counting(), resume=tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="a system without owners")
def test_a_group_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each user has one, folders are made for it to write to; what is made above the folder is for this user alone."""
    user = pwd.getpwuid(os.geteuid())
    path, own = written(tmp_path, "losses", "pcap"), tmp_path / "own"
    cut_at(monkeypatch, cuts(path))
    own.mkdir()
    own.chmod(0o775)
    if (user.pw_gid, grp.getgrgid(user.pw_gid).gr_name) == (own.stat().st_gid, user.pw_name):
        assert analyze(str(path), cluster=Counting(), resume=own).one_pass == ""
    before = os.umask(0o002)
    try:
        assert analyze(str(path), cluster=Counting(), resume=tmp_path / "a" / "b" / "c").one_pass == ""
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/c")] == [0o700] * 3
    own.chmod(0o757)
    with pytest.raises(UsageError, match="others can write"):
        analyze(str(path), cluster=Counting(), resume=own / "x" / "y")
    assert list(own.iterdir()) == []


def test_a_lock_that_is_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made where it leads."""
    path, folder = written(tmp_path, "losses", "pcap"), tmp_path / "work"
    folder.mkdir()
    (folder / kept.LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="name a folder"):
        analyze(str(path), cluster=Counting(), resume=folder)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("asked", [{}, {"frames": "1-2"}])
def test_a_folder_without_a_name(asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the current one: a variable of a script was empty."""
    path = written(tmp_path, "losses", "pcap")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--resume: an empty name; name a folder"):
        analyze(str(path), cluster=Counting(), resume="", **asked)
    done = CliRunner().invoke(cli, ["analyze", str(path), "--resume", ""])
    assert done.exit_code != 0
    assert list(tmp_path.iterdir()) == [path]
