"""numba's front end, with less to do: what it finds out again for each of thousands of instructions, though the answer is the same.

What is compiled does the same. All in all it takes less than half the time. That rests on how numba works inside, so a version that nobody has
tried does all that it would do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from analyzer.accelerate import guarded  # before anything imports numba

from numba.core import base, errors, ir, lowering, targetconfig, types  # isort: skip

NOTHING, VARIABLE, INSTRUCTION, SEQUENCE, MAPPING = range(5)


TRIED = (0, 65), (0, 68)  # the first and the last version of numba that was


@contextmanager
def less_to_do(*, ways_in: bool = True) -> Iterator[None]:
    """While inside, numba compiles the same code in less time; without `ways_in`, nothing by which Python or C could call it."""
    with ExitStack() as patches:
        for patched in _patches(ways_in) if _is_tried() else ():
            patches.enter_context(patched)
        yield


def _is_tried() -> bool:
    short = guarded.numba.version_info.short  # of a copy of its repository without tags, none
    return None not in short and TRIED[0] <= short <= TRIED[1]


def _patches(ways_in: bool) -> Iterator[Any]:
    from analyzer.accelerate.known import what_is_known, what_nobody_reads
    from analyzer.accelerate.passes import fewer_passes

    for owner, name, quick in (
        (ir.Inst, "_rec_list_vars", _variables_of),
        (types.Record, "__repr__", lambda record: record.name),  # 5 kB for each pass over each function
        (targetconfig.TargetConfig, "values", _values),
        (type(errors.termcolor()), "errmsg", lambda _, text: text),  # colours of errors that nobody sees
        (base, "_has_loc", cache(base._has_loc)),
    ):
        yield patch.object(owner, name, quick)
    for name in () if ways_in else ("create_cpython_wrapper", "create_cfunc_wrapper"):
        yield patch.object(lowering.BaseLower, name, lambda *_, **__: None)
    yield from what_is_known()
    yield from what_nobody_reads()
    yield from fewer_passes()


def _variables_of(instruction: Any, value: Any) -> list[Any]:
    """The variables in a part of an instruction, in their order."""
    found: list[Any] = []
    _collect((value,), found)
    return found


def _collect(values: Any, found: list[Any]) -> None:
    for each in values:
        what = _kinds[type(each)]
        if what == VARIABLE:
            found.append(each)
        elif what == INSTRUCTION:
            found += each.list_vars()
        elif what == SEQUENCE:
            _collect(each, found)
        elif what == MAPPING:
            _collect(each.values(), found)


class _Kinds(dict[type[Any], int]):
    """What values of a type are to `_collect`: most are no variables and hold none."""

    def __missing__(self, kind: type[Any]) -> int:
        known = (ir.Var, VARIABLE), (ir.Inst, INSTRUCTION), ((list, tuple), SEQUENCE), (dict, MAPPING)
        self[kind] = found = next((what for those, what in known if issubclass(kind, those)), NOTHING)
        return found


_kinds = _Kinds()


def _values(config: Any) -> dict[str, Any]:
    """All options of a compilation, set or not."""
    given = config._values
    return {name: given.get(name, option.default) for name, option in config.options.items()}
