"""A picture as plotly's JSON: one axis of time for all panels, zoom and hover, frame numbers on what has a frame."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.plot.palette import LIGHT
from analyzer.plot.picture import Layer, Panel, Picture

UNITS = {  # how a number of each unit is written: on the axis, and when it is pointed at
    "bytes": ("~s", "B", ",.0f", " bytes"),
    "bit/s": ("~s", "bit/s", ".4~s", "bit/s"),
    "s": ("~s", "s", ".4~s", "s"),
    "": (",.6~g", "", ",.6~g", ""),
}
PIXELS = 150  # of a panel of height 1
BETWEEN = 46  # between panels
TOP, BOTTOM = 34, 52
LEGEND_WIDTH = 250
MARGIN_OF_TIME = 0.02
BROAD, PALE = 5, 0.5  # pixels, opacity
DECIMALS = 7  # of a second: finer than can be pointed at


def figure_dict(picture: Picture, palette: dict[str, str] | None = None) -> dict[str, Any]:
    """`data` and `layout` of a plotly figure. `palette` gives the colour of each role; without, those for a light ground.

    Every text is escaped: plotly reads some HTML in texts.
    """
    colours = palette or LIGHT
    panels = picture.panels
    inner = sum(PIXELS * panel.height for panel in panels) + BETWEEN * max(len(panels) - 1, 0)
    layout = _layout(picture, panels, colours, inner)
    data: list[dict[str, Any]] = []
    top = inner
    for number, panel in enumerate(panels, 1):
        height = PIXELS * panel.height
        axis = str(number) if number > 1 else ""
        layout[f"yaxis{axis}"] = _height_axis(panel, colours, (top - height) / inner, top / inner)
        layout[f"legend{axis}"] = {
            "x": 1.01, "y": top / inner, "xanchor": "left", "yanchor": "top", "bgcolor": "rgba(0,0,0,0)",
            "font": {"size": 11}, "tracegroupgap": 0, "itemwidth": 30,
        }  # fmt: skip
        layout["annotations"].append(
            {
                "text": f"<b>{escaped(panel.title)}</b>",
                "x": 0,
                "y": top / inner,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 12.5},
            }
        )
        layout["shapes"] += [
            {
                "type": "rect", "xref": "x", "yref": f"y{axis} domain", "x0": band.start, "x1": band.end, "y0": 0, "y1": 1,
                "fillcolor": colours[band.role], "opacity": 0.14, "line": {"width": 0}, "layer": "below",
            }
            for band in panel.bands
        ]  # fmt: skip
        data += [_trace(layer, panel, axis, colours) for layer in panel.layers]
        top -= height + BETWEEN
    return {"data": data, "layout": layout}


def _layout(picture: Picture, panels: Sequence[Panel], colours: dict[str, str], inner: float) -> dict[str, Any]:
    start, end = picture.span
    room = max((end - start) * MARGIN_OF_TIME, 1e-6)
    legends = any(not panel.rows for panel in panels)
    return {
        "height": round(inner) + TOP + BOTTOM,
        "margin": {"l": 64, "r": LEGEND_WIDTH if legends else 20, "t": TOP, "b": BOTTOM},
        "paper_bgcolor": colours["paper"],
        "plot_bgcolor": colours["paper"],
        "font": {"color": colours["text"], "size": 12, "family": "system-ui, sans-serif"},
        "hovermode": "closest",
        "hoverdistance": 16,
        "hoverlabel": {"bgcolor": colours["paper"], "font": {"color": colours["text"]}, "align": "left", "namelength": -1},
        "dragmode": "zoom",
        "barmode": "stack",
        "bargap": 0,
        "annotations": [],
        "shapes": [],
        "xaxis": {
            "range": [start - room, end + room], "title": {"text": escaped(picture.axis), "font": {"size": 12}},
            "gridcolor": colours["grid"], "zeroline": False, "anchor": "free", "position": 0, "exponentformat": "none",
            "separatethousands": True, "showspikes": True, "spikemode": "across", "spikethickness": 1, "spikedash": "dot",
            "spikecolor": colours["end"], "spikesnap": "cursor",
        },
    }  # fmt: skip


def _height_axis(panel: Panel, colours: dict[str, str], low: float, high: float) -> dict[str, Any]:
    """The axis of one panel."""
    axis: dict[str, Any] = {
        "domain": [max(low, 0.0), min(high, 1.0)], "anchor": "x", "gridcolor": colours["grid"], "zeroline": False,
        "automargin": True,
    }  # fmt: skip
    if panel.rows:
        count = len(panel.rows)
        return axis | {
            "tickvals": list(range(count)), "ticktext": [escaped(row) for row in panel.rows],
            "range": [count - 0.4, -0.6], "showgrid": False, "fixedrange": True,
        }  # fmt: skip
    ticks, suffix, _, _ = UNITS[panel.unit]
    count = max(3, round(5 * panel.height))
    axis |= {"tickformat": ticks, "ticksuffix": suffix, "rangemode": "tozero", "nticks": count}
    if panel.whole and panel.highest < count:
        axis["dtick"] = 1
    return axis | ({"range": [0, panel.top]} if panel.top else {})


def _trace(layer: Layer, panel: Panel, axis: str, colours: dict[str, str]) -> dict[str, Any]:
    """One layer as a trace."""
    colour = colours[layer.role]
    trace: dict[str, Any] = {
        "type": "scatter", "name": escaped(layer.label), "xaxis": "x", "yaxis": f"y{axis}",
        "legend": f"legend{axis}", "showlegend": not panel.rows, "mode": "lines",
    }  # fmt: skip
    frames = layer.frames
    if layer.shape == "columns":
        trace |= {"type": "bar", "marker": {"color": colour}, "width": layer.width}
        trace.pop("mode")
        x, y = layer.x, layer.y
    elif layer.shape == "points":
        small = layer.symbol == "dot"
        trace |= {
            "mode": "markers",
            "cliponaxis": False,
            "marker": {"color": colour, "symbol": "circle" if small else layer.symbol, "size": 4 if small else 9},
        }
        x, y = layer.x, layer.y
    elif layer.shape in ("bars", "spans"):
        assert layer.end is not None, "bars and spans have an end"
        upright = layer.shape == "bars"
        x = _apart(layer.x, layer.x if upright else layer.end)
        y = _apart(layer.y, layer.end if upright else layer.y)
        frames = None if frames is None else np.repeat(frames, 3)
        trace["line"] = {"color": colour, "width": 2 if upright else 12}
        if not upright:
            # A span too short to be seen as a line is still there as a dot.
            trace |= {"mode": "lines+markers", "marker": {"color": colour, "symbol": "line-ns-open", "size": 12}}
    else:
        trace["line"] = {
            "color": colour,
            "width": BROAD if layer.broad else 1.5,
            "dash": "4px,2px" if layer.dashed else "solid",
        }
        if layer.shape == "steps":
            trace["line"]["shape"] = "hv"
        x, y = layer.x, layer.y
    trace["x"], trace["y"] = numbers(x), numbers(y)
    return trace | _pointed_at(layer, panel, frames)


def _pointed_at(layer: Layer, panel: Panel, frames: npt.NDArray[np.int64] | None) -> dict[str, Any]:
    """What is said when it is pointed at."""
    _, _, number, suffix = UNITS[panel.unit]
    said = ["%{x:.6f} s"] if panel.rows else [f"%{{y:{number}}}{suffix}", "%{x:.6f} s"]
    found: dict[str, Any] = {}
    if frames is not None:
        said.insert(0, "frame %{customdata}")
        found["customdata"] = frames.tolist()
    if layer.notes:
        said.append("%{text}")
        found["text"] = [escaped(note) for note in layer.notes]
    return found | {"hovertemplate": "<br>".join(said) + f"<extra>{escaped(layer.name)}</extra>"}


def _apart(start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Start, end, gap, start, end, gap, ..."""
    return np.column_stack([start, end, np.full(len(start), np.nan)]).ravel()


def escaped(text: str) -> str:
    """As plotly shows it as it is: of entities it knows those of brackets and ampersands only."""
    return html.escape(text, quote=False)


def numbers(values: npt.NDArray[np.float64]) -> list[float | None]:
    """For JSON, None for gaps. In decimals they compress better than as binary numbers."""
    known = ~np.isnan(values)
    whole = bool((values[known] == np.floor(values[known])).all())
    shown = values.round(DECIMALS)
    kind = int if whole else float
    if known.all():
        return list(map(kind, shown.tolist()))
    return [kind(each) if there else None for each, there in zip(shown.tolist(), known.tolist(), strict=True)]
