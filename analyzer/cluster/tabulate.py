"""A range of a capture, and what the shares say of its frames -> their rows of `packets`, as they are stored or as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from analyzer.checksums import Checker
from analyzer.cluster import arrays
from analyzer.cluster.beside import FRAMES, TOLD
from analyzer.cluster.lanes import Lane
from analyzer.cluster.ranges import Range, RangeFile
from analyzer.frames import FrameReader
from analyzer.lines import MEMORY, SPOOLED, Spool, no_room, text_into
from analyzer.output import whole_folder
from analyzer.passes import EXPORT_BATCH_FRAMES
from analyzer.schema import Rows
from analyzer.tables import PACKETS

STORED, TABLE = "stored", "table"  # the rows themselves; and the file with what was made of them
NUMBERS, BEGUN = "numbers", "begun"


class Write(Protocol):
    """Takes packet rows."""

    def __call__(self, rows: Rows) -> None: ...


def tabulate(given: dict[str, Any], before: int, folders: Sequence[str], kind: str, folder: str) -> dict[str, Any]:
    """Read a range, which has so many frames `before` it, and write the rows of its frames as one file into `folder`.

    `folders` are the one with the numbers of flows (see `write_numbers`), and those of all shares; `kind` is STORED or a format of `lines`.
    Returns how many `frames` there are.
    """
    verdicts = _Verdicts([Path(each) for each in folders])
    count = 0
    with whole_folder(Path(folder)) as draft:
        with _writer(kind, draft) as write:
            for rows in _frames_of(Range.of(given)):
                rows["frame"] += before
                verdicts.put(rows)
                write(rows)
                count += len(rows)
        facts = {"frames": count}
        arrays.write(draft, facts, {})
    return facts


def write_numbers(folder: Path, numbers: Sequence[npt.NDArray[Any]]) -> None:
    """Write which number each flow of each share has in the whole, as `tabulate` reads it."""
    with whole_folder(folder) as draft:
        begun = np.cumsum([0, *map(len, numbers)])
        arrays.write(draft, {}, {NUMBERS: np.concatenate([np.zeros(0, np.int64), *numbers]), BEGUN: begun})


class _Verdicts:
    """What the shares say of frames."""

    def __init__(self, folders: Sequence[Path]) -> None:
        numbers, *shares = folders
        begun = arrays.read(numbers, BEGUN, np.int64)
        self._numbers = np.split(arrays.read(numbers, NUMBERS, np.int64), begun[1:-1])
        self._lanes = [Lane(each, FRAMES, TOLD) for each in shares]

    def put(self, rows: Rows) -> None:
        """Fill in what is said of these frames, which follow each other."""
        if not len(rows):
            return
        first = int(rows["frame"][0])
        for lane, numbers in zip(self._lanes, self._numbers, strict=True):
            mine = lane.between(first, first + len(rows))
            told, places = lane.rows[mine], lane.keys[mine] - first
            rows["flow"][places] = np.where(told["flow"] >= 0, numbers[told["flow"]] if len(numbers) else -1, -1)
            for name in ("events", "wireshark", "direction", "reused"):
                rows[name][places] = told[name]


def _frames_of(wanted: Range) -> Iterator[Rows]:
    """The packet rows of a range, which begins with a record."""
    opened = RangeFile(wanted, batch_frames=EXPORT_BATCH_FRAMES)
    try:
        if opened.begin() is not None:
            yield from opened.rows(FrameReader(Checker()))
    finally:
        opened.close()


@contextmanager
def _writer(kind: str, folder: Path) -> Iterator[Write]:
    """What writes packet rows into the file TABLE of a folder."""
    table = folder / TABLE
    if kind == STORED:
        with table.open("wb") as file:
            yield lambda rows: _append(file, rows)
        return
    import duckdb

    try:
        with duckdb.connect(str(folder / "spool.duckdb")) as connection:
            connection.execute(MEMORY)
            connection.execute("SET threads = 1")  # others have the other cores
            if kind == "parquet":
                spool = Spool(connection)
                yield lambda rows: spool.add(PACKETS.frame(rows))
                # In as many rows as whoever asked puts together: of others it need not look for them.
                spool.finish(table, f"FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE {SPOOLED}")
            else:
                part = folder / "part"
                with table.open("wb") as text:

                    def to_text(rows: Rows) -> None:
                        text_into(connection, PACKETS.frame(rows), part, kind, head=False)
                        text.write(part.read_bytes())

                    yield to_text
                part.unlink(missing_ok=True)
    except duckdb.Error as error:  # our own words and rows: what fails is the disk, or memory
        raise no_room("packets", str(error)) from None
    (folder / "spool.duckdb").unlink()


def _append(file: Any, rows: Rows) -> None:
    file.write(rows.view(np.uint8).data)
