"""Records -> packet rows. Knows headers and puts fragments together; knows no flows.

`decode` is stateless: a batch is decoded alike wherever it stands. What needs the frames before is a step of its own.
"""

from __future__ import annotations

import numpy as np

from analyzer.capture import Interfaces, RecordBatch
from analyzer.decode.links import links_of
from analyzer.decode.reassembly import Reassembler
from analyzer.schema import Rows
from analyzer.tables import PACKETS

__all__ = ["Reassembler", "decode", "links_of"]


def decode(batch: RecordBatch, interfaces: Interfaces) -> Rows:
    """The `packets` rows of a batch: a structured array of `tables.PACKETS.dtype`, as long as the batch."""
    from analyzer.decode.frame_kernel import decode_frames

    rows = np.zeros(len(batch), PACKETS.dtype)
    decode_frames(batch.buffer, batch.rows, links_of(interfaces), batch.first_frame, rows)
    return rows
