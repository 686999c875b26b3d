"""The table `flow_events`: the kernel against its naive twin, however the events are cut into parts, and with no room."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import analyze
from analyzer.events.gather import Gatherer, frames_of
from analyzer.kinds import CAUSES, KINDS
from analyzer.schema import Rows
from analyzer.tables import EVENTS, FLOW_EVENTS
from tests.helpers import SAMPLES
from tests.naive.gather import gathered

EDGE = 2**63 - 1
EVENT = st.tuples(
    st.integers(-1, 6),
    st.integers(0, 1),
    st.integers(0, len(KINDS) - 1),
    st.integers(0, len(CAUSES) - 1),
    st.integers(0, 3),
    st.one_of(st.integers(-5, 5), st.sampled_from([EDGE, -EDGE - 1, EDGE - 1])),
    st.integers(0, 3),
)


def rows_of(events: list[tuple[int, ...]]) -> Rows:
    """Rows of the table `events`, a frame each."""
    rows = np.zeros(len(events), EVENTS.dtype)
    for number, (flow, direction, event, cause, related, value, since) in enumerate(events):
        row = rows[number]
        row["frame"], row["time_ns"], row["flow"], row["direction"] = number + 1, 1000 * number, flow, direction
        row["event"], row["cause"], row["related_frame"], row["value"] = event, cause, related, value
        row["since_ns"] = since
    return rows


def as_dicts(rows: Rows) -> list[dict[str, object]]:
    """Rows of `flow_events` as the twin has them."""
    names = [name for name in FLOW_EVENTS.dtype.names or () if not name.startswith(("frame_", "related_"))]
    frames, related = frames_of(rows), frames_of(rows, "related")
    return [
        {name: row[name].item() for name in names} | {"frames": frames[at], "related_frames": related[at]}
        for at, row in enumerate(rows)
    ]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(EVENT, max_size=60), st.integers(1, 20), st.integers(1, 60))
def test_the_kernel_and_its_twin(events: list[tuple[int, ...]], capacity: int, size: int) -> None:
    """Value by value, for any size of parts; sums stop at the ends of int64."""
    rows = rows_of(events)
    gatherer = Gatherer(capacity)
    for start in range(0, len(rows), size):
        gatherer.add(np.ascontiguousarray(rows[start : start + size]))
    plain = [{name: row[name].item() for name in EVENTS.dtype.names or ()} for row in rows]
    assert as_dicts(gatherer.rows()) == gathered(plain, capacity)


def test_more_flows_than_fit() -> None:
    """Of trouble as many rows as there is room, of all else half as many; nothing is lost, and the table is never full."""
    refused = next(number for number, kind in enumerate(KINDS) if kind.name == "refused")
    harmless = next(number for number, kind in enumerate(KINDS) if not kind.trouble)
    gatherer = Gatherer(64)
    gatherer.add(rows_of([(flow, 0, harmless, 0, 0, 1, 0) for flow in range(500)]))
    gatherer.add(rows_of([(flow, 0, refused, 0, 0, 1, 0) for flow in range(500)]))
    rows = gatherer.rows()
    assert int(rows["count"].sum()) == 1000
    kept: npt.NDArray[np.int64] = rows["event"][rows["flow"] >= 0]
    assert [(kept == harmless).sum(), (kept == refused).sum()] == [32, 31]
    assert sorted(rows["count"][rows["flow"] < 0].tolist()) == [468, 469]


def test_it_is_what_the_events_say() -> None:
    """Of a sample: as many as there are events, kind by kind."""
    analysis = analyze(SAMPLES / "zero-window-forever" / "server")
    counts = analysis.flow_events.groupby("event", observed=True)["count"].sum().to_dict()
    assert counts == analysis.event_counts == analysis.events["event"].value_counts()[lambda n: n > 0].to_dict()
