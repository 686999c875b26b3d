"""The only place that knows how kernels are compiled, loaded and called. They live in modules named `*_kernel.py`.

A kernel is a function over arrays and numbers that Python calls; a part is a helper that only other compiled functions call. An
installed tcpcap has them in one library (`library`). Where there is none, or `TCPCAP_KERNELS` says so, they run otherwise:

    TCPCAP_KERNELS=library            the library, or an error
    TCPCAP_KERNELS=checked-library    likewise, in the form in which every index is checked (`python -m analyzer.accelerate --checked`)
    TCPCAP_KERNELS=jit                compiled by numba when first called
    TCPCAP_KERNELS=checked            likewise, and every index is checked
    TCPCAP_KERNELS=python             not compiled at all

numba's own NUMBA_DISABLE_JIT=1 stands for the last, NUMBA_BOUNDSCHECK=1 for the one before.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, wraps
from importlib.util import find_spec
from typing import Any, TypeVar

from analyzer.accelerate.library import KernelsError, Library
from analyzer.accelerate.types import BOOL, INT, UINT, Type, group_of, rows_of, view_of

__all__ = [
    "BOOL",
    "INT",
    "UINT",
    "Int",
    "KernelsError",
    "group_of",
    "in_library",
    "inline",
    "kernel",
    "mode",
    "part",
    "rare",
    "rows_of",
    "view_of",
]

Function = TypeVar("Function", bound=Callable[..., Any])

Int = Any  # a number inside kernels: numba decides between int64 and uint64, and a type checker cannot follow

LIBRARIES = ("library", "checked-library")
MODES = (*LIBRARIES, "jit", "checked", "python")


def kernel(**types: Type) -> Callable[[Function], Function]:
    """Compile a function; `types` are those of its arguments, in their order. It returns None, a number or several."""

    def compiled(function: Function) -> Function:
        arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
        if tuple(types) != arguments:
            raise TypeError(
                f"{function.__qualname__}: types of {', '.join(types)}, but arguments {', '.join(arguments)}"
            )
        if mode() == "python":
            return _plain(function)
        if mode() in LIBRARIES:
            try:
                return _library(mode()).bind(function, types)  # type: ignore[return-value]
            except KernelsError:
                ours = function.__module__.startswith(f"{__name__.partition('.')[0]}.")  # what it calls is not imported
                if ours or _asked() in LIBRARIES or not _has_numba():
                    raise
        jitted: Function = _jit().kernel(function, types, _flags())
        return jitted

    return compiled


def part(function: Function) -> Function:
    """Compile a large helper of kernels on its own. In the library and as Python it is what it looks like."""
    return function if mode() in (*LIBRARIES, "python") else _jit().part(function, _flags())


def rare(function: Function) -> Function:
    """Compile a helper of kernels that few frames reach: it is called, and its callers, which are not, stay small."""
    return function if mode() in (*LIBRARIES, "python") else _jit().rare(function, _flags())


def inline(function: Function) -> Function:
    """Compile a small helper of kernels: they contain it, without a call."""
    return function if mode() in (*LIBRARIES, "python") else _jit().inline(function, _flags())


@cache
def mode() -> str:
    """How kernels run in this process: one of MODES."""
    asked = _asked()
    if asked:
        return asked
    try:
        _library("library")
    except KernelsError:
        if not _has_numba():
            raise
        return "jit"
    return "library"


def in_library() -> bool:
    """Are kernels in a library? Then it holds all that they call, and a module of kernels need not import that: a start is spared half of its modules of kernels, or more."""
    return mode() in LIBRARIES


def _plain(function: Function) -> Function:
    """The function as Python, whose results are Python's numbers as those of the library are: JSON knows no others."""

    @wraps(function)
    def call(*arguments: Any) -> Any:
        results = function(*arguments)
        if isinstance(results, tuple):
            return tuple(map(int, results))
        return None if results is None else int(results)

    return call  # type: ignore[return-value]


def _asked() -> str:
    """What the environment asks for; empty where it says nothing."""
    asked = os.environ.get("TCPCAP_KERNELS", "")
    if asked and asked not in MODES:
        raise KernelsError("TCPCAP_KERNELS", f"{asked!r} is no way to run kernels", f"choose from {', '.join(MODES)}")
    if not asked and os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return "python"
    if not asked and os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0"):
        return "checked"
    return asked


@cache
def _library(name: str) -> Library:
    return Library(checked=name == "checked-library")


@cache
def _has_numba() -> bool:
    return find_spec("numba") is not None


def _flags() -> dict[str, bool]:
    return {"boundscheck": True} if mode() == "checked" else {}


def _jit() -> Any:
    from analyzer.accelerate import jit

    return jit
