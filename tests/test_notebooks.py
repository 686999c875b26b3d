"""The notebooks run from top to bottom, and say something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.readme import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    """The folder is not empty."""
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every code cell runs, from the notebooks' own folder, and is stored without outputs."""
    monkeypatch.chdir(path.parent)
    names: dict[str, Any] = {}
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        assert cell["outputs"] == []
        exec(compile("".join(cell["source"]), str(path), "exec"), names)
    assert len(names["packets"]) == names["a"].summary.total("frames")


def test_first_look_finds_what_was_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample lost seven data segments on the way, and the client's capture shows each sent again."""
    path = ROOT / "notebooks" / "first-look.ipynb"
    monkeypatch.chdir(path.parent)
    names: dict[str, Any] = {}
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert len(names["again"]) == 7
    # The SYN that was lost too carries no data: it is in the events only.
    resent = names["resent"]
    assert set(names["again"]["frame"]) < set(resent["frame"])
    assert len(resent) == len(names["again"]) + 1
    assert (resent["related_frame"] < resent["frame"]).all()
