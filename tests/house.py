"""The rooms of the package in their order, and which module imports which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "analyzer"
# A module imports only from what stands to its left. Names joined by bars do not see each other.
ORDER = (
    "beginning ending fields errors serial blank output patterns text parts first together distinct schema kinds tables moments accelerate capture decode ordering summary flows events checksums timing frames choose counters catalogue|sockets "
    "prediction correlate diagnosis account facts hosts presence beside passes lines cluster streamed kernel_counters follow described found analysis whole points evidence evidence_between plot report ask run exported serve cases crosscheck|record|extract cli"
)
RANKS = {name: rank for rank, names in enumerate(ORDER.split()) for name in names.split("|")}
STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)  # where imports stand: in no expression
ENTRANCES = ("__init__", "__main__")  # the package itself: they only pass on what others give
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(file: Path) -> str:
    """`analyzer.decode.link` for analyzer/decode/link.py, `analyzer.decode` for its __init__.py."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in FILES}


def room_of(module: str) -> str:
    """`decode` for analyzer.decode.link, `__init__` for the package itself."""
    return module.partition(".")[2].partition(".")[0] or "__init__"


def imports(file: Path, typing: bool = True) -> list[tuple[str, str]]:
    """(module, name) of everything that is imported from analyzer, wherever in the file it is; with what only type checkers read, or without."""
    found = []
    for node in _nodes(ast.parse(file.read_text()), typing):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found += [(str(node.module), alias.name) for alias in node.names]
    return [(module, name) for module, name in found if module.split(".")[0] == "analyzer"]


def _nodes(node: ast.AST, typing: bool) -> Iterator[ast.AST]:
    """All nodes below one; perhaps without what stands under `if TYPE_CHECKING`."""
    yield node
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" and not typing:
        for child in node.orelse:
            yield from _nodes(child, typing)
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, STATEMENTS):
            yield from _nodes(child, typing)


def imported(module: str, name: str) -> str:
    """The module that `from module import name` runs: a name may be a module of its own."""
    return f"{module}.{name}" if f"{module}.{name}" in MODULES else module


def needed(module: str) -> set[str]:
    """The modules that a module needs at run time, sooner or later: those it imports, and the packages that these stand in.

    The packages in which it stands itself are there before it: it needs them only if it imports from them.
    """
    found, own = set(), {module, *_packages(module)}
    for source, name in imports(MODULES[module], typing=False):
        target = imported(source, name)
        found.add(target)
        found.update(package for package in _packages(target) if package not in own)
    return found


def _packages(module: str) -> list[str]:
    """`analyzer` and `analyzer.decode` for analyzer.decode.link."""
    parts = module.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]
