"""The answer to a query as text, or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from analyzer.report.grid import grid_lines, is_number, rest_text
from analyzer.report.json_text import SCHEMA_VERSION
from analyzer.report.layout import Style, plain


def answer_lines(
    names: Sequence[str],
    types: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    more: bool,
    how: str,
    style: Style = plain,
) -> Iterator[str]:
    """A grid, and how many rows it has; where there are `more`, `how` to have them."""
    yield from grid_lines(names, [is_number(kind) for kind in types], rows, style)
    yield style(rest_text(len(rows), more, how), "info")


def answer_dict(
    names: Sequence[str], types: Sequence[str], rows: Sequence[tuple[Any, ...]], more: bool
) -> dict[str, Any]:
    """The same for programs: `rows` are lists in the order of `columns`, since names may come twice."""
    return {
        "schema_version": SCHEMA_VERSION,
        "columns": [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)],
        "rows": [list(row) for row in rows],
        "more": more,
    }


def answer_json(names: Sequence[str], types: Sequence[str], rows: Sequence[tuple[Any, ...]], more: bool) -> str:
    """That as text."""
    return json.dumps(answer_dict(names, types, rows, more), default=str) + "\n"
