"""pcapng: blocks of one file -> record batches. Format: draft-ietf-opsawg-pcapng."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from analyzer.capture.file import MAX_INTERFACES, CaptureFile
from analyzer.capture.layout import BAD, BLOCK, INTERFACE, LAYOUT, NEED, NO_INTERFACE, PCAPNG
from analyzer.capture.records import Interface, RecordBatch
from analyzer.errors import CaptureError

MAGIC = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
MAX_SHB = 1 << 20
MAX_TEXTS = 1 << 20
RESYNC_WINDOW = 2 << 20
BLOCK_NAMES = {1: "interface description", 2: "packet", 3: "simple packet", 4: "name resolution",
               5: "interface statistics", 6: "enhanced packet", 10: "decryption secrets"}  # fmt: skip
STATISTICS = {4: "received", 5: "dropped", 6: "filter_accepted", 7: "os_dropped", 8: "delivered"}


class PcapngFile(CaptureFile):
    """One pcapng file: sections of either byte order, each with interfaces of its own."""

    def start(self) -> None:
        self._section = 0
        self._text_left = MAX_TEXTS
        self._order = "<"
        self._layout = np.zeros(1, LAYOUT)
        self._layout["format"] = PCAPNG
        self._clear_interfaces()
        self.info.format = "pcapng"
        if not self._section_header():
            have = len(self.source.window)
            raise CaptureError(
                self.path, f"a pcapng file damaged or cut short in its first header ({have} bytes)", "copy it again"
            )

    def batches(self) -> Iterator[RecordBatch]:
        going = True
        while going:
            known = len(self._local)
            batch, passed, why, need = self.scan(self._layout, self._scanned[:known], self._drops[:known])
            if batch is not None:
                yield batch
            self.source.advance(passed)
            if why == NEED:
                going = self._more(need)
            elif why == BLOCK:
                going = self._state_block()
            elif why == NO_INTERFACE:
                going = self._stray_packet()
            elif why == BAD:
                going = self._resync(self._describe_bad())

    def finish(self) -> None:
        super().finish()
        self._give_drops()
        sections = f", {self._section} sections" if self._section > 1 else ""
        self.info.format = f"pcapng, {'big' if self._order == '>' else 'little'}-endian{sections}"

    @property
    def is_big(self) -> bool:
        """Is its section big-endian?"""
        return self._order == ">"

    @property
    def sections(self) -> int:
        """How many it has had so far."""
        return self._section

    def _clear_interfaces(self) -> None:
        self._local: list[int] = []
        self._scanned = np.zeros(8, INTERFACE)
        self._drops = np.zeros(8, np.int64)

    def _give_drops(self) -> None:
        for position, index in enumerate(self._local):
            self.interfaces[index].drops = int(self._drops[position])

    def _more(self, need: int) -> bool:
        """Make the block at the window's start available; False at the end of the file, told if it is premature."""
        if not self.source.require(1):
            return self.end()
        if self.source.require(need):
            return True
        have = len(self.source.window)
        name = "a block"
        if have >= 8:
            kind, size = struct.unpack(self._order + "II", self.source.window[:8].tobytes())
            name = f"a block ({BLOCK_NAMES.get(kind, f'type {kind:#x}')}) of {size:,} bytes"
        return self.cut_short(f"cut short in {name} ({have:,} are there)", have)

    def _state_block(self) -> bool:
        """Read a section header, interface description or interface statistics block."""
        if self.source.window[:4].tobytes() == MAGIC:
            return self._section_header() or self._resync("damaged section header")
        kind, size = struct.unpack(self._order + "II", self.source.window[:8].tobytes())
        smallest = 20 if kind == 1 else 24
        if size < smallest or size % 4 or size > MAX_SHB:
            return self._resync(f"{BLOCK_NAMES[kind]} block with an impossible length of {size:,}")
        if not self.source.require(size):
            return self._more(size)
        block = self.source.window[:size].tobytes()
        if block[-4:] != block[4:8]:
            return self._resync(f"{BLOCK_NAMES[kind]} block whose two lengths differ")
        if kind == 1 and len(self.interfaces) >= MAX_INTERFACES:
            self.damage(self.source.position, f"more than {MAX_INTERFACES:,} interfaces", None)
            return False
        if kind == 1:
            self._describe_interface(block)
        else:
            self._statistics(block)
        self.source.advance(size)
        return True

    def _section_header(self) -> bool:
        """Read a section header block; False (nothing consumed) where it is damaged or not all there."""
        if not self.source.require(28):
            return False
        head = self.source.window[:28].tobytes()
        order = BYTE_ORDER.get(head[8:12])
        if order is None:
            return False
        size, major, minor = struct.unpack(order + "4xI4xHH", head[:16])
        if size < 28 or size % 4 or size > MAX_SHB or not self.source.require(size):
            return False
        block = self.source.window[:size].tobytes()
        if block[-4:] != block[4:8]:
            return False
        self._give_drops()
        self._clear_interfaces()
        self._order = order
        self._layout["big"] = order == ">"
        self._section += 1
        if major != 1 or minor not in (0, 2):
            self.note(f"section {self._section} has the unknown pcapng version {major}.{minor}, read as 1.0")
        for code, value in self._options(block[24:-4]):
            if code == 4 and not self.info.application:
                self.info.application = value.decode("utf-8", "replace")
        self.source.advance(size)
        return True

    def _describe_interface(self, block: bytes) -> None:
        link_type, snaplen = struct.unpack(self._order + "H2xI", block[8:16])
        interface = Interface(self.index, link_type, snaplen, section=self._section, after=self.frames)
        base2, exponent = 0, 6
        for code, value in self._options(block[16:-4]):
            if code == 2:
                interface.name = self._text(value)
            elif code == 3:
                interface.description = self._text(value)
            elif code == 9 and len(value) == 1:
                base2, exponent = value[0] >> 7, value[0] & 0x7F
            elif code == 11 and value[:1] == b"\0":
                interface.filter = self._text(value[1:])
            elif code == 12:
                interface.os = self._text(value)
            elif code == 13 and len(value) == 1:
                interface.fcs_len = value[0] // 8
            elif code == 14 and len(value) == 8:
                (interface.offset_s,) = struct.unpack(self._order + "q", value)
        interface.ticks_per_second = f"{2 if base2 else 10}^{exponent}"
        position = len(self._local)
        if position == len(self._scanned):
            self._scanned = np.concatenate([self._scanned, np.zeros_like(self._scanned)])
            self._drops = np.concatenate([self._drops, np.zeros_like(self._drops)])
        self._local.append(self.add_interface(interface))
        self._scanned[position] = (self._local[-1], snaplen, base2, exponent, interface.offset_s)

    def _text(self, value: bytes) -> str:
        """An option as text. A file may describe very many interfaces: beyond a megabyte their texts are left out."""
        kept = value[: self._text_left]
        self._text_left -= len(kept)
        return kept.decode("utf-8", "replace")

    def _statistics(self, block: bytes) -> None:
        (local,) = struct.unpack(self._order + "I", block[8:12])
        if local >= len(self._local):
            self.note(f"statistics of interface {local}, which the section does not describe, ignored")
            return
        statistics = self.interfaces[self._local[local]].statistics
        for code, value in self._options(block[20:-4]):
            if code in STATISTICS and len(value) == 8:
                (statistics[STATISTICS[code]],) = struct.unpack(self._order + "Q", value)

    def _options(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Code and value of each option; a broken list ends where it breaks."""
        at = 0
        while at + 4 <= len(data):
            code, length = struct.unpack_from(self._order + "HH", data, at)
            at += 4
            if code == 0:
                return
            if at + length > len(data):
                self.note("an option list that runs over the end of its block, ignored from there on")
                return
            yield code, data[at : at + length]
            at += (length + 3) & ~3

    def _stray_packet(self) -> bool:
        size = struct.unpack(self._order + "4xI", self.source.window[:8].tobytes())[0]
        known = len(self._local)
        self.damage(self.source.position, f"a packet of an interface that is not described ({known} are)", size)
        self.source.advance(size)
        return True

    def _describe_bad(self) -> str:
        kind, size = struct.unpack(self._order + "II", self.source.window[:8].tobytes())
        return f"damaged {BLOCK_NAMES.get(kind, f'{kind:#x}')} block (length {size:,})"

    def _resync(self, what: str) -> bool:
        """Skip to the next plausible block; False if there is none."""
        from analyzer.capture.pcapng_kernel import resync

        offset, frame, skipped = self.source.position, self.frames, 0
        first = 4  # blocks are aligned, and here one begins
        while True:
            ended = not self.source.require(RESYNC_WINDOW)
            window = self.source.window
            found = resync(window, self._order == ">", first, ended)
            if found < -1:  # a block that runs over the window's end: decide with more bytes behind it
                step, first = -1 - found, 0
                self.source.advance(step)
                skipped += step
                continue
            step = found if found >= 0 else (len(window) if ended else (len(window) - 12 - first) // 4 * 4 + first)
            self.source.advance(step)
            skipped += step
            first = 0
            if found >= 0 or ended:
                break
        after = "" if found >= 0 else "; no further block was found"
        self.damage(offset, what + after, skipped, frame)
        return found >= 0 or self.end()
