"""What the readers of all formats share: numbering, damage, interfaces of one capture file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from analyzer.capture.records import RECORDS, Damage, FileInfo, Interface, Interfaces, RecordBatch
from analyzer.capture.source import Bytes, Source
from analyzer.schema import Rows

MAX_INTERFACES = 100_000
MAX_DAMAGES = 1000
MAX_NOTES = 100


class Reader(Protocol):
    """Makes packet rows of records as they are found: their bytes are near then, and come from memory only once."""

    def scan(
        self,
        window: Bytes,
        layout: Rows,
        local: Rows,
        drops: npt.NDArray[np.int64],
        known: Interfaces,
        first_frame: int,
        most: int,
    ) -> tuple[RecordBatch, int, int, int]:
        """A batch of at most `most` of the records at the start of `window`, with its packets; the rest as the kernel `scan`.

        `layout` (LAYOUT), `local` (INTERFACE) and `drops` say how they are laid out, `known` are the interfaces that the
        records name.
        """
        ...


class CaptureFile:
    """One open capture file: `start` reads its header, `batches` yields its records in file order.

    Subclasses know a format. They number frames within the file; the capture renumbers them.
    """

    def __init__(
        self, source: Source, index: int, interfaces: Interfaces, damages: list[Damage], batch_frames: int
    ) -> None:
        self.source = source
        self.path = source.path
        self.index = index
        self.interfaces = interfaces
        self.batch_frames = batch_frames
        self.reader: Reader | None = None
        self.frames = 0
        self.info = FileInfo(source.path, compression=source.compression, size=source.size)
        self._damages = damages

    def start(self) -> None:
        """Read the file header; raises CaptureError where nothing can be read."""
        raise NotImplementedError

    def batches(self) -> Iterator[RecordBatch]:
        """The records, in batches of at most `batch_frames`."""
        raise NotImplementedError

    def add_interface(self, interface: Interface) -> int:
        """Register an interface of this file with the capture and return its index there."""
        return self.interfaces.add(interface)

    def scan(self, layout: Rows, local: Rows, drops: npt.NDArray[np.int64]) -> tuple[RecordBatch | None, int, int, int]:
        """A batch of the next records in the window, or None; bytes passed, why it ends there, and bytes needed.

        The arguments are those of the kernel `scan`.
        """
        from analyzer.capture.scan_kernel import scan

        window, first = self.source.window, self.frames + 1
        if self.reader is None:
            rows = np.empty(self.batch_frames, RECORDS.dtype)
            count, passed, why, need = scan(window, layout, local, drops, rows)
            batch = RecordBatch(window, rows[:count], first)
        else:
            most = self.batch_frames
            batch, passed, why, need = self.reader.scan(window, layout, local, drops, self.interfaces, first, most)
        self.count(len(batch))
        return batch if len(batch) else None, passed, why, need

    def count(self, frames: int) -> None:
        """So many frames more were read."""
        self.frames += frames
        self.info.frames = self.frames

    def note(self, text: str) -> None:
        """Note a peculiarity of the file, once; of very many the first ones are kept."""
        if len(self.info.notes) < MAX_NOTES and text not in self.info.notes:
            self.info.notes.append(text)

    def damage(self, offset: int, what: str, lost: int | None, frame: int | None = None) -> None:
        """Note a place that could not be read; of very many the first ones are kept."""
        self.info.damaged += 1
        self.info.lost += lost or 0
        if self.info.damaged <= MAX_DAMAGES:
            self._damages.append(Damage(self.path, offset, self.frames if frame is None else frame, what, lost))

    def end(self) -> bool:
        """The input ended between two records: False, and a damage where it is not the file's own end."""
        if self.source.broken:
            self.damage(self.source.position, self.source.broken, None)
        return False

    def cut_short(self, what: str, lost: int) -> bool:
        """The input ended inside a record: False, and the damage."""
        if self.source.broken:
            self.damage(self.source.position, self.source.broken, None)
        elif not self.source.stopped:  # else the rest of it had not been written yet
            self.damage(self.source.position, what, lost)
        self.source.advance(len(self.source.window))
        return False

    def finish(self) -> None:
        """Note how much was read, after the last batch."""
        self.info.read = self.source.position
