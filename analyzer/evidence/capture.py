"""What rules read of the capture as a whole: facts, waits, states, ICMP errors, checksums, hosts, ports, sockets."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.analysis import Analysis
from analyzer.checksums.result import HARMFUL
from analyzer.diagnosis.views import ICMP_ERRORS, PORTS, SOCKETS_SEEN, WAITS, Columns, arrays_of, columns_of
from analyzer.flows.ports import ports_of
from analyzer.schema import address_text
from analyzer.tables import CAPTURE_FACTS, CHECKSUMS, HOSTS

MOST_SLOW = 5_000  # connections whose waits are told
DEFAULT_PORTS = (32_768, 60_999)  # net.ipv4.ip_local_port_range of Linux


def waits(analysis: Analysis) -> Columns:
    """The table `waits`, of the connections that lost most time."""
    found: dict[str, list[Any]] = {column.name: [] for column in WAITS.columns}
    for flow, notes in analysis.slow_notes(MOST_SLOW):
        for cause, note in notes:
            side = ("client", "server")[note["direction"]]
            values = (
                flow,
                cause,
                side,
                note["count"],
                note["ns"],
                note["longest_ns"],
                note["first_frame"],
                note["longest_frame"],
            )
            for name, value in zip(found, values, strict=True):
                found[name].append(value)
    return arrays_of(found)


def states(analysis: Analysis) -> Columns:
    """The table `connection_states`."""
    counts = analysis.flow_tracker.state_counts()
    return arrays_of({"state": list(counts), "connections": list(counts.values())})


def facts(analysis: Analysis) -> Columns:
    """The table `capture_facts`."""
    found = analysis.facts
    return arrays_of({column.name: [getattr(fact, column.name) for fact in found] for column in CAPTURE_FACTS.columns})


def capture(analysis: Analysis) -> Columns:
    """The table `capture`: one row; a count of dropped frames that nobody tells is -1."""
    summary = analysis.summary
    drops = [value for name, value in analysis.drops.items() if value is not None and name != "interface_received"]
    row = {
        "frames": summary.total("frames"),
        "start_ns": summary.total("first_ns"),
        "end_ns": summary.total("last_ns"),
        "connections": sum(analysis.flow_tracker.state_counts().values()),
        "dropped": sum(drops) if drops else -1,
        "cut": summary.quirks.get("cut", 0),
        "copies": summary.total("copies"),
        "icmp_errors": analysis.icmp_errors.total,
    }
    return arrays_of({name: [value] for name, value in row.items()})


def icmp_errors(analysis: Analysis) -> Columns:
    """The table `icmp_errors`."""
    found = analysis.icmp_errors.rows
    return arrays_of({column.name: [getattr(each, column.name) for each in found] for column in ICMP_ERRORS.columns})


def checksums(analysis: Analysis) -> Columns:
    """The table `checksums`; empty where none was verified."""
    result = analysis.checksum_result
    if result is None:
        return {}
    found = columns_of(CHECKSUMS, result.rows())
    found["harmful"] = np.array([verdict.word in HARMFUL for verdict in result.verdicts], np.int64)
    return found | arrays_of({"says": ["; ".join(verdict.evidence) for verdict in result.verdicts]})


def sysctls(analysis: Analysis) -> Columns:
    """The table `sysctls`."""
    known = analysis.sysctls
    return arrays_of({"name": list(known), "value": list(known.values())})


def hosts(analysis: Analysis) -> Columns:
    """The table `hosts`; an MTU that is not known is -1."""
    rows, texts, mtus = analysis.hosts_rows()
    given = {name: list(values) for name, values in texts.items()} | {"mtu": [0] * len(rows)}
    return columns_of(HOSTS, rows, given) | {"mtu": np.where(mtus > 0, mtus, -1)}


def sockets(analysis: Analysis) -> Columns:
    """The table `sockets`."""
    rows = analysis.sockets_seen.rows()
    return arrays_of({column.name: [row[column.name] for row in rows] for column in SOCKETS_SEEN.columns})


def port_range(analysis: Analysis) -> tuple[int, int] | None:
    """The ports that the host of the capture may choose from for its own connections, where its settings are known."""
    words = analysis.sysctls.get("net.ipv4.ip_local_port_range", "").split()
    if len(words) != 2 or not all(word.isdecimal() and len(word) <= 5 for word in words):
        return None
    low, high = map(int, words)
    return (low, high) if low <= high else None


def ports(analysis: Analysis) -> Columns:
    """The table `ports_in_use`."""
    found: dict[str, list[Any]] = {column.name: [] for column in PORTS.columns}
    listed = analysis.sockets_seen.taken.ports() if analysis.has_sockets else None
    for source, rows in (("capture", ports_of(analysis.flow_tracker)), ("sockets", listed)):
        for row in () if rows is None else rows:
            version = int(row["version"])
            ends = [address_text(int(row[f"{end}_hi"]), int(row[f"{end}_lo"]), version) for end in ("address", "peer")]
            own = port_range(analysis) if source == "sockets" or ends[0] in analysis.local else None
            numbers = [
                int(row[name])
                for name in (
                    "peer_port",
                    "ports",
                    "lowest",
                    "highest",
                    "time_wait",
                    "close_wait",
                    "reused",
                    "time_ns",
                )
            ]
            values = [source, *ends, *numbers, *(own or DEFAULT_PORTS), int(own is not None)]
            for column, value in zip(found.values(), values, strict=True):
                column.append(value)
    return arrays_of(found)
