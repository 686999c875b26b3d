"""The compiled kernels as one shared library: found, verified, loaded, and called without numba.

Beside the library lies a manifest (JSON): the sha256 of the library, that of the sources it was made from, and of each kernel
its symbol and the types it was compiled for. A library that is cut, foreign or older than the sources is never loaded.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import platform
import struct
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from analyzer.accelerate.sources import digest_of
from analyzer.accelerate.types import Type, results_of, text_of
from analyzer.errors import TcpcapError


def names_of(checked: bool) -> tuple[str, str]:
    """The files of a library and of its manifest; `checked` is the one in which every index is."""
    stem = f"kernels-{sys.platform}-{platform.machine().lower()}{'-checked' if checked else ''}"
    return stem + (".dll" if sys.platform == "win32" else ".so"), f"{stem}.json"


LIBRARY, MANIFEST = names_of(checked=False)
FOLDER = Path(__file__).resolve().parent
_FINE = (0, -2)  # RETCODE_OK and RETCODE_NONE of numba's calling convention


class KernelsError(TcpcapError):
    """Compiled kernels that are missing, damaged or not those of this source."""


class Library:
    """An intact library that was made from the present sources. Raises KernelsError where there is none in `folder`."""

    def __init__(self, folder: Path = FOLDER, *, checked: bool = False) -> None:
        path, manifest = (folder / name for name in names_of(checked))
        self._how = f"build it: python -m analyzer.accelerate{' --checked' if checked else ''}"
        self.kernels = self._verified(path, manifest)
        try:
            self._symbols = ctypes.CDLL(str(path))
        except OSError as error:
            raise KernelsError(str(path), f"cannot be loaded ({error})", "install tcpcap again") from None

    def _verified(self, path: Path, manifest_path: Path) -> dict[str, dict[str, str]]:
        """The kernels of the manifest, if library and sources are those it speaks of."""
        where = str(path)
        try:
            manifest = json.loads(manifest_path.read_bytes())
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            expected, made_from, names = manifest["library"], manifest["sources"], manifest["files"]
            kernels: dict[str, dict[str, str]] = dict(manifest["kernels"])
        except FileNotFoundError as error:
            raise KernelsError(str(error.filename), "not there", "install tcpcap again, or build it") from None
        except OSError as error:
            raise KernelsError(where, f"cannot be read ({error.strerror})", "install tcpcap again") from None
        except (ValueError, KeyError, TypeError):
            raise KernelsError(str(manifest_path), "damaged", "install tcpcap again") from None
        if content != expected:
            raise KernelsError(where, "cut, changed or of another build", "install tcpcap again")
        try:
            found = digest_of(names)
        except OSError as error:
            found = f"{error.filename} is gone"
        if found != made_from:
            raise KernelsError(where, "older than the sources", self._how)
        return kernels

    def bind(self, function: Callable[..., Any], types: Mapping[str, Type]) -> Callable[..., Any]:
        """The compiled form of a kernel: the same arguments, verified, and the same results.

        Raises KernelsError where the library has no such kernel, or one for other types.
        """
        name = f"{function.__module__}.{function.__qualname__}"
        entry, results = self.kernels.get(name), results_of(function)
        if entry is None or entry["types"] != text_of(types, results):
            raise KernelsError(name, "not in the library", self._how)
        symbol = self._symbols[entry["symbol"]]
        symbol.restype, symbol.argtypes = ctypes.c_int32, (ctypes.c_void_p, ctypes.c_void_p)
        room = ctypes.c_int64 * max(results, 1)
        declared = [(f"{name}: {argument}", each) for argument, each in types.items()]

        @wraps(function)
        def call(*arguments: Any) -> Any:
            words: list[int] = []
            if len(arguments) != len(declared):
                raise TypeError(f"{name}: {len(declared)} arguments needed, not {len(arguments)}")
            for (where, each), value in zip(declared, arguments, strict=True):
                each.put(words, value, where)
            returned = room()
            # Bytes, which take a tenth of the time of an array of ctypes.
            status = symbol(struct.pack(f"{len(words)}q", *words), returned)
            if status not in _FINE:
                raise RuntimeError(f"{name}: ended with status {status}")
            if results == 0:
                return None
            return returned[0] if results == 1 else tuple(returned)

        return call
