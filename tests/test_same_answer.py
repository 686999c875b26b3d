"""The same capture gives the same answer, to the byte: from a file, a pipe or compressed, in pieces of any size, under any seed."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.command import run
from tests.house import ROOT

SAMPLES = ["loss-ipv4/client", "syn-flood/server", "paws-drop/server"]


@cache
def answer(sample: str, hash_seed: str, given: str = "") -> str:
    """What `analyze --json` prints; `-` is a pipe. The tables of connections, directions and copies have another secret seed in each process."""
    folder = ROOT / "samples" / sample
    piped = (folder / "capture.pcap").read_bytes() if given == "-" else None
    ran = run("analyze", "--json", given or folder, stdin=piped, PYTHONHASHSEED=hash_seed)
    assert ran.status == 0, ran.err
    return ran.out


@pytest.mark.parametrize("sample", SAMPLES)
def test_under_any_seed(sample: str) -> None:
    """Of our own tables and of Python's; and there are findings that could come in another order."""
    first = answer(sample, "1")
    assert json.loads(first)["findings"]
    assert answer(sample, "77") == first


@pytest.mark.parametrize("sample", SAMPLES)
def test_from_a_pipe_and_compressed(sample: str, tmp_path: Path) -> None:
    """But for the name and the size of the file."""
    path = ROOT / "samples" / sample / "capture.pcap"
    packed = tmp_path / "capture.pcap.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    plain = _but_the_file(answer(sample, "1", str(path)))
    assert _but_the_file(answer(sample, "1", "-")) == plain
    assert _but_the_file(answer(sample, "1", str(packed))) == plain


def _but_the_file(text: str) -> Any:
    told = json.loads(text)
    for file in told["capture"]["files"]:
        assert {"path", "size"} <= set(file)
        del file["path"], file["size"]
        file.pop("compression", None)
    return told
