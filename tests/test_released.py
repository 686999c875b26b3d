"""What was found goes with the last who knows it: not when Python next looks for cycles, which may be after a dozen large captures."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.report.json_text import json_pieces
from analyzer.report.points_json import points_json
from tests.helpers import SAMPLES

BUNDLE = SAMPLES / "syn-queue-full" / "server"
BETWEEN = {side: str(SAMPLES / "loss-ipv4" / side) for side in ("client", "server")}
ASKED: dict[str, Callable[[Any], object]] = {
    "nothing": lambda analysis: None,
    "findings": lambda analysis: analysis.findings,
    "counters": lambda analysis: (analysis.counters, analysis.counters_whole, analysis.comparison),
    "increments": lambda analysis: analysis.increments,
    "sockets": lambda analysis: (analysis.sockets, analysis.sockets_seen, analysis.socket_lists),
    "tables": lambda analysis: (analysis.flows, analysis.packets, analysis.events, analysis.hosts, analysis.checksums),
    "json": lambda analysis: "".join(json_pieces(analysis)),
    "text": str,
    "notebook": lambda analysis: analysis._repr_html_(),
    "flow": lambda analysis: str(analysis.flow(0)),
    "picture": lambda analysis: (analysis.plot.time_sequence(0), analysis.plot.overview()),
    "question": lambda analysis: analysis.sql("SELECT count(*) FROM flows"),
}


@pytest.fixture(autouse=True)
def nobody_looks_for_cycles() -> Iterator[None]:
    """Until the test is over."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("asked", ASKED)
def test_an_analysis(asked: str) -> None:
    """Whatever it was asked; and the states of its flows, which are the large part of it."""
    analysis = analyze(str(BUNDLE))
    assert isinstance(analysis, Analysis) and analysis.has_sockets and analysis.counter_series is not None
    ASKED[asked](analysis)
    known = weakref.ref(analysis), weakref.ref(analysis.flow_tracker)
    del analysis
    assert [each() for each in known] == [None, None]


ASKED_OF_POINTS: dict[str, Callable[[Any], object]] = {
    "nothing": lambda points: None,
    "tables": lambda points: (points.passages, points.paths, points.findings),
    "json": lambda points: "".join(points_json(points)),
    "text": str,
    "notebook": lambda points: points._repr_html_(),
    "flow": lambda points: str(points.flow(0)),
    "picture": lambda points: points.plot.time_sequence(0),
    "question": lambda points: points.sql("SELECT count(*) FROM passages"),
}


@pytest.mark.parametrize("asked", ASKED_OF_POINTS)
def test_points(asked: str) -> None:
    """Captures of two places, compared."""
    points = analyze(at=BETWEEN)
    ASKED_OF_POINTS[asked](points)
    known = weakref.ref(points)
    del points
    assert known() is None


def test_what_is_kept_of_it_still_answers() -> None:
    """A comparison outlives the analysis that it came from."""
    comparison = analyze(str(BUNDLE)).comparison
    assert comparison is not None
    assert comparison.whole() == analyze(str(BUNDLE)).comparison.whole()  # type: ignore[union-attr]


def test_what_is_asked_of_a_copy() -> None:
    """It answers when the first is gone."""
    analysis = analyze(str(BUNDLE))
    analysis.sql("SELECT 1")
    other = copy.copy(analysis)
    del analysis
    assert len(other.sql("SELECT flow FROM flows")) > 0
