"""Several files as one capture: their batches, joined record by record in order of time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from analyzer.capture.records import RECORDS, RecordBatch
from analyzer.fields import of_fields


@of_fields(slots=True)
class _Head:
    """The records of one file that were read but not yet given out."""

    position: int
    batches: Iterator[RecordBatch]
    batch: RecordBatch | None = None
    keys: npt.NDArray[np.int64] | None = None
    reached: int = -(2**63)

    def fill(self) -> bool:
        """Have at least one record, if the file has one. Keys never fall: a file's own order is kept."""
        while self.batch is None or not len(self.batch):
            self.batch = next(self.batches, None)
            if self.batch is None:
                return False
            if len(self.batch):
                self.keys = np.maximum(np.maximum.accumulate(self.batch.rows["time_ns"]), self.reached)
                self.reached = int(self.keys[-1])
        return True

    def take(self, horizon: tuple[int, int]) -> tuple[RecordBatch, npt.NDArray[np.int64]]:
        """Split off the records that come no later than `horizon` = (time, file)."""
        assert self.batch is not None and self.keys is not None
        side = "right" if self.position <= horizon[1] else "left"
        count = int(np.searchsorted(self.keys, horizon[0], side))  # type: ignore[call-overload]
        batch, keys = self.batch, self.keys
        self.batch = RecordBatch(batch.buffer, batch.rows[count:], batch.first_frame + count)
        self.keys = keys[count:]
        return RecordBatch(batch.buffer, batch.rows[:count], batch.first_frame), keys[:count]


def merged(files: list[Iterator[RecordBatch]], first_times: list[int], batch_frames: int) -> Iterator[RecordBatch]:
    """The records of all files by (time, file, place in the file), in batches of at most `batch_frames`.

    A file joins when the others reach its first time, so that a rotated set is read one file after the other. The
    order is that of a merge of each file's running maximum of time: a file whose clock steps back keeps its own order.
    """
    waiting = sorted(range(len(files)), key=lambda position: (first_times[position], position))
    active: list[_Head] = []
    frame = 1
    while waiting or active:
        active = [head for head in active if head.fill()]
        earliest = min((head.keys[0] for head in active if head.keys is not None), default=None)
        if waiting and (earliest is None or first_times[waiting[0]] <= earliest):
            position = waiting.pop(0)
            active = sorted([*active, _Head(position, files[position])], key=lambda head: head.position)
            continue
        if not active:
            continue
        horizon = min((head.reached, head.position) for head in active)
        if waiting:
            horizon = min(horizon, (first_times[waiting[0]] - 1, len(files)))
        for batch in _joined([head.take(horizon) for head in active], batch_frames):
            yield RecordBatch(batch.buffer, batch.rows, frame)
            frame += len(batch)


def _joined(parts: list[tuple[RecordBatch, npt.NDArray[np.int64]]], batch_frames: int) -> Iterator[RecordBatch]:
    """The parts in order of their keys; one part alone is passed on as it is, several are copied together."""
    parts = [part for part in parts if len(part[0])]
    if len(parts) == 1:
        yield parts[0][0]
        return
    if not parts:
        return
    keys = np.concatenate([keys for _, keys in parts])
    source = np.repeat(np.arange(len(parts)), [len(batch) for batch, _ in parts])
    rows = np.concatenate([batch.rows for batch, _ in parts])
    order = np.argsort(keys, kind="stable")  # parts are in file order, so equal times stay in it
    for start in range(0, len(order), batch_frames):
        chosen = order[start : start + batch_frames]
        yield _copied([batch for batch, _ in parts], source[chosen], rows[chosen])


def _copied(parts: list[RecordBatch], source: npt.NDArray[np.int64], rows: np.ndarray) -> RecordBatch:
    """A batch with a buffer of its own that holds the given rows, each from the part that `source` names."""
    from analyzer.capture.merge_kernel import copy_records

    sizes = rows["captured"].astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    buffer = np.empty(int(starts[-1]), np.uint8)
    for position, part in enumerate(parts):
        mine = np.flatnonzero(source == position)
        copy_records(part.buffer, rows["offset"][mine], sizes[mine], buffer, starts[:-1][mine])
    buffer.flags.writeable = False
    rows = rows.astype(RECORDS.dtype, copy=True)
    rows["offset"] = starts[:-1]
    return RecordBatch(buffer, rows, 0)
