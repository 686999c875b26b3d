"""A picture before it is drawn: panels above one another on one axis, each of layers. Knows no library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields

Numbers = npt.NDArray[np.float64]
Shape = Literal["line", "steps", "bars", "points", "spans", "columns"]


@of_fields(frozen=True)
class Layer:
    """One sort of thing in a panel.

    `line` and `steps` join the points (x, y), gaps where y is NaN; `points` mark them with a `symbol`; `bars` stand at x from y
    to `end`; `spans` lie at the height y from x to `end`; `columns` are bars from 0 that stand on those of the layers before,
    `width` wide. `role` names a colour (`palette`), `frames` the frame of each point, 0 where none is meant, `notes` a text of each.
    """

    name: str
    shape: Shape
    role: str
    x: Numbers
    y: Numbers
    end: Numbers | None = None
    frames: npt.NDArray[np.int64] | None = None
    notes: Sequence[str] = ()
    symbol: str = "circle"
    width: float = 0.0
    dashed: bool = False
    broad: bool = False  # so that a line that covers it leaves it to be seen
    left_out: int = 0  # points that were thinned away

    @property
    def label(self) -> str:
        """Its name, and how much of it is not drawn."""
        return self.name + (f" ({self.left_out:,} more not drawn)" if self.left_out else "")


@of_fields(frozen=True)
class Band:
    """A time that is shaded in a panel, such as that of a closed window."""

    start: float
    end: float
    role: str


@of_fields(frozen=True)
class Panel:
    """A coordinate system. `unit` is `bytes`, `bit/s`, `s` or empty for counts; `rows` name the heights 0, 1, ... of spans, topmost first."""

    title: str
    unit: str
    layers: Sequence[Layer]
    height: float = 1.0  # in relation to the others
    bands: Sequence[Band] = ()
    rows: Sequence[str] = ()
    top: float = 0.0  # where the scale ends; 0 where all that is drawn shall be seen
    whole: bool = False  # is there nothing between whole numbers?

    @property
    def highest(self) -> float:
        """The largest height, columns upon one another; 0 where nothing is drawn."""
        reached: dict[float, float] = {}
        for layer in self.layers:
            heights = np.fmax(layer.y, layer.y if layer.end is None else layer.end)
            for x, y in zip(layer.x.tolist(), np.nan_to_num(heights).tolist(), strict=True):
                below = reached.get(x, 0.0)
                reached[x] = below + y if layer.shape == "columns" else max(below, y)
        return max(reached.values(), default=0.0)


@of_fields(frozen=True)
class Picture:
    """A picture, with what it shows in words for those who cannot see it. `axis` is the title of the axis that all panels share."""

    title: str
    text: str
    panels: Sequence[Panel]
    axis: str
    span: tuple[float, float]
