"""A picture into a file, in the form that its name ends in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyzer.errors import UsageError
from analyzer.output import Input, appearing
from analyzer.plot.page import page
from analyzer.plot.picture import Picture
from analyzer.plot.still import draw

ENDINGS = ("html", "svg", "png")


def ending(target: str) -> str:
    """What the name ends in; UsageError where that is no form of a picture."""
    found = Path(target).suffix.lstrip(".").lower()
    if found not in ENDINGS:
        raise UsageError(target, "its ending names no form of a picture", "let it end in .html, .svg or .png")
    return found


def save(picture: Picture, target: str, inputs: Sequence[Input] = ()) -> None:
    """Write a picture; the file appears when it is complete, and never over what is read."""
    kind = ending(target)
    with appearing(target, inputs, "a picture") as file:
        if kind == "html":
            file.write(page(picture).encode())
        else:
            draw(picture, kind, file)
