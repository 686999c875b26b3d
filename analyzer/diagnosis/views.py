"""The tables that rules read: those of `tables/` that are bounded, and small ones that only rules need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from analyzer.distinct import grouped
from analyzer.schema import Column, Rows, Table, address_text, bits_text
from analyzer.tables import (
    CAPTURE_FACTS,
    CHECKSUMS,
    COUNTERS,
    FLOW_EVENTS,
    FLOWS,
    HOSTS,
    PASSAGES,
    PATHS,
    SOCKETS,
    TIME_CAUSES,
)

Columns = dict[str, Any]  # by name, arrays or lists that DuckDB takes

WAITS = Table(
    "waits",
    "One row per connection, side and cause of the account of time that it lost a millisecond or more to: how often, and where it is to be seen. Only of connections that lost much.",
    (
        Column("flow", "i8", "Its number in the table `flows`."),
        Column("cause", "", f"One of {', '.join(TIME_CAUSES)}.", kind="text"),
        Column("side", "", "`client` or `server`: who waited, or was silent.", kind="text"),
        Column("count", "i8", "How often."),
        Column("total_ns", "i8", "How long in all.", unit="ns"),
        Column("longest_ns", "i8", "The longest.", unit="ns"),
        Column("first_frame", "i8", "The frame that ended the first."),
        Column("longest_frame", "i8", "The frame that ended the longest."),
    ),
)

STATES = Table(
    "connection_states",
    "How many TCP connections there were in each state, all of them, also where `flows` holds only those that matter most.",
    (
        Column("state", "", "As in `flows`.", kind="text"),
        Column("connections", "i8", "How many."),
    ),
)

LOCAL = Table(
    "local_addresses",
    "Addresses of the host that took the capture, as far as they are known.",
    (Column("address", "", "One of them.", kind="text"),),
)

SYSCTLS = Table(
    "sysctls",
    "Settings of that host, from host.json.",
    (
        Column("name", "", "Such as `net.ipv4.ip_local_port_range`.", kind="text"),
        Column("value", "", "As it was written.", kind="text"),
    ),
)

CAPTURE = Table(
    "capture",
    "One row: the capture as a whole.",
    (
        Column("frames", "i8", "Frames."),
        Column("start_ns", "i8", "Time of the first frame.", unit="ns"),
        Column("end_ns", "i8", "Time of the last frame.", unit="ns"),
        Column("connections", "i8", "TCP connections, also where `flows` holds only some."),
        Column("dropped", "i8", "Frames that the capture lost, by its own counts; -1 where it says none."),
        Column("cut", "i8", "Frames of which not all was captured."),
        Column("copies", "i8", "Frames that the capture holds again."),
        Column("icmp_errors", "i8", "Frames with an ICMP error."),
    ),
)

ICMP_ERRORS = Table(
    "icmp_errors",
    "One row per sort of ICMP error, sender and direction of the packets that it complains about.",
    (
        Column("version", "i8", "4 for ICMP, 6 for ICMPv6."),
        Column("type", "i8", "Its type."),
        Column("code", "i8", "Its code."),
        Column("meaning", "", "What it says.", kind="text"),
        Column("source", "", "Who sent it.", kind="text"),
        Column("destination", "", "To whom.", kind="text"),
        Column("protocol", "i8", "Protocol of the packets that it quotes."),
        Column("src", "", "Their source.", kind="text"),
        Column("src_port", "i8", "Its port."),
        Column("dst", "", "Their destination.", kind="text"),
        Column("dst_port", "i8", "Its port."),
        Column("count", "i8", "How many."),
        Column("mtu", "i8", "The smallest MTU that they name, 0 without one.", unit="bytes"),
        Column("first_frame", "i8", "The first frame."),
        Column("last_frame", "i8", "The last frame."),
        Column("first_ns", "i8", "Time of the first.", unit="ns"),
        Column("last_ns", "i8", "Time of the last.", unit="ns"),
        Column("frames", "", "The frames of the first 8 of them.", kind="text"),
    ),
)

PORTS = Table(
    "ports_in_use",
    "One row per client, server and its port, of the 1,000 with most: how many of the client's ports were in use at a time, in the capture and in the last list of sockets.",
    (
        Column(
            "source",
            "",
            "`capture` (then at the moment with most; 60 s longer where the client closed first) or `sockets`.",
            kind="text",
        ),
        Column("address", "", "The client.", kind="text"),
        Column("peer", "", "The server.", kind="text"),
        Column("peer_port", "i8", "Its port."),
        Column("ports", "i8", "How many ports."),
        Column("lowest", "i8", "The lowest that was ever used."),
        Column("highest", "i8", "The highest."),
        Column("time_wait", "i8", "Of them in TIME_WAIT."),
        Column("close_wait", "i8", "Of them in CLOSE_WAIT; only lists of sockets tell."),
        Column(
            "reused",
            "i8",
            "How often in the capture a port was taken again that the client must have had in TIME_WAIT.",
        ),
        Column("time_ns", "i8", "When that was.", unit="ns"),
        Column("low", "i8", "First of the ports that the client may choose from."),
        Column("high", "i8", "The last one."),
        Column("range_known", "i8", "1 if these are of its settings, 0 if they are what Linux has by default."),
    ),
)

EXPLAINED = Table(
    "explained_counters",
    "The counters that findings of other rules name. A rule that reads it runs after all others.",
    (Column("counter", "", "One of them.", kind="text"),),
)

CHECKSUMS_SEEN = Table(
    "checksums",
    CHECKSUMS.doc,
    (
        *CHECKSUMS.columns,
        Column("harmful", "i8", "1 if receivers drop what is wrong."),
        Column("says", "", "The evidence of the verdict in words, divided by semicolons.", kind="text"),
    ),
)

COUNTER_INTERVALS = Table("counter_intervals", "The table `counters`: a row for each interval.", COUNTERS.columns)
COUNTERS_WHOLE = Table(
    "counters",
    "One row per counter over the whole time of the snapshots, with what the catalogue says of it.",
    (
        *COUNTERS.columns,
        Column("routine", "i8", "1 if it moves with healthy traffic, too.", kind="value"),
        Column("means", "", "When the kernel counts it.", kind="text"),
        Column("points_at", "", "What to look at when it moves.", kind="text"),
    ),
)

# What rules read of a socket; `sockets` of the public tables has a hundred columns.
SOCKET_COLUMNS = (
    "time_ns", "snapshot", "netid", "state", "recv_q", "send_q", "accept_queue", "accept_limit", "local", "local_port", "peer",
    "peer_port", "flow", "process", "timer", "timer_expires_ms", "timer_retransmissions",
)  # fmt: skip
SOCKETS_SEEN = Table(
    "sockets",
    "Sockets as rules read them: of each the row in which most waited in its queue, and the last one; 50,000 rows at most. -1 is not known.",
    (
        *(SOCKETS[name] for name in SOCKET_COLUMNS),
        Column("last", "i8", "1 if it is of the last list."),
        Column("backoff", "i8", "Retransmission timeouts in a row, -1 where it is not printed."),
        Column(
            "rwnd_limited_ms", "i8", "Time that the peer's window limited it, -1 where it is not printed.", unit="ms"
        ),
        Column("sndbuf_limited_ms", "i8", "Time that its own send buffer limited it, likewise.", unit="ms"),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        FLOWS, FLOW_EVENTS, WAITS, STATES, CAPTURE_FACTS, CHECKSUMS_SEEN, COUNTERS_WHOLE, COUNTER_INTERVALS, SOCKETS_SEEN, LOCAL,
        SYSCTLS, HOSTS, CAPTURE, ICMP_ERRORS, PORTS, EXPLAINED, PATHS, PASSAGES,
    )
}  # fmt: skip

Named = Collection[str] | None  # the names that queries use, where all of them are known
Source = Callable[[Named], Columns]
"""Makes the columns of a table, those of these names at least."""


def columns_of(
    table: Table,
    rows: Rows,
    texts: Mapping[str, Sequence[Any]] | None = None,
    names: Collection[str] | None = None,
) -> Columns:
    """The public columns of stored rows (or those of these `names`) as DuckDB takes them: words and addresses as text. No pandas."""
    texts = texts or {}
    found: Columns = {}
    for column in table.columns:
        if not column.public or (names is not None and column.name not in names):
            continue
        if column.name in texts:
            found[column.name] = _objects(texts[column.name])
        elif column.kind == "enum":
            found[column.name] = np.array(column.words, object)[rows[column.name]]
        elif column.kind == "bits":
            found[column.name] = _mapped(
                rows[column.name], lambda code, words=column.words: bits_text(words, int(code))
            )
        elif column.kind == "ascii":
            found[column.name] = np.char.decode(rows[column.name], "ascii").astype(object)
        elif column.kind == "address":
            found[column.name] = _addresses(column, rows)
        else:
            found[column.name] = np.ascontiguousarray(
                rows[column.name], np.float64 if np.dtype(column.dtype).kind == "f" else np.int64
            )
    return found


def arrays_of(lists: Mapping[str, Sequence[Any]]) -> Columns:
    """Lists as DuckDB takes them: whole numbers, others, or objects."""
    found: Columns = {}
    for name, values in lists.items():
        kinds = {type(value) for value in values}
        if kinds <= {int, bool}:
            found[name] = np.array(values, np.int64)
        elif kinds <= {int, float}:
            found[name] = np.array(values, np.float64)
        else:
            found[name] = _objects(values)
    return found


def _objects(values: Sequence[Any]) -> Any:
    array = np.empty(len(values), object)
    for at, value in enumerate(values):
        array[at] = value
    return array


def _mapped(codes: Any, name: Any) -> Any:
    values, _, group, _ = grouped(codes)
    return _objects([name(code) for code in values])[group]


def _addresses(column: Column, rows: Rows) -> Any:
    keys = np.empty(len(rows), [("high", "u8"), ("low", "u8"), ("version", "u1")])
    keys["high"], keys["low"] = rows[f"{column.name}_hi"], rows[f"{column.name}_lo"]
    keys["version"] = rows[column.version]
    return _mapped(keys, lambda key: address_text(int(key["high"]), int(key["low"]), int(key["version"])))
