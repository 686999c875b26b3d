"""Interfaces of several files -> their numbers in the capture that the files make."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.capture.records import Interface, Interfaces, RecordBatch


class Numbering:
    """Interfaces of several files get their numbers in order of their first record, which no batch size changes.

    Inside the merge they carry the provisional number that they got when their file was read.
    """

    def __init__(self, final: Interfaces) -> None:
        self._final = final
        self._provisional: list[Interface] = []
        self._numbers = np.zeros(0, np.int32)  # final number of each provisional one, -1 before its first record

    def provisional(self, interfaces: Interfaces, batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        """The batches of one file with provisional numbers."""
        known = np.zeros(0, np.int32)
        for batch in batches:
            new = [interfaces[index] for index in range(len(known), len(interfaces))]
            numbers = np.arange(len(self._provisional), len(self._provisional) + len(new), dtype=np.int32)
            known = np.concatenate([known, numbers])
            self._provisional += new
            batch.rows["interface"] = known[batch.rows["interface"]]
            yield batch

    def final(self, batch: RecordBatch) -> RecordBatch:
        """The batch with final numbers."""
        missing = len(self._provisional) - len(self._numbers)
        self._numbers = np.append(self._numbers, np.full(missing, -1, np.int32))
        seen, first = np.unique(batch.rows["interface"], return_index=True)
        for number in seen[np.argsort(first)]:
            if self._numbers[number] < 0:
                self._numbers[number] = self._final.add(self._provisional[number])
        batch.rows["interface"] = self._numbers[batch.rows["interface"]]
        return batch

    def finish(self, every: list[Interfaces]) -> None:
        """Add the interfaces without records, in file order."""
        known = {id(interface) for interface in self._final}
        for interfaces in every:
            for interface in interfaces:
                if id(interface) not in known:
                    self._final.add(interface)
