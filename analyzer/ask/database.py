"""Queries -> answers. Tables fill when a query first reads them, on disk where memory is short; queries reach nothing but them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from analyzer.analysis import Analysis
from analyzer.ask.plan import STORE, WHERE, Planner, make_tables, query_error, type_of
from analyzer.ask.rows import Request
from analyzer.ask.sources import source_of
from analyzer.capture import Damage
from analyzer.diagnosis.database import bounded
from analyzer.diagnosis.opened import NO_BAR
from analyzer.diagnosis.room import bounded_memory
from analyzer.diagnosis.spent import stopped_late
from analyzer.diagnosis.trial import TOO_MUCH, harmful
from analyzer.errors import UsageError
from analyzer.fields import of_fields
from analyzer.lines import no_room
from analyzer.moments import rfc3339_sql
from analyzer.output import Input, removed, temporary_folder
from analyzer.passes import Progress
from analyzer.report.export import columns_kept, save_query

if TYPE_CHECKING:
    import pandas as pd

    from analyzer.points.points import Points

MEMORY = "512MB"
ROWS_AT_ONCE = 1_000
ANSWER = f"{STORE}.answer"


@of_fields(frozen=True)
class Answer:
    """What a query gives: the names and DuckDB types of its columns, and its rows, which are read as they are asked for."""

    names: list[str]
    types: list[str]
    rows: Iterator[tuple[Any, ...]]

    def first(self, count: int) -> tuple[list[tuple[Any, ...]], bool]:
        """So many rows, and whether there are more."""
        found: list[tuple[Any, ...]] = []
        for row in self.rows:
            if len(found) == count:
                return found, True
            found.append(row)
        return found, False


class Ask:
    """A database with the tables of one capture (`tables.TABLES`), or of several capture points (`points.joined.SEVERAL`). Use it with `with`, else it stays until nobody has it any more.

    Parameters
    ----------
    asked : the capture or the points, and what is given beside it; or what is known of it already
    limit_s : after so much processor time a query is stopped, without counting what it takes to fill its tables
    """

    def __init__(self, asked: Request | Analysis | Points, limit_s: float | None = None) -> None:
        import duckdb

        self._duckdb = duckdb
        self._source = source_of(asked)
        self._tables = self._source.tables
        self._limit_s = limit_s
        self._scratch = temporary_folder()
        self._tidy = weakref.finalize(self, removed, self._scratch)
        self._path = self._scratch / "tables.duckdb"
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": str(self._path.with_suffix(".spill")),
        }
        if limit_s is not None:
            settings["threads"] = 1  # whose time is what the limit counts
        try:
            self._connection = duckdb.connect(str(self._path), config=settings)
            self._connection.execute(NO_BAR)
            make_tables(self._connection, self._tables)
            self._connection.execute("SET enable_external_access = false")  # after the place to spill, which needs it
            self._connection.execute("SET lock_configuration = true")
        except duckdb.Error as error:  # our own words: what fails is the disk
            raise no_room(WHERE, " ".join(str(error).split())) from None
        self._planner = Planner(self._tables)
        self._filled: dict[str, list[str]] = {}

    def __enter__(self) -> Ask:
        return self

    def __exit__(self, *_: object) -> None:
        self._planner.close()
        self._connection.close()
        self._tidy()

    def show_progress(self, progress: Progress | None) -> None:
        """Have `progress` called while the capture is read."""
        self._source.progress = progress

    @property
    def damages(self) -> list[Damage]:
        """What could not be read of the capture, as far as it was read."""
        return self._source.damages

    def statements(self, text: str) -> list[str]:
        """The statements in a text, one by one. Raises UsageError where it is no SQL."""
        try:
            return [each.query for each in self._connection.extract_statements(text)]
        except self._duckdb.Error as error:
            raise query_error(error) from None

    def query(self, sql: str, *, as_text: bool = False) -> Answer:
        """The answer to one SELECT. Moments are RFC 3339 texts with nine places, or with `as_text` all values are as DuckDB prints them.

        Raises UsageError for what is no query, fails, or takes too long; CaptureError where the capture cannot be read.
        """
        sql = self._ready(sql)
        try:
            with self._room():
                described = self._connection.execute(f"DESCRIBE SELECT * FROM (\n{sql}\n)").fetchall()
            names, types = [str(row[0]) for row in described], [str(row[1]) for row in described]
            places = [f"c{number}" for number in range(len(names))]
            small = bounded if self._limit_s is not None else _as_it_is
            values = [_value(small(place, kind), kind, as_text) for place, kind in zip(places, types, strict=True)]
            query = f"SELECT {', '.join(values)} FROM (\n{sql}\n) AS answer({', '.join(places)})"
        except self._duckdb.Error as error:
            raise query_error(error) from None
        return Answer(names, types, self._rows(query))

    def frame(self, sql: str) -> pd.DataFrame:
        """The answer to one SELECT as a DataFrame, moments as datetime64[ns, UTC]. Raises what `query` does."""
        sql = self._ready(sql)
        try:
            self._connection.execute(f"CREATE OR REPLACE TABLE {ANSWER} AS SELECT * FROM (\n{sql}\n)")
            columns = columns_kept(self._connection, ANSWER)
            found: pd.DataFrame = self._connection.execute(f"SELECT {columns} FROM {ANSWER}").df()
            self._connection.execute(f"DROP TABLE {ANSWER}")
        except self._duckdb.Error as error:
            raise query_error(error) from None
        for name, dtype in found.dtypes.items():
            if str(dtype) == "datetime64[ns]":
                found[name] = found[name].dt.tz_localize("UTC")
        return found

    def save(self, sql: str, output: str, kind: str, inputs: Sequence[Input], limit: int | None = None) -> None:
        """Write the answer, or its first rows, to `output` (`-` is standard output) as csv, jsonl or parquet, whatever its size. Nothing can be asked afterwards.

        `inputs` are not written over. Raises what `query` does, and TcpcapError where it cannot be written.
        """
        sql = self._ready(sql)
        try:
            most = "" if limit is None else f" LIMIT {int(limit)}"
            self._connection.execute(f"CREATE TABLE {ANSWER} AS SELECT * FROM (\n{sql}\n){most}")
        except self._duckdb.Error as error:
            raise query_error(error) from None
        self._connection.close()  # the same file opens again with the right to write another one
        save_query(self._path, ANSWER, output, kind, inputs)

    def _ready(self, sql: str) -> str:
        """The query without a semicolon at its end, once all that it reads is there."""
        sql = sql.strip().rstrip(";")
        if self._limit_s is not None and harmful([sql]):  # where time is limited, somebody else asks
            raise UsageError(WHERE, TOO_MUCH, "ask for less, with fewer brackets")
        with self._room():
            needed = self._planner.needs(sql)
        for name, columns in needed.items():
            self._fill(name, columns)
        return sql

    def _room(self) -> AbstractContextManager[None]:
        """No more memory than this for somebody else's question."""
        return nullcontext() if self._limit_s is None else bounded_memory()

    def _fill(self, name: str, columns: list[str]) -> None:
        """Have these columns of a table; those that it had before stay."""
        known = self._filled.get(name, [])
        if set(columns) <= set(known):
            return
        wanted = [column for column in self._tables[name].columns if column.name in {*known, *columns}]
        listed = ", ".join(f'"{column.name}"' for column in wanted)
        values = ", ".join(f'CAST("{column.name}" AS {type_of(column)})' for column in wanted)
        self._connection.execute(f"DELETE FROM {STORE}.{name}")
        self._filled.pop(name, None)
        for piece in self._source.pieces(name, [column.name for column in wanted]):
            self._connection.register("piece", piece)
            try:
                self._connection.execute(f"INSERT INTO {STORE}.{name} ({listed}) SELECT {values} FROM piece")
            except self._duckdb.Error as error:  # our own words and rows: what fails is the disk, or memory
                raise no_room(WHERE, str(error)) from None
            self._connection.unregister("piece")
        self._filled[name] = [column.name for column in wanted]

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        try:
            with self._limited():
                with self._room():
                    answer = self._connection.execute(query)
                    rows = answer.fetchmany(ROWS_AT_ONCE)
                while rows:
                    yield from rows
                    with self._room():
                        rows = answer.fetchmany(ROWS_AT_ONCE)
        except MemoryError:
            raise UsageError("SQL", "takes more memory than it may have", "ask for less") from None
        except self._duckdb.InterruptException:
            raise UsageError("SQL", f"worked longer than {self._limit_s:g} s and was stopped", "ask for less") from None
        except self._duckdb.Error as error:
            raise query_error(error) from None

    def _limited(self) -> AbstractContextManager[None]:
        """No more time than this for somebody else's question."""
        return nullcontext() if self._limit_s is None else stopped_late(self._connection, self._limit_s)


def _as_it_is(place: str, _: str) -> str:
    return place


def _value(place: str, kind: str, as_text: bool) -> str:
    """A column of an answer as it is handed out: Python's datetime would drop the last three places."""
    if as_text:
        return f"CAST({place} AS VARCHAR)"
    return rfc3339_sql(place) if kind == "TIMESTAMP_NS" else place
