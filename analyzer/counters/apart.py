"""Snapshots of several hosts in the same files: told apart, and those of the host that is meant chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analyzer.counters.series import Series, Snapshot
from analyzer.patterns import regex

_VALUE = regex(r'(\w+)="((?:[^"\\]|\\.)*)"')
_PORT = regex(r"(?<=[\w\].])(?<!::):\d{1,5}$")


def by_host(snapshots: Sequence[Snapshot]) -> dict[str, list[Snapshot]]:
    """Those of each host, in their order; all under one name where they are not known to be of several.

    Files of their own may call one host by different labels: only what the same label calls differently is several.
    """
    hosts = list(dict.fromkeys(each.host for each in snapshots if each.host))
    kinds = {tuple(name for name, _ in _VALUE.findall(host)) for host in hosts}
    together = {path for path in {each.path for each in snapshots} if len({each.host for each in snapshots if each.path == path} - {""}) > 1}  # fmt: skip
    if len(hosts) < 2 or (len(kinds) > 1 and not together):
        return {hosts[0] if len(hosts) == 1 else "": list(snapshots)}
    found: dict[str, list[Snapshot]] = {}
    for each in snapshots:
        found.setdefault(each.host, []).append(each)
    return found


def by_turns(snapshots: Sequence[Snapshot]) -> dict[str, list[Snapshot]]:
    """Two that take turns and are not named."""
    return {f'host="unnamed {word}"': list(snapshots[at::2]) for at, word in enumerate(("first", "second"))}


def name_of(host: str) -> str:
    """What a host is called: the values of its labels."""
    return " ".join(dict.fromkeys(value for _, value in _VALUE.findall(host))) or host


def chosen(series: Series, names: Sequence[str]) -> Series:
    """The series of the host that goes by one of these names or addresses, beside the others; as it is where that is none or several."""
    if series.snapshots or not series.others:
        return series
    wanted = {_plain(name) for name in names if name}
    found = [each for each in series.others if wanted & {_plain(word) for word in (each.host, *each.host.split())}]
    return with_chosen(series, found[0], "it goes by that name") if len(found) == 1 else series


def with_chosen(series: Series, one: Series, why: str) -> Series:
    """One of the series of several hosts, and why it is the one that is meant."""
    others = tuple(each for each in series.others if each is not one)
    note = f"counters of {len(series.others)} hosts: those of {one.host} are compared ({why})"
    return replace(one, notes=[*series.notes, note], others=others)


def _plain(name: str) -> str:
    """Without port, brackets and domain, but for addresses."""
    text = _PORT.sub("", name).strip("[]").lower()
    return text if ":" in text or text.replace(".", "").isdigit() else text.partition(".")[0]
