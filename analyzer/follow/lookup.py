"""A number, or ADDRESS:PORT -> the connection that is meant."""

from __future__ import annotations

import ipaddress
import re

import numpy as np

from analyzer.errors import UsageError
from analyzer.flows import FlowTracker
from analyzer.flows.names import ends_text
from analyzer.schema import Rows
from analyzer.text import plural

MOST_NAMED = 8
ROWS_AT_ONCE = 10_000
WHERE = "FLOW"


def flow_row(tracker: FlowTracker, number: int) -> Rows:
    """The row of `flows` with this number. Raises UsageError where there is none, or it was let go to make room for others."""
    rows = tracker.rows_of(np.array([number], np.int64))
    if len(rows):
        row: Rows = rows[0]
        return row
    if 0 <= number < tracker.total:
        raise UsageError(WHERE, f"flow {number:,} was let go to make room for others", "give a higher --max-flows")
    count = tracker.total
    todo = (
        f"there are {plural(count, 'flow')}, from 0 to {count - 1:,}"
        if count > 1
        else f"there is {'one: 0' if count else 'none'}"
    )
    raise UsageError(WHERE, f"no flow {number:,}", todo)


def flow_number(tracker: FlowTracker, name: str) -> int:
    """The flow that `name` means: its number (`3`, `#3`), or the address and port of one of its ends.

    Raises UsageError where it is neither, and where several flows have this end: with the numbers of the first.
    """
    if found := re.fullmatch(r"#?(\d{1,18})", name):
        return int(found[1])
    version, value, port = _endpoint(name)
    places = [
        at + start
        for start in range(0, len(tracker), ROWS_AT_ONCE)
        for at in _with_end(tracker.rows(slice(start, start + ROWS_AT_ONCE)), version, value, port)
    ]
    if not places:
        raise UsageError(WHERE, f"no flow has the end {name}", "`tcpcap flows` lists them")
    if len(places) > 1:
        rows = tracker.rows(np.array(places[:MOST_NAMED], np.intp))
        named = "; ".join(f"{int(row['flow'])} ({ends_text(row)})" for row in rows)
        more = f"; and {len(places) - MOST_NAMED:,} more" if len(places) > MOST_NAMED else ""
        raise UsageError(WHERE, f"{name} is an end of {plural(len(places), 'flow')}", f"name one: {named}{more}")
    return int(tracker.rows(np.array(places, np.intp))["flow"][0])


def _endpoint(name: str) -> tuple[int, int, int]:
    """IP version, address and port of `192.0.2.1:80` or `[2001:db8::1]:80`."""
    found = re.fullmatch(r"\[?([0-9A-Fa-f.:]+?)\]?:(\d{1,5})", name)
    try:
        address = ipaddress.ip_address(found[1]) if found else None
    except ValueError:
        address = None
    if found is None or address is None:
        todo = "give the number of a flow, or an end of it such as 192.0.2.1:80 or [2001:db8::1]:80"
        raise UsageError(WHERE, f"{name!r} is neither a number nor an address with a port", todo)
    return address.version, int(address), int(found[2])


def _with_end(rows: Rows, version: int, value: int, port: int) -> list[int]:
    """The places of rows of which one side has this address and port."""
    high, low = value >> 64, value & (1 << 64) - 1
    if version == 4:
        low |= 0xFFFF << 32
    found = np.zeros(len(rows), np.bool_)
    for side in ("client", "server"):
        same = (rows[f"{side}_hi"] == np.uint64(high)) & (rows[f"{side}_lo"] == np.uint64(low))
        found |= same & (rows[f"{side}_port"] == port)
    return np.flatnonzero(found & (rows["ip_version"] == version)).tolist()
