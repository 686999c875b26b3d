"""DuckDB with the tables that rules read, and nothing else: no file, no network, no extension, no setting to change."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from analyzer.diagnosis.created import VIEWS, create_ends, create_table, read_by
from analyzer.diagnosis.opened import close, engine, give_back, opened
from analyzer.diagnosis.room import bounded_memory
from analyzer.diagnosis.spent import INTERRUPTS_S, stopped_late
from analyzer.diagnosis.views import TABLES, Source
from analyzer.ending import pass_on
from analyzer.patterns import regex

if TYPE_CHECKING:
    from concurrent.futures import Future

    from duckdb import Statement

MOST_ROWS = 10_000  # of an answer
MOST_OF_VALUE = 100_000  # bytes of one, as text
MOST_BYTES = 16 << 20  # of all of them
LIMIT_S = 5.0  # of processor time
INTERRUPTED = "Query interrupted"  # what DuckDB says where Python has a signal for it
MOST_WAITING = 4  # answers that nobody has taken yet
# Queries of rules that come with tcpcap, by their text: to read one takes a third as long as to ask it.
_READ: dict[str, Statement] = {}


class QueryError(Exception):
    """A query that DuckDB refuses, or that took too long."""


def _words(error: Exception) -> str:
    """What an error says, in one line. What it says of an interrupt of the user's own is passed on as that."""
    pass_on(str(error))
    if isinstance(error, RuntimeError) and str(error) == INTERRUPTED:
        raise KeyboardInterrupt from None
    return " ".join(str(error).split())


class Database:
    """Answers queries. `sources` make the columns of tables when a query first names them; a table without one is empty.

    Where all `queries` that will be asked are known, tables have only the columns that one of them names: of a hundred and fifty most read a
    few. A `*` then stands for those.
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
        self._is_clean = True
        # Strangers get none that others have had.
        self._connection, *self._beside = opened(new=queries is None)

    def query(self, sql: str, trusted: bool = True) -> list[dict[str, Any]]:
        """The rows of a SELECT, MOST_ROWS at most. Of one that is not trusted no value is larger than MOST_OF_VALUE, nor all of them than MOST_BYTES. Raises QueryError."""
        if not trusted:
            with bounded_memory():
                return self._asked(sql, self._bounded(sql), trusted=False)
        return self._asked(sql, "*", trusted=True)

    def answers(self, queries: Iterable[str]) -> Iterator[list[dict[str, Any]] | QueryError]:
        """The rows of each of these, which are trusted, in their order, or what `query` would raise: AT_ONCE of them are asked at a time."""
        from concurrent.futures import ThreadPoolExecutor, wait  # with all that it logs to: not where no rule is asked

        free = list(self._beside)

        def ask(sql: str) -> list[dict[str, Any]] | QueryError:
            connection = free.pop()
            try:
                return self._rows(connection, self._limited(connection, sql))
            except QueryError as error:
                return error
            finally:
                free.append(connection)

        waiting: deque[Future[list[dict[str, Any]] | QueryError]] = deque()
        with ThreadPoolExecutor(len(free)) as threads:
            try:
                for sql in queries:
                    failed = self._failed(sql)
                    try:
                        waiting.append(threads.submit(ask, sql) if failed is None else _done(failed))
                    except RuntimeError:  # no more threads: it is asked here
                        waiting.append(_done(self._answer(sql)))
                    if len(waiting) > MOST_WAITING:
                        yield waiting[0].result()
                        waiting.popleft()
                while waiting:
                    yield waiting[0].result()
                    waiting.popleft()
            finally:
                running = [each for each in waiting if not each.cancel()]
                # Again and again: an interrupt that comes before a query begins is forgotten.
                while wait(running, INTERRUPTS_S).not_done:
                    for connection in self._beside:
                        connection.interrupt()

    def _answer(self, sql: str) -> list[dict[str, Any]] | QueryError:
        try:
            return self.query(sql)
        except QueryError as error:
            return error

    def _failed(self, sql: str) -> QueryError | None:
        """Make the tables that a query names; what is wrong with them."""
        try:
            self._make_all(sql)
        except QueryError as error:
            return error
        return None

    def _asked(self, sql: str, columns: str, trusted: bool) -> list[dict[str, Any]]:
        select = self._limited(self._connection, sql, columns)
        self._make_all(sql)
        return self._rows(self._connection, select, trusted)

    def _limited(self, connection: Any, sql: str, columns: str = "*") -> Statement:
        """The statement that is asked: a comment at the end of the query must not swallow the bracket."""
        return self._one_select(connection, f"SELECT {columns} FROM (\n{sql}\n) LIMIT {MOST_ROWS}", sql)

    def _rows(self, connection: Any, select: Statement, trusted: bool = True) -> list[dict[str, Any]]:
        try:
            with stopped_late(connection, self._limit_s, needed=not trusted):
                answer = connection.execute(select)
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
        self._one_select(self._connection, sql, sql)
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
        """Give its memory back; where only rules that come with tcpcap were asked, the next who asks has the same database."""
        connections = [self._connection, *self._beside]
        if self._named is None or not self._is_clean or not self._emptied():
            close(connections)
        else:
            give_back(connections)

    def _emptied(self) -> bool:
        """Is it as it was when it was opened?"""
        try:
            for name in self._made:
                self._connection.execute(f"DROP TABLE IF EXISTS {name}")
        except (self._duckdb.Error, RuntimeError) as error:
            _words(error)
            return False
        return True

    def _one_select(self, connection: Any, text: str, sql: str) -> Statement:
        """The one statement of a text that has a query in it, read once. Raises QueryError, about the query alone, where there is none, or another."""
        known = _READ.get(text)
        if known is not None:
            return known
        try:
            # By this connection: DuckDB's own function of that name opens a database for itself, which takes as long as a dozen small queries.
            statements = connection.extract_statements(text)
        except self._duckdb.Error as error:
            if text != sql:
                self._one_select(connection, sql, sql)
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
            except (self._duckdb.Error, KeyError, RuntimeError, TypeError, ValueError) as error:
                self._is_clean = False
                raise QueryError(f"table {name}: {_words(error)}") from None

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
        self._connection.execute(create_table(table, self._named))
        source = self._sources.get(name)
        read = [column.name for column in read_by(table, self._named)]
        columns = source(read) if source else None
        if columns and len(next(iter(columns.values()))):
            self._connection.register("source_of_rows", columns)
            listed = ", ".join(f'"{column}"' for column in read)
            try:
                self._connection.execute(f"INSERT INTO {name} ({listed}) SELECT {listed} FROM source_of_rows")
            finally:
                self._connection.unregister("source_of_rows")


def _done(answer: list[dict[str, Any]] | QueryError) -> Future[Any]:
    """An answer that is there."""
    from concurrent.futures import Future

    done: Future[Any] = Future()
    done.set_result(answer)
    return done


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
