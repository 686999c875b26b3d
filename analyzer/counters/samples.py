"""Counters as monitoring has them, a sample each: node_exporter's text, Prometheus' API and dumps, telegraf's line protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analyzer.counters.names import group_of
from analyzer.counters.stamps import SECOND, SERIES_NS, Stamp
from analyzer.counters.values import decimal_of, whole_decimal
from analyzer.fields import of_fields
from analyzer.patterns import regex

PREFIX = "node_netstat_"
TIME = "node_time_seconds"
_NAME = regex(r"node_netstat_([A-Za-z0-9]+)_(\w+)")
_SAMPLE = regex(r"node_netstat_([A-Za-z0-9]+)_(\w+)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+(-?\d+(?:\.\d+)?))?(?:\s+#.*)?")
_DUMPED = regex(r"\{(.*)\}\s+(\S+)\s+(-?\d+)")
_LABEL = regex(r'(\w+)="((?:[^"\\]|\\.)*)"')
_OTHER = regex(r"[A-Za-z:][\w:]*_[\w:]*(?:\{.*\})?\s+[+-]?(?:\d[\d.e+-]*|Inf|NaN)(?:\s+-?[\d.]+)?")
_POINT = regex(r"nstat((?:,[^ ]*)?) (\S+)(?: (-?\d+))?")
_OF_TELEGRAF = regex(r"[a-z_]\w*,\S+ \w+=\S+(?: -?\d+)?")
_WHOSE = ("instance", "host", "node", "nodename", "pod", "netns")
_UNCERTAINTY_NS = SECOND  # a scrape reads the counters some time after it began


@of_fields(frozen=True, slots=True)
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


def dumped(line: str) -> Sample | None:
    """The sample of a line of `promtool tsdb dump`: all labels, value, milliseconds; None for another metric."""
    found = _DUMPED.fullmatch(line)
    labels = dict(_LABEL.findall(found[1])) if found else {}
    name = _NAME.fullmatch(labels.pop("__name__", ""))
    number = decimal_of(found[2]) if found else None
    if not found or not name or number is None:
        return None
    return Sample(name[1] + name[2], _whose(labels), whole_decimal(number), _stamp(found[3]))


def answered(body: Any) -> Iterator[Sample] | None:
    """The samples in an answer of Prometheus' API (query and query_range); None for another JSON text."""
    data = body.get("data") if isinstance(body, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(result, list) or not isinstance(data, dict) or "resultType" not in data:
        return None
    return _of_result(result)


def _of_result(result: list[Any]) -> Iterator[Sample]:
    for each in result:
        metric = each.get("metric") if isinstance(each, dict) else None
        labels = {name: str(value) for name, value in metric.items()} if isinstance(metric, dict) else {}
        name = _NAME.fullmatch(labels.pop("__name__", ""))
        values = (each.get("values") or [each.get("value")]) if isinstance(each, dict) else []
        if not name or not isinstance(values, list):
            continue
        for pair in values:
            if isinstance(pair, list) and len(pair) == 2:
                time, number = (decimal_of(str(part)) for part in pair)
                value = None if number is None else whole_decimal(number)
                yield Sample(name[1] + name[2], _whose(labels), value, _seconds(time))


def telegraf(line: str) -> list[Sample] | None:
    """The samples of a point of telegraf's nstat; None for another line."""
    found = _POINT.fullmatch(line)
    if not found:
        return None
    tags = dict(pair.split("=", 1) for pair in found[1].split(",") if "=" in pair)
    time = decimal_of(found[3]) if found[3] else None
    stamp = None
    if time is not None and 0 <= time < 1 << 63:
        stamp = Stamp(int(time), SERIES_NS if time % SECOND else _UNCERTAINTY_NS, "exporter")
    samples = []
    for pair in found[2].split(","):
        name, _, text = pair.partition("=")
        number = decimal_of(text.rstrip("iu"))
        if group_of(name):
            samples.append(Sample(name, _whose(tags), None if number is None else whole_decimal(number), stamp))
    return samples


def node_time(line: str) -> Stamp | None:
    """The time that an exporter says of its host; None for another line."""
    parts = line.split()
    number = decimal_of(parts[1]) if len(parts) in (2, 3) and parts[0].partition("{")[0] == TIME else None
    return _seconds(number)


def is_other(line: str) -> bool:
    """Is this the sample of another metric?"""
    return _OTHER.fullmatch(line) is not None or _OF_TELEGRAF.fullmatch(line) is not None


def _whose(labels: dict[str, str]) -> str:
    """The labels that tell one host from another."""
    return ",".join(f'{name}="{labels[name]}"' for name in _WHOSE if name in labels)


def _seconds(number: Any) -> Stamp | None:
    if number is None or not number.is_finite() or not 0 <= number < 1 << 33:
        return None
    return Stamp(int(number.scaleb(9).to_integral_value()), _UNCERTAINTY_NS, "exporter")


def _stamp(text: str | None) -> Stamp | None:
    """Milliseconds since 1970, or (OpenMetrics) seconds with a fraction."""
    number = decimal_of(text) if text else None
    if text is None or number is None:
        return None
    time_ns = number.scaleb(9 if "." in text else 6)
    if not 0 <= time_ns < 1 << 63:
        return None
    return Stamp(int(time_ns.to_integral_value()), _UNCERTAINTY_NS, "exporter")
