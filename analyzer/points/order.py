"""Which capture point stands where on the way: surveys of each pair of points -> their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analyzer.points.passing import Passings
from analyzer.points.survey import Survey, survey_of


def in_order(names: Sequence[str], surveys: Mapping[tuple[int, int], Survey]) -> list[int]:
    """The points that share connections in the order of the path, the side of most clients first; by name where packets do not tell."""
    if not surveys:
        return []
    ends = max(surveys, key=lambda pair: (surveys[pair].apart_ns, sorted(names[number] for number in pair)))
    survey = surveys[ends]
    behind = survey.seen - survey.from_first
    turned = behind > survey.from_first or (behind == survey.from_first and names[ends[1]] < names[ends[0]])
    start = ends[1] if turned else ends[0]

    def distance(number: int) -> tuple[int, str]:
        survey = surveys.get((min(number, start), max(number, start)))
        return (0 if number == start else survey.apart_ns if survey else 0, names[number])

    there = {number for pair in surveys for number in pair}
    return [start, *sorted(there - {start}, key=distance)]


def facing(
    first: int,
    second: int,
    surveys: Mapping[tuple[int, int], Survey],
    passings: Sequence[Passings],
    local: Sequence[set[int]],
) -> Survey:
    """The survey of two points in this order."""
    if (first, second) in surveys:
        return surveys[first, second]
    return survey_of((passings[first], passings[second]), (local[first], local[second]))


def folded_address(address: str) -> int:
    """An address as passing_kernel has it."""
    import ipaddress

    from analyzer.flows.hash_kernel import folded

    found = ipaddress.ip_address(address)
    number = int(found) | (0xFFFF << 32 if found.version == 4 else 0)
    with np.errstate(over="ignore"):
        return int(folded(np.uint64(number >> 64), np.uint64(number & (1 << 64) - 1)))
