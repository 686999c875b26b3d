"""The types of a kernel's arguments, declared once: what it is compiled for, and what callers may pass."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields

Words = list[int]  # arguments as the library takes them: 64 bits each


@of_fields(frozen=True, slots=True)
class Scalar:
    """A number, in one word."""

    name: str
    least: int
    most: int

    def put(self, words: Words, value: Any, where: str) -> None:
        """Append the words of a value; TypeError where it is none of this type."""
        if not isinstance(value, int | np.integer | np.bool_):
            raise TypeError(f"{where}: {self.name} needed, not {type(value).__name__}")
        number = int(value)
        if not self.least <= number <= self.most:
            raise TypeError(f"{where}: {number} is out of the range of {self.name}")
        words.append(number if number < 1 << 63 else number - (1 << 64))

    @property
    def text(self) -> str:
        """What the library was compiled for, in a word."""
        return self.name


INT = Scalar("int64", -(1 << 63), (1 << 63) - 1)
UINT = Scalar("uint64", 0, (1 << 64) - 1)
BOOL = Scalar("bool", 0, 1)


@of_fields(frozen=True, slots=True)
class Array:
    """A contiguous array. One that is not `written` may be read-only, as the windows of a file are."""

    dtype: np.dtype[Any]
    ndim: int = 1
    written: bool = True

    def put(self, words: Words, value: Any, where: str) -> None:
        """Append the words of an array, as numba passes one: owner, size, address, shape and strides."""
        if type(value) is not np.ndarray:
            raise TypeError(f"{where}: an array needed, not {type(value).__name__}")
        flags = value.flags
        if value.dtype is not self.dtype and value.dtype != self.dtype:
            raise TypeError(f"{where}: an array of {self.dtype} needed, not of {value.dtype}")
        if value.ndim != self.ndim or not flags.c_contiguous or not flags.aligned:
            raise TypeError(f"{where}: a contiguous array of {self.ndim} dimensions needed, not shape {value.shape}")
        if self.written and not flags.writeable:
            raise TypeError(f"{where}: a writable array needed")
        words += (0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides)

    @property
    def text(self) -> str:
        """What the library was compiled for, in a word: fields, their offsets and types are in the number."""
        return f"{_layout(self.dtype, self.dtype.isalignedstruct)}.{self.ndim}{'w' if self.written else 'r'}"


@of_fields(frozen=True, slots=True)
class Group:
    """A NamedTuple of arrays."""

    kind: type[tuple[Any, ...]]
    members: tuple[Array, ...]

    def put(self, words: Words, value: Any, where: str) -> None:
        """Append the words of all members."""
        if type(value) is not self.kind:
            raise TypeError(f"{where}: {self.kind.__name__} needed, not {type(value).__name__}")
        for member, array in zip(self.members, value, strict=True):
            member.put(words, array, where)

    @property
    def text(self) -> str:
        """What the library was compiled for."""
        return f"({' '.join(member.text for member in self.members)})"


Type = Scalar | Array | Group


def rows_of(dtype: npt.DTypeLike, ndim: int = 1) -> Array:
    """An array that the kernel may write to."""
    return _array(np.dtype(dtype), ndim, True)


def view_of(dtype: npt.DTypeLike, ndim: int = 1) -> Array:
    """An array that the kernel only reads."""
    return _array(np.dtype(dtype), ndim, False)


def group_of(kind: type[tuple[Any, ...]], dtypes: Iterable[Any]) -> Group:
    """A NamedTuple of arrays that the kernel may write to, of these dtypes."""
    return Group(kind, tuple(map(rows_of, dtypes)))


@cache
def _layout(dtype: np.dtype[Any], aligned: bool) -> str:
    """Fields, offsets and types as a number; equal dtypes may differ in `aligned`. NumPy lists those of a wide record in Python, and two hundred arguments are of a few dozen sorts."""
    layout = f"{dtype.descr} {dtype.itemsize} {aligned}"
    return hashlib.sha256(layout.encode()).hexdigest()[:12]


def _array(dtype: np.dtype[Any], ndim: int, written: bool) -> Array:
    """As numpy makes one of this dtype: where that is itself an array, its dimensions come behind."""
    return Array(dtype.base, ndim + len(dtype.shape), written)


def results_of(function: Callable[..., Any]) -> int:
    """How many numbers a kernel returns, as its annotation says: None, Int, or a tuple of Int."""
    returned = function.__annotations__["return"]
    return 0 if returned in (None, "None") else str(returned).count("Int")


def text_of(types: Mapping[str, Type], results: int) -> str:
    """All that the library must agree on about a kernel's arguments and results."""
    return f"{' '.join(each.text for each in types.values())} -> {results}"
