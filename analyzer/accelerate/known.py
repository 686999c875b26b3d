"""numba's front end, with a memory: what it found out about a type once it does not find out again, and what nobody reads it does not write.

Types and functions are asked for by identity: numba has one object for each type, and what was asked about is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from typing import Any
from unittest.mock import patch

from analyzer.accelerate import guarded  # noqa: F401 before anything imports numba

from numba.core import base, byteflow, errors, event, interpreter, lowering, ssa, typeinfer  # isort: skip
from numba.core.types import functions  # isort: skip
from numba.core.typing import context as typing  # isort: skip

Answers = dict[tuple[int, ...], tuple[Any, ...]]


def what_is_known() -> Iterator[Any]:
    """The patches under which numba answers the same question once."""
    for kind, name in (
        (functions.BaseFunction, "get_call_type"),
        (functions.Dispatcher, "get_call_type"),
        (typing.BaseContext, "resolve_function_type"),
    ):
        yield patch.object(kind, name, _signatures(getattr(kind, name)))
    attribute = typing.BaseContext.find_matching_getattr_template
    yield patch.object(typing.BaseContext, "find_matching_getattr_template", _attributes(attribute))
    yield patch.object(typing.BaseContext, "resolve_value_type", _values(typing.BaseContext.resolve_value_type))
    yield patch.object(base.BaseContext, "get_abi_sizeof", lambda context, kind: _size_of(kind, context.target_data))
    yield patch.object(base.BaseContext, "get_arg_packer", _packers(base.BaseContext.get_arg_packer))
    for context in (base.BaseContext, typing.BaseContext):
        yield patch.object(context, "refresh", _where_new(context.refresh))


def what_nobody_reads() -> Iterator[Any]:
    """The patches under which numba tells less: no logs, events and texts of instructions. Errors say what is wrong and where, not in which pass."""
    for module in (errors, lowering, typeinfer):
        yield patch.object(module, "new_error_context", _Place)
    silent = nullcontext()
    yield patch.object(errors.WarningsFixer, "catch_warnings", lambda *_, **__: silent)  # type: ignore[attr-defined]
    yield patch.object(event, "broadcast", lambda _: None)
    yield patch.object(lowering, "str", _Unsaid, create=True)  # each instruction in words, for a log
    for module in (byteflow, interpreter, ssa):
        yield patch.object(module, "_logger", _Silent())


def _signatures(ask: Callable[..., Any]) -> Callable[..., Any]:
    """With which signature a function is called for arguments of some types, without asking again."""
    known: Answers = {}

    def answer(owner: Any, other: Any, args: Any, kws: Any) -> Any:
        if kws:
            return ask(owner, other, args, kws)
        key = (id(owner), id(other), *map(id, args))
        if key in known:
            return known[key][0]
        found = ask(owner, other, args, kws)
        if found is not None:
            known[key] = found, owner, other, args
        return found

    return answer


def _attributes(ask: Callable[..., Any]) -> Callable[..., Any]:
    """What an attribute of a type is, without asking again."""
    known: dict[tuple[int, int, str], tuple[Any, ...]] = {}

    def answer(context: Any, kind: Any, attribute: str) -> Any:
        key = id(context), id(kind), attribute
        if key in known:
            return known[key][0]
        found = ask(context, kind, attribute)
        if found is not None:
            known[key] = found, context, kind
        return found

    return answer


@cache
def _size_of(kind: Any, machine: Any) -> Any:
    """How many bytes a type of LLVM takes: llvmlite makes a module to find out."""
    return kind.get_abi_size(machine)


def _packers(ask: Callable[..., Any]) -> Callable[..., Any]:
    """How arguments of some types are handed over, without finding out again."""
    known: Answers = {}

    def answer(context: Any, args: Any) -> Any:
        key = (id(context.data_model_manager), *map(id, args))
        if key not in known:
            known[key] = ask(context, args), context.data_model_manager, tuple(args)
        return known[key][0]

    return answer


def _values(ask: Callable[..., Any]) -> Callable[..., Any]:
    """Of which type a number or text is, without asking again."""
    known: dict[tuple[int, type[Any], Any], tuple[Any, Any]] = {}

    def answer(context: Any, value: Any) -> Any:
        if type(value) not in (bool, int, str):
            return ask(context, value)
        key = id(context), type(value), value
        if key not in known:
            known[key] = ask(context, value), context
        return known[key][0]

    return answer


def _where_new(refresh: Callable[[Any], None]) -> Callable[[Any], None]:
    """Take over what was registered since the last time, if anything was: numba asks before each function."""
    seen: dict[int, tuple[int, Any]] = {}

    def refreshed(context: Any) -> None:
        registries = context._registries  # those that work for the same functions share it
        if seen.get(id(registries), (-1,))[0] != _size(registries):
            refresh(context)
            seen[id(registries)] = _size(registries), registries

    return refreshed


def _size(registries: Any) -> int:
    """How much is registered."""
    return sum(len(entries) for registry in registries for entries in vars(registry).values())


class _Place:
    """Where something happens, put into words only if it is an error."""

    def __init__(self, text: str, *args: Any, errcls_: Any = None, **named: Any) -> None:
        self._said = text, args, named

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, errors.NumbaError):
            text, args, named = self._said
            error.add_context(text.format(*args, **named) if args or named else text)


class _Silent:
    """A logger that nobody listens to."""

    def debug(self, *_: Any) -> None:
        """Nothing."""


class _Texts(type):
    """What is a text stays one."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, str)


class _Unsaid(metaclass=_Texts):
    """`str`, which makes of everything the same text."""

    def __new__(cls, _: object = "") -> Any:
        return ""
