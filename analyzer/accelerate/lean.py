"""numba's front end, with less to do: what it finds out again for each of thousands of instructions, though the answer is the same.

Nothing here changes what is compiled. Of a build that takes a minute, this is an eighth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from analyzer.accelerate import guarded  # noqa: F401 before anything imports numba

from numba.core import base, errors, ir, targetconfig, types  # isort: skip

NOTHING, VARIABLE, INSTRUCTION, SEQUENCE, MAPPING = range(5)


@contextmanager
def less_to_do() -> Iterator[None]:
    """While inside, numba compiles the same code in less time."""
    with ExitStack() as patches:
        for owner, name, quick in (
            (ir.Inst, "_rec_list_vars", _variables_of),
            (types.Record, "__repr__", lambda record: record.name),  # 5 kB for each pass over each function
            (targetconfig.TargetConfig, "values", _values),
            (type(errors.termcolor()), "errmsg", lambda _, text: text),  # colours of errors that nobody sees
            (base, "_has_loc", cache(base._has_loc)),
        ):
            patches.enter_context(patch.object(owner, name, quick))
        yield


def _variables_of(instruction: Any, value: Any) -> list[Any]:
    """The variables in a part of an instruction, in their order."""
    found: list[Any] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[Any]) -> None:
    kind: Any = type(value)
    what = _what_is(kind)
    if what == VARIABLE:
        found.append(value)
    elif what == INSTRUCTION:
        found += value.list_vars()
    elif what == SEQUENCE:
        for each in value:
            _collect(each, found)
    elif what == MAPPING:
        for each in value.values():
            _collect(each, found)


@cache
def _what_is(kind: type[Any]) -> int:
    """What values of this type are to `_collect`: most are no variables and hold none."""
    if issubclass(kind, ir.Var):
        return VARIABLE
    if issubclass(kind, ir.Inst):
        return INSTRUCTION
    if issubclass(kind, (list, tuple)):
        return SEQUENCE
    return MAPPING if issubclass(kind, dict) else NOTHING


def _values(config: Any) -> dict[str, Any]:
    """All options of a compilation, set or not."""
    given = config._values
    return {name: given.get(name, option.default) for name, option in config.options.items()}
