"""snoop (Solaris): file header and records -> record batches. Format: RFC 1761; link types also RFC 3827."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from analyzer.capture.file import CaptureFile
from analyzer.capture.records import NO_PACKET_TYPE, RECORDS, Interface, RecordBatch
from analyzer.errors import CaptureError
from analyzer.schema import Rows

MAGIC = b"snoop\0\0\0"
HEADER_LEN = 16
RECORD = struct.Struct(">IIIIII")  # original length, included length, record length, drops, seconds, microseconds
MAX_RECORD = 262144 + 256
# snoop datalink type -> LINKTYPE: 802.3, token ring, Ethernet, FDDI; IPNET, IP over InfiniBand
LINK_TYPES = {0: 1, 2: 6, 4: 1, 8: 10, 0x12: 242, 0x1D: 226}
UNKNOWN_LINK_TYPE = 0xFFFF


class SnoopFile(CaptureFile):
    """One snoop file. The format is rare and small: its records are walked in plain Python."""

    def start(self) -> None:
        if not self.source.require(HEADER_LEN):
            raise CaptureError(self.path, "a snoop file cut short in its header", "copy it again")
        version, datalink = struct.unpack(">II", self.source.window[8:16].tobytes())
        self.info.format = f"snoop {version}"
        if version != 2:
            self.note(f"unknown snoop version {version}, read as 2")
        link_type = LINK_TYPES.get(datalink, UNKNOWN_LINK_TYPE)
        if link_type == UNKNOWN_LINK_TYPE:
            self.note(f"snoop datalink type {datalink} is not known")
        self._interface = self.add_interface(Interface(self.index, link_type))
        self.source.advance(HEADER_LEN)

    def batches(self) -> Iterator[RecordBatch]:
        going = True
        while going:
            window = self.source.window
            rows, passed = self._scan(window.data)
            if len(rows):
                first = self.frames + 1
                self.count(len(rows))
                yield RecordBatch(window, rows, first)
            self.source.advance(passed)
            going = len(rows) > 0 or self._next_record()

    def _scan(self, data: memoryview) -> tuple[Rows, int]:
        """The whole records at the start of `data`, and how many bytes they take."""
        found: list[tuple[int, ...]] = []
        at, drops = 0, 0
        while len(found) < self.batch_frames and at + RECORD.size <= len(data):
            length, captured, size, dropped, seconds, micros = RECORD.unpack_from(data, at)
            if size < RECORD.size or size > MAX_RECORD or captured > size - RECORD.size or at + size > len(data):
                break
            time_ns = seconds * 1_000_000_000 + micros * 1000
            found.append((at + RECORD.size, captured, length, time_ns, self._interface, 0, 0, NO_PACKET_TYPE))
            drops = dropped
            at += size
        if found:
            self.interfaces[self._interface].drops = drops  # cumulative, says RFC 1761
        return np.array(found, RECORDS.dtype), at

    def _next_record(self) -> bool:
        if not self.source.require(1):
            return self.end()
        if not self.source.require(RECORD.size):
            return self.cut_short("cut short in a record header", len(self.source.window))
        _, captured, size, *_ = RECORD.unpack(self.source.window[: RECORD.size].tobytes())
        if size < RECORD.size or size > MAX_RECORD or captured > size - RECORD.size:
            offset = self.source.position
            lost = 0
            while self.source.require(1):
                lost += len(self.source.window)
                self.source.advance(len(self.source.window))
            self.damage(offset, f"damaged record header (claims a record of {size:,} bytes)", lost)
            return False
        if not self.source.require(size):
            return self.cut_short(f"cut short in a record of {size:,} bytes", len(self.source.window))
        return True
