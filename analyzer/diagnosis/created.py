"""The statements that make the tables of rules: with all of their columns, or with those that queries name."""

from __future__ import annotations

import numpy as np

from analyzer.diagnosis.views import Named
from analyzer.schema import Column, Table
from analyzer.tables import FLOWS, TIME_CAUSES

# Columns of `flows` that come once a side: `client_x` and `server_x`.
SIDED = tuple(
    column.name.removeprefix("client_")
    for column in FLOWS.columns
    if column.name.startswith("client_") and any(each.name == f"server_{column.name[7:]}" for each in FLOWS.columns)
)
VIEWS = {"ends": ("flows", "local_addresses")}
"""What is made of tables, and of which."""
# Columns of `ends` that both sides of a connection share.
SHARED = (
    "flow", "state", "completeness", "roles", "agreed", "events", "start_ns", "end_ns", "duration_ns", "first_frame", "last_frame",
    "handshake_rtt_ns", "server", "server_port", "client", *(f"time_{cause}_ns" for cause in TIME_CAUSES),
)  # fmt: skip
# What makes a connection one of `ends`, and what its columns of other names are made of.
OF_ENDS = ("flow", "protocol", "leg_of", "closed_first", "client", "client_port", "server", "server_port")


def sql_type(column: Column) -> str:
    """How DuckDB stores a column."""
    if column.name in ("frames", "related_frames") and column.kind == "text":
        return "BIGINT[]"
    if column.kind in ("enum", "bits", "address", "text", "ascii"):
        return "VARCHAR"
    return "DOUBLE" if np.dtype(column.dtype).kind == "f" else "BIGINT"


def read_by(table: Table, named: Named) -> list[Column]:
    """Its public columns, or those that queries with these names read; of `flows` what `ends` is made of, too. One column at least."""
    columns = [column for column in table.columns if column.public]
    if named is None:
        return columns
    names = set(named)
    if table is FLOWS and "ends" in names:
        names.update(OF_ENDS, *((f"client_{name}", f"server_{name}") for name in SIDED if name in named))
    return [column for column in columns if column.name in names] or columns[:1]


def create_table(table: Table, named: Named = None) -> str:
    """The statement that makes it, empty."""
    columns = ", ".join(f'"{column.name}" {sql_type(column)}' for column in read_by(table, named))
    return f"CREATE TABLE {table.name} ({columns})"


def create_ends(named: Named = None) -> str:
    """A table with one row per connection and side: the columns of `flows` for that side without its name, and who the other is.

    As a view it would be planned anew in each query that names it, which takes longer than most of the queries themselves.
    """
    parts = []
    for side, other in (("client", "server"), ("server", "client")):
        columns = {name: name for name in SHARED} | {
            "side": f"'{side}'",
            "other_side": f"'{other}'",
            "direction": f"{int(side == 'server')}::BIGINT",
            "address": side,
            "peer": other,
            "peer_port": f"{other}_port",
            "local": f"{side} IN (SELECT address FROM local_addresses)",
            "peer_local": f"{other} IN (SELECT address FROM local_addresses)",
            "closes_first": f"closed_first = '{side}'",
        }
        columns |= {name: f"{side}_{name}" for name in SIDED if name not in columns}
        parts.append(f"SELECT {_listed(columns, named)} FROM flows WHERE protocol = 'tcp' AND leg_of < 0")
    return "CREATE TABLE ends AS " + " UNION ALL ".join(parts)


def _listed(columns: dict[str, str], named: Named) -> str:
    """These columns of a SELECT, or those with these names; one at least."""
    wanted = [name for name in columns if named is None or name in named] or ["flow"]
    return ", ".join(f"{columns[name]} AS {name}" for name in wanted)
