"""Which tables and columns a query reads: DuckDB's own plan over empty tables tells it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from analyzer.diagnosis.created import sql_type
from analyzer.diagnosis.kept import until_forks
from analyzer.diagnosis.opened import MACROS
from analyzer.ending import pass_on
from analyzer.errors import UsageError
from analyzer.moments import MOMENTS
from analyzer.schema import Column, Table
from analyzer.tables import TABLES

NUMBERS = {moment: number for number, moment in MOMENTS.items()}
STORE = "store"  # the schema of what the views show
LISTS = ("frames", "related_frames", "flows")  # JSON lists of numbers, where their column is a text
# Without these a plan reads all columns that the query names, and no table is known to be empty.
OPTIMIZERS = "filter_pushdown,statistics_propagation,empty_result_pullup,late_materialization,top_n"
WHERE = "SQL"


class Planner:
    """Plans queries over empty tables; nothing is ever in them, so that all of a process share them."""

    def __init__(self, tables: Mapping[str, Table] = TABLES) -> None:
        import duckdb

        self._duckdb, self._tables = duckdb, tables
        self._connection = _cursor(tables)

    def needs(self, sql: str) -> dict[str, list[str]]:
        """The columns that a query reads of each table; all of them where the plan does not tell. Raises UsageError for what is no query, or names what is not there."""
        try:
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != self._duckdb.StatementType.SELECT:
                raise UsageError(WHERE, "not one SELECT", "ask one question at a time; nothing can be changed")
            plans = self._connection.execute(f"EXPLAIN (FORMAT json) SELECT * FROM (\n{sql}\n)").fetchall()
        except self._duckdb.Error as error:
            raise query_error(error) from None
        found: dict[str, list[str]] = {}
        for _, plan in plans:
            for node in _nodes(json.loads(plan)):
                told = node.get("extra_info")
                told = told if isinstance(told, dict) else {}
                name = str(told.get("Table", "")).rpartition(".")[2]
                if name in self._tables:
                    read = found.setdefault(name, [])
                    read += [column for column in _columns(told, self._tables[name]) if column not in read]
        return found

    def close(self) -> None:
        """Give its memory back."""
        self._connection.close()


_EMPTY: dict[tuple[int, ...], tuple[Mapping[str, Table], Any]] = {}


def _cursor(tables: Mapping[str, Table]) -> Any:
    """A connection of its own to the database with these tables, which is made for the first that asks."""
    import duckdb

    key = tuple(map(id, tables.values()))
    with suppress(KeyError, duckdb.ConnectionException):  # there is none yet, or a thread that forks has just closed it
        return _EMPTY[key][1].cursor()
    made = _empty(tables)
    cursor = made.cursor()
    _EMPTY[key] = tables, made
    return cursor


def _release() -> None:
    """Who is planning has a connection of its own."""
    with suppress(KeyError):  # none is left
        while True:
            _EMPTY.popitem()[1][1].close()


until_forks(_release)


def _empty(tables: Mapping[str, Table]) -> Any:
    """A database with these tables, in which nothing can be set any more, nor be reached from."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": 1, "enable_external_access": "false"})
    make_tables(connection, tables)
    connection.execute(f"SET disabled_optimizers = '{OPTIMIZERS}'")
    connection.execute("SET lock_configuration = true")
    return connection


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """All operators of a plan."""
    for node in plan if isinstance(plan, list) else [plan]:
        yield node
        yield from _nodes(node.get("children", []))


def _columns(told: dict[str, Any], table: Table) -> list[str]:
    """What a scan reads; one column where it only counts rows."""
    known = [column.name for column in table.columns if column.public]
    if "Projections" not in told:
        return known
    read = told["Projections"]
    names = [name.strip('"') for name in ([read] if isinstance(read, str) else read) if name]
    return known[:1] if not names else names if set(names) <= set(known) else known


def make_tables(connection: Any, tables: Mapping[str, Table] = TABLES) -> None:
    """The tables, empty, the views over them that have each moment as a timestamp, too, and the macros that rules have."""
    # All at once: one by one, each is a transaction, which takes longer than to make a table.
    connection.execute("; ".join(("BEGIN", f"CREATE SCHEMA {STORE}", *_statements(tables.values()), "COMMIT")))
    # Python's own variables are no tables.
    connection.execute("SET GLOBAL python_enable_replacements = false")


def _statements(tables: Iterable[Table]) -> Iterator[str]:
    for table in tables:
        columns = ", ".join(f'"{column.name}" {type_of(column)}' for column in table.columns if column.public)
        yield f"CREATE TABLE {STORE}.{table.name} ({columns})"
        yield f"CREATE VIEW {table.name} AS SELECT {', '.join(_shown(table))} FROM {STORE}.{table.name}"
    yield from (f"CREATE MACRO {macro}" for macro in MACROS)


def type_of(column: Column) -> str:
    """How DuckDB stores a column."""
    return "BIGINT[]" if column.name in LISTS and column.kind == "text" else sql_type(column)


def columns_shown(table: Table) -> list[str]:
    """The columns of the view of a table, in order."""
    names: list[str] = []
    for column in table.columns:
        if column.public:
            names += [column.name, MOMENTS[column.name]] if column.name in MOMENTS else [column.name]
    return names


def _shown(table: Table) -> Iterator[str]:
    for name in columns_shown(table):
        number = NUMBERS.get(name)
        if number:  # the greatest number stands for more than can be said
            yield f'CASE WHEN "{number}" < 9223372036854775807 THEN make_timestamp_ns("{number}") END AS "{name}"'
        else:
            yield f'"{name}"'


def query_error(error: Exception) -> UsageError:
    """What DuckDB says, in two parts: what is wrong, and what to do."""
    pass_on(str(error))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else "it failed"
    hints = [line for line in lines[1:] if line.startswith(("Did you mean", "Candidate"))]
    return UsageError(WHERE, said, hints[0] if hints else "`tcpcap schema` lists tables and columns")
