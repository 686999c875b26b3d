"""A filter in tcpdump's language -> which frames of a capture it leaves out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analyzer.capture import Interfaces, RecordBatch
from analyzer.choose import compiler, libpcap
from analyzer.choose.program import CELLS, Program
from analyzer.schema import Rows


def program_of(text: str, link_type: int) -> Program:
    """The filter's program for frames of a link type: by libpcap, or without it by our own compiler, which knows the common part of the language."""
    found = libpcap.library()
    return compiler.compiled(text, link_type) if found is None else libpcap.compiled(found, text, link_type)


class Filter:
    """Tells the frames that a filter lets pass. Raises UsageError for one that is none, when the link type is met for which it is not.

    `compiled` makes its programs.
    """

    def __init__(self, text: str, compiled: Callable[[str, int], Program] = program_of) -> None:
        self._text, self._compiled = text, compiled
        self._programs: dict[int, Program] = {}
        self._memory = np.zeros(CELLS, np.int64)

    def mark(self, batch: RecordBatch, interfaces: Interfaces, rows: Rows) -> None:
        """Set `left_out` of the packet rows of a batch."""
        from analyzer.choose.filter_kernel import filter_frames

        marks = np.zeros(len(batch), np.uint8)
        types = interfaces.link_types
        met = types if len(types) == 1 else types[np.unique(batch.rows["interface"])]
        for link_type in np.unique(met):
            program = self._program(int(link_type))
            mine = (types == link_type).astype(np.uint8)
            filter_frames(batch.buffer, batch.rows, program, mine, self._memory, marks)
        rows["left_out"] = marks

    def _program(self, link_type: int) -> Program:
        if link_type not in self._programs:
            self._programs[link_type] = self._compiled(self._text, link_type)
        return self._programs[link_type]
