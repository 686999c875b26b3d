"""Rows as a grid of columns for the terminal: numbers to the right, texts to the left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.report.layout import Style, plain
from analyzer.text import plural, printable

LONGEST = 60  # of a value in a grid of several columns
NUMBERS = ("BIGINT", "INTEGER", "HUGEINT", "UBIGINT", "DOUBLE", "FLOAT", "SMALLINT", "TINYINT", "UINTEGER", "UHUGEINT")


def is_number(kind: str) -> bool:
    """Is a column of this DuckDB type set to the right?"""
    return kind in NUMBERS or kind.startswith("DECIMAL")


def grid_lines(
    names: Sequence[str], right: Sequence[bool], rows: Sequence[Sequence[str | None]], style: Style = plain
) -> Iterator[str]:
    """A line with the names, then one for each row. A missing value is empty; a long one is cut where there are several columns, which `...` shows."""
    told = [[_cell(value, len(names) > 1) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[at]) for row in told)]) for at, name in enumerate(names)]

    def line(cells: Sequence[str]) -> str:
        placed = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(cells, widths, right, strict=True)
        )
        return "  ".join(placed).rstrip()

    yield style(line(names), "title")
    yield from (line(row) for row in told)


def rest_text(shown: int, more: bool, how: str) -> str:
    """A last line where rows were left out."""
    return f"... more rows than these {shown:,}: {how}" if more else f"({plural(shown, 'row')})"


def _cell(value: str | None, cut: bool) -> str:
    text = "" if value is None else printable(value)
    return text[: LONGEST - 3] + "..." if cut and len(text) > LONGEST else text
