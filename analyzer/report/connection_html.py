"""One connection for the page: what happened, where its time went, its plots, and the same as a table for those who do not see plots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from analyzer.analysis import Analysis
from analyzer.kinds import CAUSES as EVENT_CAUSES
from analyzer.kinds import KINDS, NAMES
from analyzer.plot.page import drawn
from analyzer.plot.panels import CAUSES, SIDES, share_text
from analyzer.plot.plots import Plots
from analyzer.plot.thin import evenly
from analyzer.report.conversation_text import ENDED
from analyzer.report.story import story
from analyzer.report.time_text import flow_text
from analyzer.schema import Rows
from analyzer.tables import FLOW_STATES, TIME_CAUSES
from analyzer.text import duration_text, plural

MOST_EVENTS = 150
WORTH_A_ROW = np.array([kind.trouble > 0 for kind in KINDS]) | np.isin(
    NAMES, ["window_full", "window_limited", "zero_window_end", "keep_alive", "closing_reset", "options_refused"]
)


def connection(analysis: Analysis, plots: Plots, flow: int) -> dict[str, Any]:
    """What the template needs of a connection."""
    row = plots.row(flow)
    events = list(_events(plots, flow))
    total = int(plots.trace(flow).counted[WORTH_A_ROW].sum())
    return {
        "flow": flow,
        "place": f"flow-{flow}",
        "name": plots.name(flow),
        "story": story(row),
        "ended": ENDED[FLOW_STATES[int(row["state"])]],
        "time": flow_text(row, analysis) if row["duration_ns"] else "",
        "parts": list(_parts(row)),
        "figure": drawn(f"flow-{flow}-plots", plots.connection(flow)),
        "events": events,
        "events_title": plural(total, "event") + (f", {len(events):,} of them listed" if total > len(events) else ""),
        "findings": [each.number for each in analysis.diagnosis.findings if flow in each.flows and not each.because_of],
    }


def _parts(row: Rows) -> Iterator[dict[str, Any]]:
    """Its time by cause, most first."""
    spent = {cause: int(row[f"time_{cause}_ns"]) for cause in TIME_CAUSES}
    total = sum(spent.values())
    for cause in sorted(spent, key=lambda each: -spent[each]):
        if spent[cause]:
            yield {
                "role": cause.replace("_", "-"),
                "name": CAUSES[cause],
                "share": share_text(spent[cause], total),
                "width": f"{100 * spent[cause] / total:.3f}",
                "time": duration_text(spent[cause]),
            }


def _events(plots: Plots, flow: int) -> Iterator[dict[str, Any]]:
    """Those that tell something, in order; of many some."""
    events = plots.trace(flow).events
    for event in events[evenly(np.flatnonzero(WORTH_A_ROW[events["event"]]), MOST_EVENTS)]:
        yield {
            "time": f"{plots.seconds(int(event['time_ns'])):.6f}",
            "frame": f"{int(event['frame'])}",
            "side": SIDES[int(event["direction"])],
            "event": NAMES[int(event["event"])].replace("_", " "),
            "cause": EVENT_CAUSES[int(event["cause"])].replace("_", " "),
            "related": f"{int(event['related_frame'])}" if event["related_frame"] else "",
        }
