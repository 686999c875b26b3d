"""What stands beside a capture: the files with its host's counters, its lists of sockets, what its host is called."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.capture.bundle import host_of, part_of
from analyzer.capture.support import report_of
from analyzer.errors import UsageError
from analyzer.parts import COUNTERS_FILE, COUNTERS_TEXT, SOCKETS_FILE, SOCKETS_TEXT

if TYPE_CHECKING:
    from analyzer.sockets import ListFile, SocketLists


def addresses(hosts: Sequence[str]) -> list[str]:
    """The addresses of hosts in their usual form, each once; a UsageError for what is none."""
    found = []
    for host in hosts:
        try:
            found.append(str(ipaddress.ip_address(host)))
        except ValueError:
            raise UsageError("--host", f"{host!r} is no IP address", "give one, such as 192.0.2.1") from None
    return list(dict.fromkeys(found))


def known_names(paths: Sequence[str], given: Sequence[str], recorded: Iterable[str]) -> list[str]:
    """What the host that took the capture may be called: its names and addresses."""
    names = [host.name for host in map(host_of, paths) if host is not None]
    return [*names, *(given or recorded)]


def counter_files(paths: Sequence[str], snapshots: Sequence[str | Path]) -> list[str | Path]:
    """The files with the counters of a host: those that were named, else those of the only bundle, or of all reports of one host."""
    if snapshots:
        return list(snapshots)
    found: dict[str, list[str | Path]] = {}
    for path in paths:
        file = part_of(path, COUNTERS_FILE, COUNTERS_TEXT) or (path if _reports_counters(path) else None)
        if file is not None:
            host = host_of(path)
            found.setdefault(host.name if host and host.name else path, []).append(file)
    return next(iter(found.values())) if len(found) == 1 else []


def _reports_counters(path: str) -> bool:
    """Is it the folder of a report with counters? The readers of counters are imported only for such a folder."""
    report = report_of(path)
    if report is None or not report.counters:
        return False
    from analyzer.counters import holds_counters

    return holds_counters(path)


def socket_lists(paths: Sequence[str], sockets: Sequence[str | Path]) -> SocketLists | None:
    """The socket lists that were named, else those of the bundles and reports, each with the name of its host; None without any.

    Raises SocketsError where a file holds no sockets. The readers of sockets are imported only for such files.
    """
    hosts = {path: host.name for path in paths if (host := host_of(path)) is not None}
    parts = [(path, part_of(path, SOCKETS_FILE, SOCKETS_TEXT), report_of(path)) for path in paths]
    if not sockets and not any(file or report for _, file, report in parts):
        return None
    from analyzer.sockets import ListFile, SocketLists, lists_in, lists_named

    found: list[ListFile] = []
    if sockets:
        names = set(hosts.values())
        name = names.pop() if len(names) == 1 else ""
        found += [file for path in sockets for file in lists_named(str(path), name)]
    else:
        for path, file, report in parts:
            if file:
                found.append(ListFile(file, hosts.get(path, "")))
            elif report:
                found += lists_in(report)
    lists = SocketLists(found)
    lists.check()
    return lists if found else None
