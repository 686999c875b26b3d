"""One test over many values, which tells of all for which it fails.

pytest takes longer to collect a test, to hand it to a process and to report it than most tests of one value take to run; of thousands
that adds up. So what is looked at in the same way is one test: `for_each` stands where `pytest.mark.parametrize` would.
"""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

TOLD = 10  # failures in full
Test = Callable[..., None]


def for_each(
    names: str | tuple[str, ...], values: Iterable[Any], ids: Callable[[Any], object] = str
) -> Callable[[Test], Test]:
    """Run a test for each of these values, whatever came of the others; one error tells of all that failed.

    Parameters
    ----------
    names : of the argument, or of several; then each of `values` is a tuple
    values : also as `pytest.param(..., id=...)`
    ids : what a value is called

    A test with `tmp_path` has an empty folder for each. No values, or a test that skips itself, are failures: nobody would see them.
    """
    words = (names,) if isinstance(names, str) else names

    def decorated(test: Test) -> Test:
        signature = inspect.signature(test)

        def looped(**fixtures: Any) -> None:
            looked, failed = 0, []
            for name, arguments in _arguments(words, values, ids):
                if "tmp_path" in fixtures:
                    arguments["tmp_path"] = _folder(fixtures["tmp_path"], looked)
                looked += 1
                try:
                    test(**{**fixtures, **arguments})
                except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:  # noqa: BLE001 # a test fails with anything
                    failed.append((name, error))
            assert looked, "nothing to look at"
            if failed:
                pytest.fail(_told(failed, looked), pytrace=False)

        functools.update_wrapper(looked := looped, test)
        del looked.__dict__["__wrapped__"]
        parameters = [each for each in signature.parameters.values() if each.name not in words]
        looped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return looped

    return decorated


def _arguments(
    words: tuple[str, ...], values: Iterable[Any], ids: Callable[[Any], object]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each value is called, and the arguments that it makes."""
    for value in values:
        if isinstance(value, ParameterSet):
            assert not value.marks, "marks belong to tests"
            given, name = value.values, value.id or "-".join(map(str, value.values))
        else:
            given = (value,) if len(words) == 1 else tuple(value)
            name = "-".join(str(ids(each)) for each in given)
        yield str(name), dict(zip(words, given, strict=True))


def _folder(parent: Path, number: int) -> Path:
    folder = parent / str(number)
    folder.mkdir()
    return folder


def _told(failed: list[tuple[str, BaseException]], looked: int) -> str:
    """The names of all that failed, and how the first of them did."""
    lines = [f"{len(failed)} of {looked}: {', '.join(name for name, _ in failed)}"]
    for name, error in failed[:TOLD]:
        lines += ["", f"--- {name}", *traceback.format_exception(error)[-4:]]
    return "\n".join(lines)
