"""DuckDB with the tables that rules read, and nothing else: no file, no network, no extension, no setting to change."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from analyzer.diagnosis.created import VIEWS, create_ends, create_table, fill_table, read_by
from analyzer.diagnosis.room import bounded_memory
from analyzer.diagnosis.spent import stopped_late
from analyzer.diagnosis.views import TABLES, Source
from analyzer.ending import pass_on
from analyzer.patterns import regex

if TYPE_CHECKING:
    from duckdb import Statement

MOST_ROWS = 10_000  # of an answer
MOST_OF_VALUE = 100_000  # bytes of one, as text
MOST_BYTES = 16 << 20  # of all of them
LIMIT_S = 5.0  # of processor time
MEMORY = "512MB"
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": MEMORY,
    "temp_directory": "",  # else what does not fit is spilled into the current folder, which may hold somebody's evidence
}

# Where Python is asked line by line DuckDB paints a bar over what is being written, once a query takes two seconds.
NO_BAR = "SET enable_progress_bar = false"

# What rules write often: a duration, a size, and a number with its noun, as in the summaries.
MACROS = (
    """duration(ns) AS CASE WHEN ns < 1000 THEN printf('%d ns', ns::BIGINT) WHEN ns < 999500 THEN printf('%.3g us', ns / 1e3)
    WHEN ns < 999500000 THEN printf('%.3g ms', ns / 1e6) WHEN ns < 100000000000 THEN printf('%.3g s', ns / 1e9)
    WHEN ns < 3600000000000 THEN printf('%d s', (ns / 1e9)::BIGINT) ELSE printf('%.1f h', ns / 3.6e12) END""",
    """size(bytes) AS CASE WHEN bytes < 1000 THEN printf('%d B', bytes::BIGINT) WHEN bytes < 999500 THEN printf('%.3g kB', bytes / 1e3)
    WHEN bytes < 999500000 THEN printf('%.3g MB', bytes / 1e6) ELSE printf('%.4g GB', bytes / 1e9) END""",
    "many(n, noun) AS format('{:,} {}', n::BIGINT, noun) || CASE WHEN n = 1 THEN '' ELSE 's' END",
    "endpoint(address, port) AS CASE WHEN contains(address, ':') THEN printf('[%s]:%d', address, port) ELSE printf('%s:%d', address, port) END",
)


class QueryError(Exception):
    """A query that DuckDB refuses, or that took too long."""


def engine() -> Any:
    """DuckDB: its compiled part alone where the installed version has that apart, as the package around it takes longer to import than a dozen rules to ask."""
    try:
        return importlib.import_module("_duckdb")
    except ImportError:
        return importlib.import_module("duckdb")


def _words(error: Exception) -> str:
    """What an error says, in one line."""
    pass_on(str(error))
    return " ".join(str(error).split())


def _opened() -> Any:
    """A DuckDB of its own, in which nothing can be set any more."""
    connection = engine().connect(":memory:", config=SETTINGS)
    connection.execute(NO_BAR)
    for macro in MACROS:
        connection.execute(f"CREATE MACRO {macro}")
    # Python's own variables are no tables, whoever asks; and from here on nothing can be set. Access to files is taken away last: given
    # with the others, DuckDB may apply it first, and then refuses where to spill.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET GLOBAL python_enable_replacements = false")
    connection.execute("SET lock_configuration = true")
    return connection


@cache
def _shared(process: int, settings: tuple[tuple[str, object], ...]) -> Any:
    """The one that all share who ask rules of a process: to open it takes as long as a dozen rules. A process that is forked has another, as a
    thread may hold this one."""
    return _opened()


_READ: dict[
    str, Statement
] = {}  # of rules that come with tcpcap, by their text: to read one takes as long as to run it


class Database:
    """Answers queries. `sources` make the columns of tables when a query first names them; a table without one is empty.

    Where all `queries` that will be asked are known, tables have only the columns that one of them names: of a hundred and fifty most read a
    few. A `*` then stands for those. And then nobody's memory can be used up by another's: all such share one DuckDB, each with tables of its own.
    """

    def __init__(
        self,
        sources: Mapping[str, Source] | None = None,
        limit_s: float = LIMIT_S,
        queries: Iterable[str] | None = None,
    ) -> None:
        self._duckdb = engine()
        self._named = None if queries is None else {word for sql in queries for word in named_words(sql)}
        self._sources = dict(sources or {})
        self._limit_s = limit_s
        self._made: set[str] = set()
        self._connection = _opened() if queries is None else _shared(os.getpid(), tuple(SETTINGS.items())).cursor()

    def query(self, sql: str, trusted: bool = True) -> list[dict[str, Any]]:
        """The rows of a SELECT, MOST_ROWS at most. Of one that is not trusted no value is larger than MOST_OF_VALUE, nor all of them than MOST_BYTES. Raises QueryError."""
        if not trusted:
            with bounded_memory():
                return self._asked(sql, self._bounded(sql), trusted=False)
        return self._asked(sql, "*", trusted=True)

    def _asked(self, sql: str, columns: str, trusted: bool) -> list[dict[str, Any]]:
        # A comment at the end of the query must not swallow the bracket.
        select = self._one_select(f"SELECT {columns} FROM (\n{sql}\n) LIMIT {MOST_ROWS}", sql)
        self._make_all(sql)
        try:
            with stopped_late(self._connection, self._limit_s):
                answer = self._connection.execute(select)
                names = [column[0] for column in answer.description or ()]
                rows = answer.fetchall() if trusted else _few(iter(answer.fetchone, None))
                return [dict(zip(names, row, strict=True)) for row in rows]
        except MemoryError:
            raise QueryError("takes more memory than it may have") from None
        except self._duckdb.InterruptException:
            raise QueryError(f"worked longer than {self._limit_s:g} s and was stopped") from None
        except (self._duckdb.Error, RuntimeError, ValueError, OverflowError) as error:
            raise QueryError(_words(error)) from None

    def bind(self, sql: str) -> list[str]:
        """The columns of a query, which is planned and not run. Raises QueryError."""
        return [name for name, _ in self._described(sql)]

    def _described(self, sql: str) -> list[tuple[str, str]]:
        """Name and type of its columns."""
        self._one_select(sql, sql)
        self._make_all(sql)
        try:
            answer = self._connection.execute(f"DESCRIBE SELECT * FROM (\n{sql}\n)")
        except self._duckdb.Error as error:
            raise QueryError(_words(error)) from None
        return [(str(row[0]), str(row[1])) for row in answer.fetchall()]

    def _bounded(self, sql: str) -> str:
        """Its columns, each of bounded size."""
        columns = [(_quoted(name), kind) for name, kind in self._described(sql)]
        return ", ".join(f"{bounded(name, kind)} AS {name}" for name, kind in columns)

    def close(self) -> None:
        """Give its memory back."""
        self._connection.close()

    def _one_select(self, text: str, sql: str) -> Statement:
        """The one statement of a text that has a query in it, read once. Raises QueryError, about the query alone, where there is none, or another."""
        known = _READ.get(text)
        if known is not None:
            return known
        try:
            # By this connection: DuckDB's own function of that name opens a database for itself, which takes as long as a dozen small queries.
            statements = self._connection.extract_statements(text)
        except self._duckdb.Error as error:
            if text != sql:
                self._one_select(sql, sql)
            raise QueryError(_words(error)) from None
        if len(statements) != 1 or statements[0].type != self._duckdb.StatementType.SELECT:
            raise QueryError("a rule is one SELECT, nothing else")
        statement: Statement = statements[0]
        if self._named is not None:  # the same will be asked of the next capture
            _READ[text] = statement
        return statement

    def _make_all(self, sql: str) -> None:
        """The tables that a query names; a QueryError where one does not fit, as other queries may not need it."""
        for name in named_tables(sql):
            try:
                self._make(name)
            except self._duckdb.Error as error:
                raise QueryError(f"table {name}: {' '.join(str(error).split())}") from None

    def _make(self, name: str) -> None:
        if name in self._made:
            return
        self._made.add(name)
        if name in VIEWS:
            for each in VIEWS[name]:
                self._make(each)
            self._connection.execute(create_ends(self._named))
            return
        table = TABLES[name]
        source = self._sources.get(name)
        columns = source([column.name for column in read_by(table, self._named)]) if source else None
        if columns and len(next(iter(columns.values()))):
            self._connection.register("source_of_rows", columns)
            self._connection.execute(fill_table(table, "source_of_rows", self._named))
            self._connection.unregister("source_of_rows")
        else:
            self._connection.execute(create_table(table, self._named))


def bounded(place: str, kind: str) -> str:
    """A column of this type as an expression that fails where a value is larger than MOST_OF_VALUE: a number never is."""
    if re.fullmatch(
        r"[A-Z]+INT|BOOLEAN|DOUBLE|FLOAT|DATE|TIME|TIMESTAMP.*|INTERVAL|DECIMAL\(\d+,\d+\)|INTEGER|UINTEGER", kind
    ):
        return place
    words = f"a value of more than {MOST_OF_VALUE // 1000} kB"
    return f"CASE WHEN strlen(CAST({place} AS VARCHAR)) > {MOST_OF_VALUE} THEN error('{words}') ELSE {place} END"


def _few(rows: Iterator[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows, where they are not too much to hold. Raises QueryError."""
    found, room = [], MOST_BYTES
    for row in rows:
        room -= sum(len(str(value)) for value in row)
        if room < 0:
            raise QueryError(f"gives more than {MOST_BYTES >> 20} MB")
        found.append(row)
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_NO_NAMES = regex(r"--[^\n]*|'[^']*'")
_WORD = regex(r"[A-Za-z_][A-Za-z_0-9]*")


def named_words(sql: str) -> set[str]:
    """All words of it that may be names, in small letters, but for comments and texts."""
    return {word.lower() for word in _WORD.findall(_NO_NAMES.sub(" ", sql))}


def named_tables(sql: str) -> list[str]:
    """The tables and views whose names occur in it, but for comments and texts."""
    words = named_words(sql)
    return [name for name in (*TABLES, *VIEWS) if name in words]
