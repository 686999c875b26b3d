"""Frames -> the text of CSV and JSON Lines, or the columns of Parquet, as DuckDB writes them: a piece of a table, without its head."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
MEMORY = "SET memory_limit = '256MB'"  # by default DuckDB takes four fifths of the machine before it spills to disk


@dataclass(frozen=True, slots=True)
class Written:
    """A piece of a table that others have made: text of `rows` of it without a head, or Parquet with columns as they are spooled."""

    path: Path
    rows: int


def write_text(connection: duckdb.DuckDBPyConnection, frame: pd.DataFrame, part: Path, kind: str, head: bool) -> None:
    """Write a frame to the file `part`, with the names of its columns in front where CSV is to have a `head`."""
    # Readers of JSON keep numbers as doubles, and lose the last digits of a moment.
    connection.register("batch", with_texts(frame) if kind == "jsonl" else frame)
    options = COPY_OPTIONS[kind].format(header="true" if head else "false")
    columns = without_formulas(connection, "batch") if kind == SAFE_CSV else "*"
    connection.execute(f"COPY (SELECT {columns} FROM batch) TO '{quoted(part)}' ({options})")
    connection.unregister("batch")


def spool(connection: duckdb.DuckDBPyConnection, frame: pd.DataFrame, first: bool) -> None:
    """Put a frame behind those that are spooled."""
    connection.register("batch", frame)
    # Categories differ from batch to batch; the spool has plain text.
    columns = ", ".join(
        f'CAST("{name}" AS VARCHAR) AS "{name}"' if str(dtype) == "category" else f'"{name}"'
        for name, dtype in frame.dtypes.items()
    )
    start = f"CREATE TABLE {SPOOL} AS" if first else f"INSERT INTO {SPOOL}"
    connection.execute(f"{start} SELECT {columns} FROM batch")
    connection.unregister("batch")


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
