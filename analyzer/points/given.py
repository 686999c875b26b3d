"""What is given as several capture points, and what cannot be given with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analyzer.capture.bundle import host_of
from analyzer.errors import UsageError, suggest


def named(given: Sequence[str]) -> dict[str, list[str]]:
    """`NAME=TRACE` by name; a name that stands twice has several files of one capture. Raises UsageError for what has no name."""
    found: dict[str, list[str]] = {}
    for each in given:
        name, sign, path = each.partition("=")
        if not sign or not name.strip() or not path:
            raise UsageError("--at", f"{each!r} is no NAME=TRACE", "name the point, such as --at client=a.pcap")
        found.setdefault(name.strip(), []).append(path)
    return found


def hosts_apart(paths: Sequence[str]) -> dict[str, list[str]]:
    """Bundles of different hosts by the names of the hosts; empty where one path is no bundle, or all are of one host."""
    if len(paths) < 2:
        return {}  # nothing is read where nothing need be
    hosts = [host_of(path) for path in paths]
    if not all(host is not None and host.name for host in hosts):
        return {}
    found: dict[str, list[str]] = {}
    for path, host in zip(paths, hosts, strict=True):
        found.setdefault(host.name if host else "", []).append(path)
    return found if len(found) > 1 else {}


def check_named(names: Sequence[str], clock: str | None) -> None:
    """Raise UsageError for fewer than two points, and for a clock of none of them."""
    if len(names) < 2:
        found = f"{len(names)} capture point"
        raise UsageError("--at", found, "name two or more, such as --at client=a.pcap --at server=b.pcap")
    if clock and clock not in names:
        raise UsageError("--clock", f"no point {clock!r}", suggest(clock, list(names)))


def refuse_single(**given: Any) -> None:
    """Raise UsageError for what belongs to one capture and was given."""
    for name, value in given.items():
        if value is not None and (isinstance(value, int) or not hasattr(value, "__len__") or len(value)):
            raise UsageError(
                name,
                "given together with several capture points (at)",
                "analyse one point for it, or give bundles, which hold what belongs to each",
            )
