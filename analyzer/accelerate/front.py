"""Kernels -> LLVM's intermediate language: numba's front end alone. Nothing is optimised or emitted function by function.

numba compiles each function to machine code of its own, and each caller anew with all that it calls. Here every function is typed
and lowered once, and the texts of all of them are kept, to be linked, optimised and emitted as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from typing import Any
from unittest.mock import patch

from analyzer.accelerate import jit
from analyzer.accelerate.cache import Cache
from analyzer.accelerate.emit import Kernel, Texts
from analyzer.accelerate.lean import less_to_do
from analyzer.accelerate.types import results_of, text_of

RARE = (
    "noinline",
    "cold",
)  # LLVM inlines any function with one caller, and lays out what calls a cold one as if it did not


def kernel_names(modules: Collection[str]) -> list[str]:
    """The kernels of some modules, each by the name of its module and function."""
    for module in modules:
        import_module(module)
    return sorted(name for name in jit.declared if name.rpartition(".")[0] in modules)


def lowered(names: list[str]) -> Texts:
    """The kernels of these names, typed and lowered; what others of this process have called already is not lowered again."""
    kernels, libraries, modules = [], [], _modules()
    for name in names:
        dispatcher, types = jit.declared[name]
        arguments = tuple(map(jit.numba_type, types.values()))
        dispatcher.compile(arguments)
        result = dispatcher.overloads[arguments]
        text = text_of(types, results_of(dispatcher.py_func))
        kernels.append(Kernel(name, result.fndesc.llvm_func_name, text))
        libraries.append(result.library)
    reached: dict[Any, None] = {}
    while libraries:
        library = libraries.pop()
        if library not in reached:
            reached[library] = None
            libraries.extend(library._linking_libraries)
    return Texts(kernels, list(dict.fromkeys(text for library in reached for text in modules.get(library, ()))))


_for_good = ExitStack()


@cache
def _modules() -> dict[Any, list[str]]:
    """The text of each module that is made from now on in this process, by its library: numba compiles nothing here any more."""
    return _for_good.enter_context(_front_end_only())


@contextmanager
def _front_end_only() -> Iterator[dict[Any, list[str]]]:
    """Have numba keep the text of each module by its library, instead of optimising and loading it."""
    from numba.core import cgutils
    from numba.core.codegen import CPUCodeLibrary, JITCodeLibrary, JITCPUCodegen
    from numba.core.lowering import BaseLower

    modules: dict[Any, list[str]] = {}

    def add_ir_module(library: Any, module: Any) -> None:
        modules.setdefault(library, []).append(cgutils.normalize_ir_text(str(module)))

    def add_llvm_module(library: Any, module: Any) -> None:
        modules.setdefault(library, []).append(str(module))

    def finalize(library: Any) -> None:
        library._finalized = True

    set_up: Callable[..., None] = BaseLower.setup_function

    def setup_function(lower: Any, description: Any) -> None:
        set_up(lower, description)
        if (description.modname, description.qualname) in jit.rarely:
            for attribute in RARE:
                lower.function.attributes.add(attribute)

    with (
        less_to_do(ways_in=False),
        patch.object(BaseLower, "setup_function", setup_function),
        patch.object(Cache, "load_overload", lambda *_: None),
        patch.object(Cache, "save_overload", lambda *_: None),
        patch.object(CPUCodeLibrary, "add_ir_module", add_ir_module),
        patch.object(CPUCodeLibrary, "add_llvm_module", add_llvm_module),
        patch.object(CPUCodeLibrary, "finalize", finalize),
        patch.object(
            CPUCodeLibrary, "add_linking_library", lambda library, other: library._linking_libraries.append(other)
        ),
        patch.object(JITCodeLibrary, "get_pointer_to_function", lambda library, name: 0),
        patch.object(JITCPUCodegen, "set_env", lambda *_: None),
    ):
        yield modules
