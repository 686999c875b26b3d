"""Text that stays text in Markdown: names and sentences of a capture, whatever they hold, and code within them."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.patterns import regex
from analyzer.text import printable

# What Markdown, HTML or the mathematics of a notebook would take for something else. A dollar sign stands in an element of
# its own: MathJax reads the page after Markdown has removed a backslash.
ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "<span>&#36;</span>"} | {char: f"\\{char}" for char in "\\`*_[]#|~!"}
)
LIST_ITEM = regex(r"^(\d+)?([-+.)])(?=\s|$)")
TICKS = regex("`+")


def escaped(text: str) -> str:
    """Text in a paragraph, shown as it is."""
    return LIST_ITEM.sub(r"\1\\\2", printable(text).translate(ESCAPES))


def sentence(text: str) -> str:
    """The same of a sentence that marks code by backticks, such as what a rule tells to do: what stands between two of them stays code."""
    text = printable(text)
    ticks = TICKS.findall(text)
    if len(ticks) % 2 or any(len(each) > 1 for each in ticks):
        return escaped(text)
    pieces = text.split("`")
    return "".join(
        f"`{piece}`" if place % 2 and piece.strip() else escaped(piece) for place, piece in enumerate(pieces)
    )


def code(text: str) -> str:
    """A name as code."""
    text = printable(text)
    fence = "`" * (1 + max(map(len, TICKS.findall(text)), default=0))
    room = " " if fence != "`" else ""
    return f"{fence}{room}{text}{room}{fence}"


def block(lines: Iterable[str]) -> str:
    """Lines as they are, in letters of one width."""
    text = "\n".join(printable(line) for line in lines)
    fence = "`" * max(3, 1 + max(map(len, TICKS.findall(text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def bullets(texts: Iterable[str]) -> str:
    """A list, a line for each of these pieces of Markdown."""
    return "\n".join(f"* {text}" for text in texts)
