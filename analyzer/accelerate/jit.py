"""Kernels compiled by numba when they are first called, for whoever changes one, or has no library."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from analyzer.accelerate.cache import Cache, folder
from analyzer.accelerate.guarded import numba, types
from analyzer.accelerate.types import Type

Flags = dict[str, Any]

# Without numba's reference counting: passing an array to a helper would cost two atomic instructions each time (half of
# the time of decoding a frame). In return no kernel may allocate an array; what it needs is passed to it.
FLAGS: Flags = {"nogil": True, "_nrt": False}
# Of what only other kernels call: without the ways in from Python and C, which take as long to compile as the function.
INTERNAL: Flags = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

declared: dict[str, tuple[Any, Mapping[str, Type]]] = {}
"""Every kernel that was imported, by the name of its module and function: the dispatcher, and the types of its arguments."""

rarely: set[tuple[str, str]] = set()
"""Every `rare` helper that was imported, by module and name."""


class Part:
    """A helper of kernels: compiled where they call it, and as Python where Python does, since it has no other way in from there."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher  # its type holds it weakly
        self._numba_type_ = types.Dispatcher(dispatcher)
        self.__wrapped__ = self.py_func = dispatcher.py_func

    def __call__(self, *arguments: Any) -> Any:
        return self.py_func(*arguments)


def kernel(function: Callable[..., Any], argument_types: Mapping[str, Type], flags: Flags) -> Any:
    """Compile a function over arrays and numbers when it is first called, and keep the machine code for the next start."""
    compiled = _kept(function, flags)
    waiting = compiled._compile_for_args

    def compile_for(*arguments: Any, **named: Any) -> Any:
        with _interrupts_kept():
            return waiting(*arguments, **named)

    compiled._compile_for_args = compile_for
    declared[f"{function.__module__}.{function.__qualname__}"] = compiled, argument_types
    return compiled


def part(function: Callable[..., Any], flags: Flags) -> Any:
    """Compile a large helper of kernels on its own, and keep its machine code, too."""
    # numba hands on to a helper how its caller is compiled: one that `inline` ones call would be copied into all of them.
    return Part(_kept(function, INTERNAL | {"forceinline": False} | flags))


def rare(function: Callable[..., Any], flags: Flags) -> Any:
    """The same for one that few frames reach."""
    rarely.add((function.__module__, function.__qualname__))
    return part(function, flags)


def inline(function: Callable[..., Any], flags: Flags) -> Any:
    """Compile a small helper of kernels: they contain it, without a call. Several modules may ask for the same one."""
    if function not in _inlined:
        _inlined[function] = Part(_for_any_value(numba.njit(forceinline=True, **FLAGS, **INTERNAL, **flags)(function)))
    return _inlined[function]


_inlined: dict[Callable[..., Any], Part] = {}


def _kept(function: Callable[..., Any], flags: Flags) -> Any:
    """Compile a function, and keep its machine code where there is a place for it."""
    compiled = _for_any_value(numba.njit(**FLAGS, **flags)(function))
    if folder() is not None:
        compiled._cache = Cache(function, str(flags), announce)
    return compiled


def numba_type(declared_type: Type) -> Any:
    """The type that numba compiles an argument for."""
    from analyzer.accelerate.types import BOOL, INT, UINT, Array, Group, Scalar

    if isinstance(declared_type, Scalar):
        return {INT: types.int64, UINT: types.uint64, BOOL: types.boolean}[declared_type]
    if isinstance(declared_type, Group):
        return types.NamedTuple(tuple(map(numba_type, declared_type.members)), declared_type.kind)
    assert isinstance(declared_type, Array)
    element = numba.from_dtype(declared_type.dtype)
    return types.Array(element, declared_type.ndim, "C", readonly=not declared_type.written)


def _for_any_value(compiled: Any) -> Any:
    """Have a function compiled once for any number of a type: by default numba compiles it anew for each constant it is called with."""
    plain: Callable[[Any], Any] = types.unliteral
    resolve = compiled.get_call_template
    compiled.get_call_template = lambda args, kws: resolve(
        tuple(map(plain, args)), {name: plain(each) for name, each in kws.items()}
    )
    return compiled


_announced = threading.Event()


def announce() -> None:
    """Say once, where somebody looks, that kernels are being compiled, and how long that takes."""
    if _announced.is_set():
        return
    _announced.set()
    notebook = "ipykernel" in sys.modules
    if sys.stderr is not None and (notebook or sys.stderr.isatty()):
        kept = folder()
        later = f"kept in {kept} for later starts" if kept else "and again at every start: no folder to keep them in"
        print(f"tcpcap: compiling the kernels with numba, for a minute or two ({later})", file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def _interrupts_kept() -> Iterator[None]:
    """An interrupt inside is not lost: LLVM calls back into Python, and there exceptions end unseen."""
    interrupts: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupts:
        raise KeyboardInterrupt
