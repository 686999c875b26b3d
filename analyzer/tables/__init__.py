"""THE tables: every column declared once, a file for each kind. Storage, checks and documents come from here."""

from __future__ import annotations

from analyzer.schema import Table
from analyzer.tables.checksums import CHECKED_PROTOCOLS, CHECKSUM_VERDICTS, CHECKSUMS
from analyzer.tables.counters import COUNTER_VERDICTS, COUNTERS, INCREMENTS, RELATIONS
from analyzer.tables.events import CAPTURE_FACTS, EVENTS, EXAMPLES, FACTS, FLOW_EVENTS
from analyzer.tables.findings import CONFIDENCES, FINDING_SIDES, FINDINGS, NOT_CHECKED, SEVERITIES
from analyzer.tables.flows import (
    CAUSES_OF_TIME,
    CLOSERS,
    COMPLETENESS,
    FLOW_PROTOCOLS,
    FLOW_STATES,
    FLOWS,
    LOST_TIME,
    RESETS,
    ROLES,
    SERIES,
    TCP_STATES,
    TIME_CAUSES,
    WINDOW_CLOSED,
)
from analyzer.tables.hosts import HOST_ROLES, HOSTS, KNOWN_FROM
from analyzer.tables.packets import (
    CHECKSUM_STATES,
    DIRECTIONS,
    HEADER_CHECKSUM_STATES,
    HOT,
    LAYERS,
    OPTIONS,
    PACKETS,
    QUIRKS,
    RECEPTIONS,
    STOPS,
    TUNNELS,
    WIRESHARK,
)
from analyzer.tables.points import CORRUPTIONS, FATES, ON_THE_WAY, PASSAGES, PATHS, REASONS, REWRITTEN
from analyzer.tables.sockets import NETIDS, SHUTDOWNS, SOCKET_FLAGS, SOCKET_STATES, SOCKETS, TIMERS

__all__ = [
    "LAYERS",
    "STOPS",
    "TUNNELS",
    "OPTIONS",
    "QUIRKS",
    "WIRESHARK",
    "DIRECTIONS",
    "CHECKSUM_STATES",
    "HEADER_CHECKSUM_STATES",
    "RECEPTIONS",
    "HOT",
    "PACKETS",
    "FLOW_PROTOCOLS",
    "ROLES",
    "FLOW_STATES",
    "RESETS",
    "WINDOW_CLOSED",
    "TCP_STATES",
    "CLOSERS",
    "COMPLETENESS",
    "CAUSES_OF_TIME",
    "TIME_CAUSES",
    "LOST_TIME",
    "FLOWS",
    "SERIES",
    "EVENTS",
    "EXAMPLES",
    "FLOW_EVENTS",
    "SEVERITIES",
    "FINDING_SIDES",
    "CONFIDENCES",
    "FINDINGS",
    "NOT_CHECKED",
    "CHECKED_PROTOCOLS",
    "CHECKSUM_VERDICTS",
    "CHECKSUMS",
    "FACTS",
    "CAPTURE_FACTS",
    "RELATIONS",
    "COUNTER_VERDICTS",
    "COUNTERS",
    "INCREMENTS",
    "SOCKET_STATES",
    "NETIDS",
    "SHUTDOWNS",
    "TIMERS",
    "SOCKET_FLAGS",
    "SOCKETS",
    "HOST_ROLES",
    "KNOWN_FROM",
    "HOSTS",
    "FATES",
    "REASONS",
    "REWRITTEN",
    "ON_THE_WAY",
    "PASSAGES",
    "PATHS",
    "CORRUPTIONS",
    "TABLES",
    "POINT_TABLES",
]

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        FINDINGS,
        NOT_CHECKED,
        CAPTURE_FACTS,
        PACKETS,
        FLOWS,
        EVENTS,
        FLOW_EVENTS,
        SERIES,
        CHECKSUMS,
        COUNTERS,
        INCREMENTS,
        SOCKETS,
        HOSTS,
    )
}

# Those of several capture points: one capture has no rows of them.
POINT_TABLES: dict[str, Table] = {table.name: table for table in (PATHS, PASSAGES, CORRUPTIONS)}
