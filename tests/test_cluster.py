"""Ranges read and shares judged: the same answer as one pass, to the byte, wherever the file is cut and whoever does the work."""

from __future__ import annotations

import os
import re
import signal
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from analyzer import analyze
from analyzer.capture import open_capture
from analyzer.cluster import part_kernel, parted
from analyzer.cluster.executor import Here, Result, Task
from analyzer.cluster.processes import Processes
from analyzer.cluster.ranges import RangeFile, head_of, ranges_of
from analyzer.cluster.shares import ShareWriter, rows_of_share
from analyzer.decode import decode
from analyzer.errors import CaptureError, TcpcapError
from analyzer.flows.tuple_kernel import has_flow
from analyzer.report.json_text import json_pieces
from analyzer.schema import Rows
from analyzer.tables import PACKETS
from tests.helpers import SAMPLES
from tests.house import PACKAGE

SHARED = [  # of every family one, as small as they are; each can be judged in parts
    "syn-ack-loss/server/capture.pcap",
    "zero-window-empty-queue/client/capture.pcap",
    "fin-loss/client/capture.pcap",
    "fast-open-refused/client/capture.pcap",
]
TABLES = ("flows", "flow_events", "capture_facts", "checksums", "hosts", "findings", "not_checked")


class Several(Here):
    """Does what is asked for as if several did it."""

    def __init__(self, width: int) -> None:
        self.width = width


def said(analysis: Any) -> list[str]:
    """All that an analysis says: its JSON, its tables, and the notes on where time went."""
    tables = [getattr(analysis, name).to_json(orient="split") for name in TABLES]
    slow = repr(list(analysis.slow_notes(100)))
    return ["".join(json_pieces(analysis)), *tables, analysis.sql("SELECT count(*), sum(frame) FROM events").to_json(), slow]


@cache
def expected(path: str) -> list[str]:
    """The same of one pass."""
    return said(analyze(path))


def cut_at(monkeypatch: pytest.MonkeyPatch, cuts: Sequence[int]) -> None:
    monkeypatch.setattr(parted, "cuts_of", lambda head, size, width: cuts)


@pytest.mark.parametrize("sample", SHARED)
@pytest.mark.parametrize(("pieces", "width"), [(1, 1), (2, 3), (7, 4)])
def test_the_same_answer_wherever_it_is_cut(sample: str, pieces: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any byte, and for any number of workers."""
    path = SAMPLES / sample
    random = Random(f"{sample} {pieces}")
    cut_at(monkeypatch, [random.randrange(path.stat().st_size) for _ in range(pieces - 1)])
    analysis = analyze(str(path), cluster=Several(width))
    assert analysis.one_pass == ""
    assert said(analysis) == expected(str(path))
