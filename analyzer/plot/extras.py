"""What pictures need beside tcpcap itself, asked for when the first one is made."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from analyzer.errors import TcpcapError

PACKAGES = ("jinja2", "matplotlib", "plotly", "tsdownsample")


def check() -> None:
    """Raise TcpcapError where a package of the extra `plot` is missing, without importing any."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise _missing(missing[0])


def needed(module: str) -> Any:
    """A module of the extra `plot`. Raises TcpcapError with the command that installs it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(error.name or module) from None


def _missing(name: str) -> TcpcapError:
    return TcpcapError("pictures", f"the package {name} is not installed", "install it: pip install 'tcpcap[plot]'")
