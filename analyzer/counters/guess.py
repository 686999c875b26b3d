"""Is a text of nstat absolute, or increments since the run before? It does not say so; its values do, more or less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from analyzer.counters.names import NSTAT_OMITS

_ENOUGH = 5


def kind_of(
    texts: Sequence[Mapping[str, int]], zeros: bool, overflow: bool
) -> tuple[Literal["absolute", "increments"], str, bool]:
    """absolute or increments, the reason, and whether it is certain.

    Parameters
    ----------
    texts : the values of texts that one host printed in this order
    zeros : whether they list counters that are zero
    overflow : whether one is marked with (overflow)
    """
    if overflow:
        return "increments", "nstat marks an (overflow)", True
    if any(name in NSTAT_OMITS for values in texts for name in values):
        return "absolute", "there are gauges, which nstat leaves out", True
    if len(texts) > 1:
        fell = [name for before, after in pairwise(texts) for name in _fallen(before, after, zeros)]
        if fell:
            return "increments", f"{fell[0]} is lower in a later snapshot", False
        if all(len(values.keys() & texts[0].keys()) >= _ENOUGH for values in texts):
            return "absolute", f"nothing falls in {len(texts)} snapshots", False
    if zeros:
        return "absolute", "counters that are zero are listed, as `nstat -az` does", False
    return "increments", "nstat prints increments unless it is told otherwise", False


def _fallen(before: Mapping[str, int], after: Mapping[str, int], zeros: bool) -> list[str]:
    """The counters that are lower than before; one that is not listed any more is zero, unless zeros are listed."""
    return [name for name, value in before.items() if after.get(name, value if zeros else 0) < value]
