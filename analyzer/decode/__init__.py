"""Records -> packet rows. Knows headers; knows no flows. Stateless: a batch is decoded alike wherever it stands."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from analyzer.capture import Interfaces, RecordBatch
from analyzer.decode.link import LINK, link_rows
from analyzer.schema import Rows
from analyzer.tables import PACKETS

__all__ = ["decode"]


def decode(batch: RecordBatch, interfaces: Interfaces) -> Rows:
    """The `packets` rows of a batch: a structured array of `tables.PACKETS.dtype`, as long as the batch."""
    from analyzer.decode.frame_kernel import decode_frames

    rows = np.zeros(len(batch), PACKETS.dtype)
    decode_frames(batch.buffer, batch.rows, links_of(interfaces), batch.first_frame, rows)
    return rows


# Link rows already made, and how many: a file may describe an interface before each of its packets.
_known: WeakKeyDictionary[Interfaces, tuple[Rows, int]] = WeakKeyDictionary()


def links_of(interfaces: Interfaces) -> Rows:
    """At least one LINK row per interface. Interfaces are only ever added."""
    rows, have = _known.get(interfaces, (np.zeros(0, LINK), 0))
    count = len(interfaces)
    if have < count:
        if count > len(rows):
            rows = np.concatenate([rows, np.zeros(count, LINK)])
        rows[have:count] = link_rows(interfaces.link_types[have:count], interfaces.fcs_lens[have:count])
        _known[interfaces] = rows, count
    return rows
