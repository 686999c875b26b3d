"""Tables -> CSV, JSON Lines and Parquet, batch by batch. DuckDB writes all three."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from analyzer.errors import UsageError, suggest
from analyzer.lines import COPY_OPTIONS, MEMORY, SAFE_CSV, Spool, Written, no_room, quoted, text_into, without_formulas
from analyzer.moments import rfc3339_sql
from analyzer.output import Input, appearing, removed, temporary_folder

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    Piece = pd.DataFrame | Written

FORMATS = ("csv", "jsonl", "parquet")
BINARY = {"csv": "", SAFE_CSV: "", "jsonl": "", "parquet": "Parquet"}


def format_of(output: str, chosen: str | None, safe: bool = False) -> str:
    """The format to write: the one chosen, else the one the file name ends in, else CSV for standard output; SAFE_CSV if that is to be `safe`."""
    if safe:
        kind = format_of(output, chosen)
        if kind != "csv":
            raise UsageError(
                "--safe-csv", f"a table in {kind}, which no spreadsheet takes for formulas", "leave it out"
            )
        return SAFE_CSV
    if chosen is not None:
        return chosen
    if output == "-":
        return "csv"
    ending = Path(output).suffix.lstrip(".").lower()
    ending = {"json": "jsonl", "ndjson": "jsonl", "pq": "parquet"}.get(ending, ending)
    if ending not in FORMATS:
        raise UsageError(
            output, "a file name that does not tell the format", suggest(ending, list(FORMATS)) + " (or add --format)"
        )
    return ending


def export(frames: Iterable[Piece], output: str, kind: str, inputs: Sequence[Input]) -> None:
    """Write the frames, all with the same columns, or what others have made of them (the first is a frame), as one table to `output` (`-` is standard output).

    `inputs` is all that is read to make them, which must not happen before they are asked for: they are not written over.

    A file appears under its name when it is complete; standard output gets CSV and JSON Lines batch by batch.
    """
    import duckdb

    with _scratch() as scratch, appearing(output, inputs, BINARY[kind]) as target:
        try:
            frames = _begun(frames)
            with duckdb.connect(str(scratch / "spool.duckdb")) as connection:
                connection.execute(MEMORY)
                write = _write_parquet if kind == "parquet" else _write_lines
                write(connection, frames, target, kind, scratch)
        except duckdb.Error as error:  # our own words and rows: what fails is the disk, or memory
            raise no_room(output, str(error)) from None


def _begun(frames: Iterable[Piece]) -> Iterator[Piece]:
    """The same frames, the first of them made: what cannot be read is said before anything is prepared for it."""
    rest = iter(frames)
    return chain([*islice(rest, 1)], rest)


def first_rows(frames: Iterable[pd.DataFrame], count: int) -> Iterator[pd.DataFrame]:
    """The frames up to so many rows, at least one; no more is read than that."""
    for frame in frames:
        yield frame.iloc[:count]
        count -= len(frame)
        if count <= 0:
            return


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for what is spooled."""
    folder = temporary_folder()
    try:
        yield folder
    finally:
        removed(folder)


def _write_lines(
    connection: duckdb.DuckDBPyConnection, frames: Iterable[Piece], target: BinaryIO, kind: str, scratch: Path
) -> None:
    part = scratch / "part"
    for number, frame in enumerate(frames):
        if not isinstance(frame, Written):
            text_into(connection, frame, part, kind, head=number == 0)
        with (frame.path if isinstance(frame, Written) else part).open("rb") as piece:
            shutil.copyfileobj(piece, target)
        target.flush()


def _write_parquet(
    connection: duckdb.DuckDBPyConnection, frames: Iterable[Piece], target: BinaryIO, kind: str, scratch: Path
) -> None:
    """Parquet is written from a table on disk: its footer can be written only when every row is known."""
    spool = Spool(connection)
    for frame in frames:
        spool.add(frame)
    part = scratch / "part"
    spool.finish(part, COPY_OPTIONS[kind])
    with part.open("rb") as piece:
        shutil.copyfileobj(piece, target)


def save_query(database: Path, table: str, output: str, kind: str, inputs: Sequence[Input]) -> None:
    """Write a table of a DuckDB file to `output` (`-` is standard output); in JSON Lines moments are RFC 3339 texts.

    Raises TcpcapError where it cannot be written.
    """
    import duckdb

    part = database.with_suffix(".part")
    with appearing(output, inputs, BINARY[kind]) as target:
        try:
            with duckdb.connect(str(database)) as connection:
                options = COPY_OPTIONS[kind].format(header="true")
                columns = (
                    without_formulas(connection, table) if kind == SAFE_CSV else columns_kept(connection, table, kind)
                )
                connection.execute(f"COPY (SELECT {columns} FROM {table}) TO '{quoted(part)}' ({options})")
        except duckdb.Error as error:  # our own words: what fails is the disk, or memory
            raise no_room(output, str(error)) from None
        with part.open("rb") as piece:
            shutil.copyfileobj(piece, target)


def columns_kept(connection: duckdb.DuckDBPyConnection, table: str, kind: str = "parquet") -> str:
    """All columns of a table, none of which a format (or a DataFrame, which has the types of Parquet) spoils."""
    types = connection.execute(f"DESCRIBE {table}").fetchall()
    changed = [_changed(connection, table, str(row[0]), str(row[1]), kind) for row in types]
    told = ", ".join(filter(None, changed))
    return f"* REPLACE ({told})" if told else "*"


def _changed(connection: duckdb.DuckDBPyConnection, table: str, column: str, type_name: str, kind: str) -> str:
    """A column that a format would spoil, as what it keeps; empty for all others."""
    name = '"' + column.replace('"', '""') + '"'
    if type_name == "TIMESTAMP_NS" and kind == "jsonl":
        return f"{rfc3339_sql(name)} AS {name}"
    if type_name == "HUGEINT" and kind == "parquet":  # has no such number: a sum of counts would be a double
        (beyond,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE {name} IS NOT NULL AND TRY_CAST({name} AS BIGINT) IS NULL"
        ).fetchone() or (1,)
        return "" if beyond else f"CAST({name} AS BIGINT) AS {name}"
    return ""
