"""A picture that shows itself: in a notebook, as a figure of plotly, in a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analyzer.fields import of_fields
from analyzer.output import Input
from analyzer.plot.extras import needed
from analyzer.plot.interactive import figure_dict
from analyzer.plot.page import fragment
from analyzer.plot.picture import Picture
from analyzer.plot.saving import save


@of_fields(frozen=True)
class Drawing(Picture):
    """What `analysis.plot` gives."""

    def figure(self) -> Any:
        """The figure as a `plotly.graph_objects.Figure`, to be changed further."""
        return needed("plotly.graph_objects").Figure(figure_dict(self))

    def save(self, target: str, inputs: Sequence[Input] = ()) -> None:
        """Write the picture as what the name of `target` ends in: .html (zoom and hover), .svg or .png.

        Raises TcpcapError where it ends in nothing of these, is one of the `inputs`, or cannot be written.
        """
        save(self, target, inputs)

    def _repr_html_(self) -> str:
        return fragment(self)
