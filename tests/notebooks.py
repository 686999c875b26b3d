"""Runs notebooks without Jupyter: cell by cell, in one namespace."""

from __future__ import annotations

import ast
from typing import Any


def cells_of(book: dict[str, Any], kind: str) -> list[str]:
    """The texts of its cells of one kind."""
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == kind]


def ran(book: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The names that its code leaves behind, and what each cell shows: the value of its last expression."""
    names: dict[str, Any] = {}
    shown: list[Any] = []
    for number, source in enumerate(cells_of(book, "code"), 1):
        tree = ast.parse(source, f"<code cell {number}>")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"<code cell {number}>", "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), f"<code cell {number}>", "eval"), names))
    return names, shown
