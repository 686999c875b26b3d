"""Who may import whom: the stages in one direction only, and numba in the kernels only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from analyzer.accelerate import sources

ROOT = Path(__file__).resolve().parent.parent
# A module imports only from what stands to its left. Names joined by bars do not see each other.
ORDER = (
    "errors serial output schema kinds tables accelerate capture decode summary flows events checksums counters catalogue|sockets "
    "prediction correlate diagnosis account passes analysis report|crosscheck|record cli"
)
RANKS = {name: rank for rank, names in enumerate(ORDER.split()) for name in names.split("|")}
FILES = sorted((ROOT / "analyzer").rglob("*.py"))
LATE = {("analysis", "report")}  # an Analysis shows itself in a notebook, as the report would print it
ENTRANCES = ("__init__", "__main__")  # the package itself: they only pass on what others give


def part_of(module: str) -> str:
    """`decode` for analyzer.decode.link."""
    return module.split(".")[1]


def imports(file: Path) -> list[tuple[str, str]]:
    """(module, name) of everything that is imported from analyzer, wherever in the file it is."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found += [(str(node.module), alias.name) for alias in node.names]
    found = [(f"analyzer.{name}" if module == "analyzer" else module, name) for module, name in found]
    return [(module, name) for module, name in found if module.startswith("analyzer.")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_go_one_way(file: Path) -> None:
    """A stage imports from earlier stages and from itself; compiled code stands in kernels."""
    own = file.relative_to(ROOT / "analyzer").parts[0].removesuffix(".py").removesuffix("_kernel")
    assert own in RANKS or own in ENTRANCES, "a module without a place in the order"
    for module, name in imports(file):
        other = part_of(module).removesuffix("_kernel")
        if own not in ENTRANCES:
            assert other == own or RANKS[other] < RANKS[own] or (own, other) in LATE, f"imports {module}"
        if module == "analyzer.accelerate" and name in ("kernel", "part", "inline"):
            assert file.stem.endswith("_kernel"), "compiled code outside of a kernel module"


@pytest.mark.parametrize("file", [file for file in FILES if file.stem.endswith("_kernel")], ids=lambda file: file.stem)
def test_every_module_of_a_kernel_makes_its_code_stale(file: Path) -> None:
    """Machine code on disk is dropped when a module changes whose functions or values a kernel holds."""
    found = sources(file)
    assert file in found
    for module, name in imports(file):
        assert any(path.exists() and path in found for path in candidates(module, name)), f"{module} is not watched"


def candidates(module: str, name: str) -> list[Path]:
    """Where a module, or one in a package, may stand."""
    path = ROOT.joinpath(*module.split("."))
    return [path.with_suffix(".py"), path / "__init__.py", path / f"{name}.py"]


def test_only_what_a_kernel_needs_makes_it_stale() -> None:
    """A change of the decoder does not compile the events anew."""
    found = {path.name for path in sources(ROOT / "analyzer" / "decode" / "walk_kernel.py")}
    assert "codes.py" in found
    assert "judge_kernel.py" not in found
