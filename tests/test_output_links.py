"""A link under the name of what is written: a user's own is followed, that of somebody else leads nobody to write where they may not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analyzer.errors import TcpcapError
from analyzer.output import appearing

STRANGER = 65_534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what is another's")


def write(path: Path) -> None:
    """A file."""
    with appearing(str(path), []) as file:
        file.write(b"new")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder as /tmp is, and beside it a file that only this user may write to."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    (tmp_path / "private").write_bytes(b"old")
    return tmp_path / "shared"


@needs_root
@pytest.mark.parametrize("target", ["private", "nothing"])
def test_a_link_that_somebody_else_has_put_there(target: str, shared: Path) -> None:
    """Whether it leads to a file or to none yet: it is refused, whatever the settings of the system."""
    (shared / "x.csv").symlink_to(shared.parent / target)
    os.lchown(shared / "x.csv", STRANGER, STRANGER)
    with pytest.raises(TcpcapError, match="cannot be written"):
        write(shared / "x.csv")
    assert (shared.parent / "private").read_bytes() == b"old"
    assert not (shared.parent / "nothing").exists()
    assert [path.name for path in shared.iterdir()] == ["x.csv"]


def test_a_link_of_ones_own(shared: Path) -> None:
    """It stays a link, also where all may write."""
    (shared / "x.csv").symlink_to(shared.parent / "private")
    write(shared / "x.csv")
    assert (shared / "x.csv").is_symlink()
    assert (shared.parent / "private").read_bytes() == b"new"


def test_what_becomes_a_link_meanwhile(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the moment after it was looked at: then the link is replaced, and what it leads to stays."""
    (shared / "x.csv").symlink_to(shared.parent / "private")
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)
    write(shared / "x.csv")
    monkeypatch.undo()
    assert not (shared / "x.csv").is_symlink()
    assert (shared / "x.csv").read_bytes() == b"new"
    assert (shared.parent / "private").read_bytes() == b"old"
