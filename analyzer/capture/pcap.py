"""Classic pcap: file header and records -> record batches. Format: draft-ietf-opsawg-pcap, libpcap's sf-pcap.c."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from analyzer.capture.file import CaptureFile
from analyzer.capture.layout import BAD, INTERFACE, LAYOUT, NEED, PCAP
from analyzer.capture.records import Interface, RecordBatch
from analyzer.errors import CaptureError
from analyzer.fields import of_fields

HEADER_LEN = 24
MAX_SNAPLEN = 262144  # libpcap's MAXIMUM_SNAPLEN: a longer record means that its header is damaged
MAX_DECLARED_SNAPLEN = 128 << 20  # what libpcap grants to D-Bus; a file that declares more is not believed
RESYNC_WINDOW = 8 << 20
CHAIN = 4 * (MAX_SNAPLEN + 24)


@of_fields(frozen=True, slots=True)
class Variant:
    """A kind of classic pcap, known by its magic number."""

    name: str
    unit_ns: int
    header: int


VARIANTS = {
    0xA1B2C3D4: Variant("pcap, microseconds", 1000, 16),
    0xA1B23C4D: Variant("pcap, nanoseconds", 1, 16),
    0xA1B2CD34: Variant("modified pcap (Kuznetzov), microseconds", 1000, 24),
}


def magic_of(head: bytes) -> tuple[Variant, bool] | None:
    """The variant and whether it is big-endian, or None if `head` does not begin a classic pcap."""
    if len(head) < 4:
        return None
    for big in (False, True):
        (magic,) = struct.unpack(">I" if big else "<I", head[:4])
        if magic in VARIANTS:
            return VARIANTS[magic], big
    return None


class PcapFile(CaptureFile):
    """One classic pcap file."""

    def start(self) -> None:
        found = magic_of(self.source.window[:4].tobytes())
        assert found is not None, "the format was recognised by its magic"
        self._variant, self._big = found
        if not self.source.require(HEADER_LEN):
            have = len(self.source.window)
            raise CaptureError(
                self.path, f"a pcap file cut short in its header ({have} of {HEADER_LEN} bytes)", "copy it again"
            )
        order = ">" if self._big else "<"
        major, minor, _, _, snaplen, network = struct.unpack(order + "4xHHiIII", self.source.window[:24].tobytes())
        self.info.format = f"{self._variant.name}, {'big' if self._big else 'little'}-endian, {major}.{minor}"
        self._order = _length_order(major, minor)
        if (major, minor) != (543, 0) and not (major == 2 and minor <= 4):
            self.note(f"unknown pcap version {major}.{minor}, read as 2.4")
        fcs_len = (network >> 28) * 2 if network & 0x04000000 else 0
        if network & 0x03FF0000:
            self.note(f"reserved bits set in the link type field 0x{network:08x}, ignored")
        self._limit = max(MAX_SNAPLEN, snaplen if snaplen <= MAX_DECLARED_SNAPLEN else 0)
        interface = self.add_interface(
            Interface(
                self.index,
                network & 0xFFFF,
                snaplen,
                fcs_len,
                ticks_per_second="10^9" if self._variant.unit_ns == 1 else "10^6",
            )
        )
        self._layout = np.zeros(1, LAYOUT)
        self._layout[0] = (
            PCAP,
            self._big,
            self._order,
            self._variant.header,
            self._variant.unit_ns,
            self._limit,
            interface,
        )
        self.source.advance(HEADER_LEN)
        self._last_s = -1

    def batches(self) -> Iterator[RecordBatch]:
        local, drops = np.zeros(0, INTERFACE), np.zeros(0, np.int64)
        while True:
            batch, passed, why, _ = self.scan(self._layout, local, drops)
            if batch is not None:
                self._last_s = int(batch.rows["time_ns"][-1]) // 1_000_000_000
                yield batch
            self.source.advance(passed)
            if why == NEED and not self._next_record():
                return
            if why == BAD and not self._resync():
                return

    def signs(self) -> tuple[bool, int, int, int]:
        """By what a record is known: byte order, order of its lengths, bytes of its header, ns of a unit of its time."""
        return self._big, self._order, self._variant.header, self._variant.unit_ns

    def _next_record(self) -> bool:
        """Make the record at the window's start available; False at the end of the file, told if it is premature."""
        header = self._variant.header
        if not self.source.require(1):
            return self.end()
        if not self.source.require(header):
            have = len(self.source.window)
            return self.cut_short(f"cut short in a record header ({have} of {header} bytes)", have)
        captured, _ = self._lengths()
        if captured > self._limit:
            return True  # the scan says so
        if not self.source.require(header + captured):
            have = len(self.source.window)
            return self.cut_short(f"cut short in a record of {captured:,} bytes ({have - header:,} are there)", have)
        return True

    def _lengths(self) -> tuple[int, int]:
        """Captured and original length of the record header at the window's start."""
        first, second = struct.unpack(">II" if self._big else "<II", self.source.window[8:16].tobytes())
        swapped = self._order == 1 or (self._order == 2 and first > second)
        return (second, first) if swapped else (first, second)

    def _resync(self) -> bool:
        """Skip a damaged record header: go on at the next plausible record; False if there is none."""
        from analyzer.capture.pcap_kernel import resync

        offset, frame, skipped = self.source.position, self.frames, 0
        captured, length = self._lengths()
        while True:
            ended = not self.source.require(RESYNC_WINDOW)
            window = self.source.window
            stop = len(window) if ended else len(window) - CHAIN
            found = resync(window, *self.signs(), MAX_SNAPLEN, self._last_s, stop, ended)
            step = found if found > 0 else (len(window) if ended else stop - 1)
            self.source.advance(step)
            skipped += step
            if found > 0 or ended:
                break
        after = "" if found > 0 else "; no further record was found"
        what = f"damaged record header (claims {captured:,} captured of {length:,} bytes){after}"
        self.damage(offset, what, skipped, frame)
        return found > 0 or self.end()


def _length_order(major: int, minor: int) -> int:
    """Which way round the two lengths of a record are: libpcap's NOT_SWAPPED 0, SWAPPED 1, MAYBE_SWAPPED 2."""
    if major == 543 or (major == 2 and minor < 3):
        return 1
    return 2 if major == 2 and minor == 3 else 0
