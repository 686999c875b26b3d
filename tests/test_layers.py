"""Who may import whom: the stages in one direction only, and numba in the kernels only."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

from analyzer.accelerate.sources import sources
from tests.each import for_each
from tests.house import ENTRANCES, FILES, MODULES, PACKAGE, RANKS, ROOT, imported, imports, needed, room_of


@for_each("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_go_one_way(file: Path) -> None:
    """A stage imports from earlier stages and from itself; compiled code stands in kernels."""
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py").removesuffix("_kernel")
    assert own in RANKS or own in ENTRANCES, "a module without a place in the order"
    for module, name in imports(file):
        other = room_of(imported(module, name)).removesuffix("_kernel")
        if own not in ENTRANCES:
            assert other == own or RANKS.get(other, len(RANKS)) < RANKS[own], f"imports {module}"
        if module == "analyzer.accelerate" and name in ("kernel", "part", "inline"):
            assert file.stem.endswith("_kernel"), "compiled code outside of a kernel module"


def test_imports_run_in_no_circle() -> None:
    """Not even inside a stage, and not even where an import waits inside a function: each module can be read before those that need it."""
    order = list(TopologicalSorter({module: needed(module) for module in MODULES}).static_order())
    assert sorted(order) == sorted(MODULES)
    assert order.index("analyzer.analysis") < order.index("analyzer.report.console") < order.index("analyzer.run")


@for_each("file", [file for file in FILES if file.stem.endswith("_kernel")], ids=lambda file: file.stem)
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
