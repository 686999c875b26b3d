"""Lines of node_exporter's text: `node_netstat_Tcp_RetransSegs{labels} value [timestamp]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analyzer.counters.stamps import SECOND, Stamp
from analyzer.counters.values import decimal_of, whole_decimal

PREFIX = "node_netstat_"
_SAMPLE = re.compile(r"node_netstat_([A-Za-z0-9]+)_(\w+)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+(-?\d+(?:\.\d+)?))?(?:\s+#.*)?")
_OTHER = re.compile(r"[A-Za-z:][\w:]*_[\w:]*(?:\{.*\})?\s+[+-]?(?:\d[\d.e+-]*|Inf|NaN)(?:\s+-?[\d.]+)?")
_UNCERTAINTY_NS = SECOND  # a scrape reads the counters some time after it began


@dataclass(frozen=True, slots=True)
class Sample:
    """One counter of one host at one time; value None is no whole number."""

    name: str
    labels: str
    value: int | None
    stamp: Stamp | None


def sample_in(line: str) -> Sample | None:
    """The sample of a line that begins with PREFIX; None where it is damaged."""
    found = _SAMPLE.fullmatch(line)
    number = decimal_of(found[4]) if found else None
    if not found or number is None:
        return None
    return Sample(found[1] + found[2], (found[3] or "").strip(" ,"), whole_decimal(number), _stamp(found[5]))


def is_other(line: str) -> bool:
    """Is this the sample of another metric?"""
    return _OTHER.fullmatch(line) is not None


def _stamp(text: str | None) -> Stamp | None:
    """Milliseconds since 1970, or (OpenMetrics) seconds with a fraction."""
    number = decimal_of(text) if text else None
    if text is None or number is None:
        return None
    time_ns = number.scaleb(9 if "." in text else 6)
    if not 0 <= time_ns < 1 << 63:
        return None
    return Stamp(int(time_ns.to_integral_value()), _UNCERTAINTY_NS, "exporter")
