"""A picture as SVG or PNG: the same panels, drawn without a browser."""

from __future__ import annotations

import textwrap
from typing import Any, BinaryIO

import numpy as np

from analyzer.plot.extras import needed
from analyzer.plot.palette import LIGHT
from analyzer.plot.picture import Layer, Panel, Picture

WIDTH = 13.0  # inches
INCHES = 1.9  # of a panel of height 1
DPI = 120
TITLE_COLUMNS = 120
MARKS = {
    "dot": ".", "circle": "o", "square": "s", "diamond": "D", "diamond-tall": "d", "cross": "P", "x": "X",
    "triangle-up": "^", "triangle-down": "v", "triangle-left": "<", "triangle-right": ">", "pentagon": "p",
    "hexagon": "h", "star": "*", "star-triangle-up": "2", "hourglass": "8", "bowtie": "H",
}  # fmt: skip
SMALL = 3
THIN, BROAD, PALE = 1.1, 3.6, 0.5  # lines, in points; opacity
UNITS = {"bytes": "B", "bit/s": "bit/s", "s": "s"}


def draw(picture: Picture, kind: str, file: BinaryIO) -> None:
    """Write the picture as `svg` or `png`. Texts in an SVG are texts, which can be searched."""
    matplotlib = needed("matplotlib")
    panels = picture.panels
    heights = [panel.height for panel in panels]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tcpcap", "text.parse_math": False}):
        figure = needed("matplotlib.figure").Figure(
            figsize=(WIDTH, INCHES * sum(heights) + 0.5 * len(panels) + 0.6), layout="constrained"
        )
        figure.suptitle(textwrap.fill(picture.title, TITLE_COLUMNS), x=0.01, ha="left", fontweight="bold")
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        for panel, axis in zip(panels, axes, strict=True):
            _draw_panel(panel, axis)
        axes[-1].set_xlabel(picture.axis)
        axes[-1].set_xlim(*_with_room(*picture.span))
        # No date, so that the same picture is the same file.
        figure.savefig(file, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)


def _with_room(start: float, end: float) -> tuple[float, float]:
    room = max((end - start) * 0.02, 1e-6)
    return start - room, end + room


def _draw_panel(panel: Panel, axis: Any) -> None:
    axis.set_title(panel.title, loc="left", fontsize="medium")
    axis.grid(color=LIGHT["grid"], linewidth=0.6)
    for band in panel.bands:
        axis.axvspan(band.start, band.end, color=LIGHT[band.role], alpha=0.18, linewidth=0)
    floor: dict[float, float] = {}
    for layer in panel.layers:
        _draw_layer(layer, axis, floor)
    if panel.rows:
        axis.set_yticks(range(len(panel.rows)), panel.rows)
        axis.set_ylim(len(panel.rows) - 0.4, -0.6)
        return
    if panel.unit:
        axis.yaxis.set_major_formatter(needed("matplotlib.ticker").EngFormatter(unit=UNITS[panel.unit]))
    if panel.whole:
        axis.yaxis.set_major_locator(needed("matplotlib.ticker").MaxNLocator(integer=True))
    axis.set_ylim(bottom=0, top=panel.top or None)
    axis.legend(loc="upper left", bbox_to_anchor=(1.005, 1.0), fontsize="small", frameon=False)


def _draw_layer(layer: Layer, axis: Any, floor: dict[float, float]) -> None:
    """`floor` is what columns of other layers have reached at each x."""
    colour = LIGHT[layer.role]
    style, width = "--" if layer.dashed else "-", BROAD if layer.broad else THIN
    if layer.shape == "steps":
        axis.step(layer.x, layer.y, style, where="post", color=colour, linewidth=width, label=layer.label)
    elif layer.shape == "line":
        alpha = PALE if layer.broad else None
        axis.plot(layer.x, layer.y, style, color=colour, alpha=alpha, linewidth=width, label=layer.label)
    elif layer.shape == "points":
        size = SMALL if layer.symbol == "dot" else 2 * SMALL
        axis.plot(
            layer.x, layer.y, MARKS[layer.symbol], color=colour, markersize=size, label=layer.label, clip_on=False
        )
    elif layer.shape == "bars":
        axis.vlines(layer.x, layer.y, layer.end, colors=colour, linewidth=1.4, label=layer.label)
    elif layer.shape == "spans":
        axis.hlines(layer.y, layer.x, layer.end, colors=colour, linewidth=8)
        axis.plot(layer.x, layer.y, "|", color=colour, markersize=8)
    else:
        bottom = np.array([floor.get(x, 0.0) for x in layer.x.tolist()])
        axis.bar(layer.x, layer.y, layer.width, bottom=bottom, color=colour, label=layer.label)
        floor.update(zip(layer.x.tolist(), (bottom + layer.y).tolist(), strict=True))
