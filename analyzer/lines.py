"""Frames -> CSV, JSON Lines or columns of Parquet, as DuckDB writes them: a piece of a table, without its head."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.ending import pass_on
from analyzer.errors import TcpcapError
from analyzer.fields import of_fields
from analyzer.moments import with_texts

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

SAFE_CSV = "safe-csv"  # CSV whose texts no spreadsheet takes for formulas
FORMULA = "^\\s*[-=+@\uff1d\uff0b\uff0d\uff20]"  # what spreadsheets take for one; the last four are those of East Asian writing
COPY_OPTIONS = {
    "csv": "FORMAT csv, HEADER {header}",
    SAFE_CSV: "FORMAT csv, HEADER {header}",
    "jsonl": "FORMAT json",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
SPOOL = "spool"  # the table in which rows of Parquet wait
SPOOLED = 1 << 14  # rows that are put there at a time
FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # of disks, as DuckDB passes on their words
# By default DuckDB takes four fifths of the machine before it spills to disk; and where Python is asked line by line, it paints a bar.
MEMORY = "SET memory_limit = '256MB'; SET enable_progress_bar = false"


@of_fields(frozen=True, slots=True)
class Written:
    """A piece of a table that others have made: text of `rows` of it without a head, or Parquet with columns as they are spooled."""

    path: Path
    rows: int


def text_into(connection: duckdb.DuckDBPyConnection, frame: pd.DataFrame, part: Path, kind: str, head: bool) -> None:
    """Write a frame to the file `part`, with the names of its columns in front where CSV is to have a `head`."""
    # Readers of JSON keep numbers as doubles, and lose the last digits of a moment.
    connection.register("batch", with_texts(frame) if kind == "jsonl" else frame)
    options = COPY_OPTIONS[kind].format(header="true" if head else "false")
    columns = without_formulas(connection, "batch") if kind == SAFE_CSV else "*"
    connection.execute(f"COPY (SELECT {columns} FROM batch) TO '{quoted(part)}' ({options})")
    connection.unregister("batch")


class Spool:
    """Rows of a table on their way to Parquet, in a table of a database: as many at a time whatever the pieces, on which its bytes hang."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._waiting: list[_Rows] = []
        self._made = False
        self._tables = 0  # with rows of pieces that are gone

    def add(self, piece: pd.DataFrame | Written) -> None:
        """The next rows."""
        rows = piece.rows if isinstance(piece, Written) else len(piece)
        self._waiting.append(_Rows(piece.path if isinstance(piece, Written) else piece, 0, rows))
        while self._count() >= SPOOLED:
            self._insert(SPOOLED)
        if self._waiting and isinstance(self._waiting[-1].source, Path):  # which may be gone when more rows come
            self._waiting[-1] = self._kept(self._waiting[-1])

    def finish(self, target: Path, options: str) -> None:
        """Write all of it to a file."""
        if self._waiting or not self._made:
            self._insert(self._count())
        self._connection.execute(f"COPY {SPOOL} TO '{quoted(target)}' ({options})")

    def _count(self) -> int:
        return sum(each.stop - each.first for each in self._waiting)

    def _insert(self, count: int) -> None:
        """So many of the rows that wait; with none at all, the columns of the last piece."""
        taken: list[_Rows] = []
        while count or not taken:
            each = self._waiting.pop(0)
            stop = min(each.stop, each.first + count)
            if stop < each.stop:
                self._waiting.insert(0, _Rows(each.source, stop, each.stop))
            if stop > each.first or not (count or self._waiting):
                taken.append(_Rows(each.source, each.first, stop))
            count -= stop - each.first
        parts = [self._selected(f"piece{number}", each) for number, each in enumerate(taken)]
        start = f"INSERT INTO {SPOOL}" if self._made else f"CREATE TABLE {SPOOL} AS"
        self._connection.execute(f"{start} {' UNION ALL '.join(parts)}")
        for number, each in enumerate(taken):
            if isinstance(each.source, str):
                if each.source not in [more.source for more in self._waiting if isinstance(more.source, str)]:
                    self._connection.execute(f"DROP TABLE {each.source}")
            elif not isinstance(each.source, Path):
                self._connection.unregister(f"piece{number}")
        self._made = True

    def _kept(self, rows: _Rows) -> _Rows:
        """Rows of a file, in a table."""
        self._tables += 1
        name = f"{SPOOL}{self._tables}"
        self._connection.execute(f"CREATE TABLE {name} AS {self._selected('', rows)}")
        return _Rows(name, 0, rows.stop - rows.first)

    def _selected(self, name: str, rows: _Rows) -> str:
        source = rows.source
        if isinstance(source, str):
            return f"SELECT * FROM {source} WHERE rowid >= {rows.first} AND rowid < {rows.stop}"
        if isinstance(source, Path):
            found = f"read_parquet('{quoted(source)}', file_row_number = true)"
            within = f"file_row_number >= {rows.first} AND file_row_number < {rows.stop}"
            return f"SELECT * EXCLUDE file_row_number FROM {found} WHERE {within}"
        self._connection.register(name, source.iloc[rows.first : rows.stop])
        # Categories differ from batch to batch; the spool has plain text.
        columns = ", ".join(
            f'CAST("{column}" AS VARCHAR) AS "{column}"' if str(dtype) == "category" else f'"{column}"'
            for column, dtype in source.dtypes.items()
        )
        return f"SELECT {columns} FROM {name}"


@of_fields(frozen=True, slots=True)
class _Rows:
    """Some rows of a frame, of a file, or of a table."""

    source: Any
    first: int
    stop: int


def without_formulas(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """All columns, texts (names of columns among them) that a spreadsheet would take for a formula behind an apostrophe, as OWASP advises."""
    names = [(str(row[0]), str(row[1])) for row in connection.execute(f"DESCRIBE {table}").fetchall()]
    found = []
    for name, type_name in names:
        column = '"' + name.replace('"', '""') + '"'
        if type_name.startswith(("VARCHAR", "ENUM", "BLOB")) and not type_name.endswith("]"):
            text = f"CAST({column} AS VARCHAR)"
            value = f"CASE WHEN regexp_matches({text}, '{FORMULA}') THEN '''' || {text} ELSE {text} END"
        else:
            value = column
        title = "'" + name if re.match(FORMULA, name) else name
        found.append(f'{value} AS "' + title.replace('"', '""') + '"')
    return ", ".join(found)


def quoted(path: Path) -> str:
    """A path between quotation marks."""
    return str(path).replace("'", "''")


def no_room(output: str, words: str) -> TcpcapError:
    """The error where what is prepared for `output` does not fit below TMPDIR; `words` are those of the system or of DuckDB."""
    pass_on(words)
    known = next((text for text in map(os.strerror, FAILURES) if text in words), words)
    found = f"{'it could not be prepared' if known == os.strerror(errno.EIO) else 'no room to prepare it'} in {tempfile.gettempdir()} ({known})"
    return TcpcapError(output, found, "make room, or set TMPDIR to another folder")
