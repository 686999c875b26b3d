"""Machine code that numba made, kept on disk where only this user can write: whoever writes there decides what runs.

An entry is one file, named after all that it depends on and written at once; it begins with the sha256 of the rest.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import stat
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from analyzer.accelerate.guarded import CompileResult, _Cache, dumps, numba
from analyzer.accelerate.sources import digest, file_of, sources

DIGEST = 32


@cache
def folder() -> Path | None:
    """Where code is kept: a folder of this user that nobody else can write to; None where there is none."""
    import platformdirs

    if not hasattr(os, "geteuid"):
        return None  # who else may write there is not to be told from its mode
    try:
        path = platformdirs.user_cache_path("tcpcap", appauthor=False) / "kernels"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if not mine or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return None
        tempfile.TemporaryFile(dir=path).close()
    except (OSError, RuntimeError):  # no home, or one that cannot be written to
        return None
    return path


class Cache(_Cache):
    """The compiled forms of one function. `missing` is called before one is made that was not there.

    `variant` tells forms apart that were compiled with other flags.
    """

    def __init__(self, function: Callable[..., Any], variant: str, missing: Callable[[], None]) -> None:
        self._variant = variant
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._made_from = digest(sources(file_of(function.__module__)))
        self._missing = missing

    @property
    def cache_path(self) -> str:
        """The folder of the entries."""
        return str(folder())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled form for a signature; None where there is none, or a damaged one, which is thrown away."""
        target_context.refresh()
        path = self._path(sig, target_context)
        try:
            content = path.read_bytes()
        except OSError:
            self._missing()
            return None
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            path.unlink(missing_ok=True)
            self._missing()
            return None
        return CompileResult._rebuild(target_context, *pickle.loads(content[DIGEST:]))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled form, in the place of those that older sources gave. A full disk keeps none."""
        if data.library.has_dynamic_globals:
            return  # addresses of this process are in it
        content = dumps(data._reduce())
        path = self._path(sig, data.target_context)
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(hashlib.sha256(content).digest() + content)
            Path(file.name).replace(path)
            for old in path.parent.glob(f"{path.name.rpartition('-')[0]}-*"):
                if old != path:
                    old.unlink(missing_ok=True)
        except OSError:
            Path(file.name).unlink(missing_ok=True)

    def enable(self) -> None:
        """It always is."""

    def disable(self) -> None:
        """It never is."""

    def flush(self) -> None:
        """Forget nothing: an entry is named after all that it depends on."""

    def _path(self, sig: Any, target_context: Any) -> Path:
        """The entry of a signature, on this machine, with these versions."""
        where = folder()
        assert where is not None
        versions = numba.__version__, sys.version, platform.machine(), target_context.codegen().magic_tuple()
        form = hashlib.sha256(repr((str(sig), self._variant, versions)).encode())
        return where / f"{self._name}-{form.hexdigest()[:16]}-{self._made_from[:16]}"
