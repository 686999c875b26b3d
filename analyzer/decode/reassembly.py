"""Packet rows of fragments -> rows of the datagrams that they complete."""

from __future__ import annotations

from analyzer.capture import Interfaces, RecordBatch
from analyzer.decode.fragments import no_fragments
from analyzer.decode.links import links_of
from analyzer.schema import Rows


class Reassembler:
    """Puts the datagrams of a capture together, batch by batch; with checksums, `checksums.Checker` does it."""

    def __init__(self) -> None:
        self._fragments = no_fragments()

    def join(self, batch: RecordBatch, rows: Rows, interfaces: Interfaces) -> None:
        """Have the rows (PACKETS.dtype, as decoded from `batch`) of fragments that complete a datagram describe it."""
        from analyzer.decode.reassembly_kernel import join_fragments

        join_fragments(batch.buffer, batch.rows, links_of(interfaces), rows, self._fragments)
