"""The types of a kernel's arguments, declared once: what it is compiled for, and what callers may pass."""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields

Words = list[int]  # arguments as the library takes them: 64 bits each
HEAD = getattr(object, "__basicsize__", 0)  # bytes of an object before what is its own


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
        dtype, flags = value.dtype, value.flags
        if dtype is not self.dtype and dtype != self.dtype:
            raise TypeError(f"{where}: an array of {self.dtype} needed, not of {dtype}")
        fits = flags.carray or (flags.c_contiguous and flags.aligned)  # the first says also that it is writable
        if not fits or value.ndim != self.ndim:
            raise TypeError(f"{where}: a contiguous array of {self.ndim} dimensions needed, not shape {value.shape}")
        if self.written and not flags.carray:
            raise TypeError(f"{where}: a writable array needed")
        size, each = value.size, dtype.itemsize
        if self.ndim == 1:  # the shape and the strides are these
            words += (0, 0, size, each, address_of(value), size, each)
        else:
            words += (0, 0, size, each, address_of(value), *value.shape, *value.strides)

    @property
    def text(self) -> str:
        """What the library was compiled for, in a word: fields, their offsets and types are in the number."""
        return f"{_layout(self.dtype, self.dtype.isalignedstruct)}.{self.ndim}{'w' if self.written else 'r'}"


def _address_of(array: npt.NDArray[Any]) -> int:
    """Where the first byte of an array lies."""
    return array.ctypes.data


def _address_in(array: npt.NDArray[Any]) -> int:
    """The same, from where the array itself keeps it: a call has dozens of them, and `ctypes` makes an object for each."""
    return _word(id(array) + HEAD).value


def _keeps_it_there() -> bool:
    """Does an array begin with its address, as NumPy's C API promises (`PyArrayObject_fields`), and can that be read?"""
    some = np.zeros(3, np.uint8)
    return sys.implementation.name == "cpython" and all(
        _address_in(each) == _address_of(each) for each in (some, some[1:])
    )


_word = ctypes.c_size_t.from_address
address_of = _address_in if _keeps_it_there() else _address_of


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
