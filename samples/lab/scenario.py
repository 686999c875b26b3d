"""The list of scenarios: functions marked with `@scenario` go in, each is found by the name of its sample."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable

from .errors import LabError
from .lab import Lab

Scenario = Callable[[Lab], None]
_SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Enter a function in the list; its docstring begins the README.md of the sample."""
    _SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


def all_scenarios() -> dict[str, Scenario]:
    """Every scenario in the package `scenarios`, by name."""
    from . import scenarios

    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"{scenarios.__name__}.{module.name}")
    return dict(sorted(_SCENARIOS.items()))


def find(name: str) -> Scenario:
    """The scenario of this name; an unknown one is a LabError with the nearest names."""
    known = all_scenarios()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.7) or known
        raise LabError(f"no scenario {name!r}; there are: {', '.join(near)}")
    return known[name]


def description(function: Scenario) -> tuple[str, str]:
    """The first line of a scenario's docstring, and the rest."""
    title, _, body = (inspect.getdoc(function) or "").partition("\n")
    return title.strip(), body.strip()
