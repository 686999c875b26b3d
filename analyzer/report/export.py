"""Tables -> CSV, JSON Lines and Parquet, batch by batch. DuckDB writes all three."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from analyzer.errors import TcpcapError, UsageError, suggest
from analyzer.output import Input, appearing, removed, temporary_folder

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

FORMATS = ("csv", "jsonl", "parquet")
COPY_OPTIONS = {
    "csv": "FORMAT csv, HEADER {header}",
    "jsonl": "FORMAT json",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}


BINARY = {"csv": "", "jsonl": "", "parquet": "Parquet"}


def format_of(output: str, chosen: str | None) -> str:
    """The format to write: the one chosen, else the one the file name ends in, else CSV for standard output."""
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


def export(frames: Iterable[pd.DataFrame], output: str, kind: str, inputs: Sequence[Input]) -> None:
    """Write the frames, all with the same columns, as one table to `output` (`-` is standard output).

    `inputs` is all that is read to make them, which must not happen before they are asked for: they are not written over.

    A file appears under its name when it is complete; standard output gets CSV and JSON Lines batch by batch.
    """
    import duckdb

    full = duckdb.IOException, duckdb.TransactionException, duckdb.FatalException, duckdb.OutOfMemoryException
    with _scratch(output) as scratch, appearing(output, inputs, BINARY[kind]) as target:
        try:
            with duckdb.connect(str(scratch / "spool.duckdb")) as connection:
                # By default DuckDB takes four fifths of the machine before it spills to disk.
                connection.execute("SET memory_limit = '256MB'")
                write = _write_parquet if kind == "parquet" else _write_lines
                write(connection, frames, target, kind, scratch)
        except full as error:  # it writes below TMPDIR only
            raise _no_room(output, str(error)) from None


@contextmanager
def _scratch(output: str) -> Iterator[Path]:
    """A folder for what is spooled."""
    try:
        folder = temporary_folder()
    except OSError as error:
        raise _no_room(output, str(error.strerror or error)) from None
    try:
        yield folder
    finally:
        removed(folder)


def _no_room(output: str, words: str) -> TcpcapError:
    known = next((text for text in map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EROFS)) if text in words), words)
    found = f"no room to prepare it in {tempfile.gettempdir()} ({known})"
    return TcpcapError(output, found, "make room, or set TMPDIR to another folder")


def _write_lines(
    connection: duckdb.DuckDBPyConnection, frames: Iterable[pd.DataFrame], target: BinaryIO, kind: str, scratch: Path
) -> None:
    part = scratch / "part"
    for number, frame in enumerate(frames):
        connection.register("batch", frame)
        options = COPY_OPTIONS[kind].format(header="true" if number == 0 else "false")
        connection.execute(f"COPY (SELECT * FROM batch) TO '{_quoted(part)}' ({options})")
        connection.unregister("batch")
        with part.open("rb") as piece:
            shutil.copyfileobj(piece, target)
        target.flush()


def _write_parquet(
    connection: duckdb.DuckDBPyConnection, frames: Iterable[pd.DataFrame], target: BinaryIO, kind: str, scratch: Path
) -> None:
    """Parquet is written from a table on disk: its footer can be written only when every row is known."""
    for number, frame in enumerate(frames):
        connection.register("batch", frame)
        # Categories differ from batch to batch; the spool has plain text.
        columns = ", ".join(
            f'CAST("{name}" AS VARCHAR) AS "{name}"' if str(dtype) == "category" else f'"{name}"'
            for name, dtype in frame.dtypes.items()
        )
        start = "CREATE TABLE spool AS" if number == 0 else "INSERT INTO spool"
        connection.execute(f"{start} SELECT {columns} FROM batch")
        connection.unregister("batch")
    part = scratch / "part"
    connection.execute(f"COPY spool TO '{_quoted(part)}' ({COPY_OPTIONS[kind]})")
    with part.open("rb") as piece:
        shutil.copyfileobj(piece, target)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
