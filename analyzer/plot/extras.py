"""What pictures need beside tcpcap itself, asked for when the first one is made."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from analyzer.errors import TcpcapError
from analyzer.output import temporary_folder

PACKAGES = ("jinja2", "matplotlib", "plotly", "tsdownsample")


def check() -> None:
    """Raise TcpcapError where a package of the extra `plot` is missing, without importing any."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise _missing(missing[0])


def needed(module: str) -> Any:
    """A module of the extra `plot`. Raises TcpcapError with the command that installs it."""
    if module.startswith("matplotlib"):
        _have_place()
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(error.name or module) from None


def _have_place() -> None:
    """matplotlib keeps what it knows of fonts below the home; where that cannot be written, which it complains of at length, with what is temporary."""
    if "matplotlib" in sys.modules or "MPLCONFIGDIR" in os.environ:
        return
    from platformdirs import user_cache_path, user_config_path

    for place in (user_config_path("matplotlib", appauthor=False), user_cache_path("matplotlib", appauthor=False)):
        there = next((each for each in (place, *place.parents) if each.exists()), place)
        if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
            os.environ["MPLCONFIGDIR"] = str(temporary_folder())
            return


def _missing(name: str) -> TcpcapError:
    return TcpcapError("pictures", f"the package {name} is not installed", "install it: pip install 'tcpcap[plot]'")
