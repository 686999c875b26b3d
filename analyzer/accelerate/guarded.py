"""numba, without the settings that may lie in the current folder: that is somebody's evidence, and they choose whose code runs."""

from __future__ import annotations

import os
import sys
import warnings


def _import_quietly() -> None:
    """Import numba while it believes that nobody can read YAML. Where somebody imported it before, its settings are theirs."""
    if "numba" in sys.modules:
        return
    yaml = sys.modules.get("yaml")
    sys.modules["yaml"] = None  # type: ignore[assignment] # with it, numba reads .numba_config.yaml
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the file is not read
            from numba.core import config
    finally:
        del sys.modules["yaml"]
        if yaml is not None:
            sys.modules["yaml"] = yaml
    config._config_fname = os.devnull  # it is looked for again before each function that is compiled


_import_quietly()

import numba  # noqa: E402 only now
from numba.core import types  # noqa: E402
from numba.core.caching import _Cache  # noqa: E402
from numba.core.compiler import CompileResult  # noqa: E402
from numba.core.serialize import dumps  # noqa: E402

__all__ = ["CompileResult", "_Cache", "dumps", "numba", "types"]
