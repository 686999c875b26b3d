"""What reading a capture yields: batches of records, the interfaces they came from, and what was damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

import numpy as np
import numpy.typing as npt

from analyzer.fields import of_fields
from analyzer.schema import Column, Rows, Table

NO_PACKET_TYPE = 255
JOINED_NS = 3600 * 1_000_000_000  # a capture clock does not go back by an hour: then another capture begins

RECORDS = Table(
    "records",
    "One row per record of a capture file: where its bytes are, and what the file says about them.",
    (
        Column("offset", "i8", "Where the frame starts in the batch's buffer.", unit="bytes"),
        Column("captured", "u4", "Bytes of the frame that are in the file.", unit="bytes"),
        Column("length", "u4", "Length of the frame on the wire.", unit="bytes"),
        Column("time_ns", "i8", "Capture time since the Unix epoch.", unit="ns"),
        Column("interface", "i4", "Index into the capture's interfaces."),
        Column("flags", "u4", "pcapng `epb_flags`, else 0."),
        Column("ifindex", "u4", "Interface index of a modified (Kuznetzov) pcap record, else 0."),
        Column("packet_type", "u1", "Linux packet type of a modified pcap record, 255 where there is none."),
    ),
)


@of_fields(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of a capture and the bytes they lie in.

    `buffer` is uint8 and read-only to its users; `rows` has RECORDS.dtype, and every row's
    `offset .. offset + captured` lies inside `buffer`: whoever reads within it needs no further check.
    `first_frame` is the frame number (from 1) of the first row. `packets` are the packet rows, where a Reader made them
    along the way; then `rows` and `packets` hold only until the next batch is asked for, or as the Reader says.
    """

    buffer: npt.NDArray[np.uint8]
    rows: Rows
    first_frame: int
    packets: Rows | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def data(self, position: int) -> bytes:
        """The captured bytes of the record at `position` of the batch."""
        start = int(self.rows["offset"][position])
        return self.buffer[start : start + int(self.rows["captured"][position])].tobytes()


@of_fields(slots=True)
class Interface:
    """A capture interface: one per classic pcap file, one per pcapng interface description block."""

    file: int
    link_type: int
    snaplen: int = 0
    fcs_len: int = 0
    name: str = ""
    description: str = ""
    filter: str = ""
    os: str = ""
    ticks_per_second: str = "10^6"
    offset_s: int = 0
    drops: int = 0  # sum of the drop counts in packet blocks
    statistics: dict[str, int] = field(default_factory=dict)  # the last interface statistics block
    section: int = 1  # of a pcapng file
    macs: tuple[int, ...] = ()  # of the host that recorded, whichever of its interfaces this one is
    after: int = 0  # so many frames of the file stand before its description


class Interfaces:
    """The interfaces of a capture, which grow while it is read; as arrays for the decoder."""

    def __init__(self) -> None:
        self._items: list[Interface] = []
        self._macs: tuple[int, ...] = ()
        self._link_types = np.zeros(8, np.uint16)
        self._fcs_lens = np.zeros(8, np.uint8)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Interface:
        return self._items[index]

    def __iter__(self) -> Iterator[Interface]:
        return iter(self._items)

    def add(self, interface: Interface) -> int:
        """Append an interface and return its index."""
        count = len(self._items)
        if count == len(self._link_types):  # twice as long each time: a file may describe very many
            self._link_types = np.concatenate([self._link_types, np.zeros_like(self._link_types)])
            self._fcs_lens = np.concatenate([self._fcs_lens, np.zeros_like(self._fcs_lens)])
        self._link_types[count], self._fcs_lens[count] = interface.link_type, interface.fcs_len
        interface.macs = interface.macs or self._macs
        self._items.append(interface)
        return count

    def belong_to(self, macs: tuple[int, ...]) -> None:
        """Those that are there and those that come belong to the host with these MAC addresses."""
        self._macs = macs
        for interface in self._items:
            interface.macs = macs

    @property
    def link_types(self) -> npt.NDArray[np.uint16]:
        """Link type number of each interface, uint16."""
        return self._link_types[: len(self._items)]

    @property
    def fcs_lens(self) -> npt.NDArray[np.uint8]:
        """Bytes of frame check sequence of each interface, uint8."""
        return self._fcs_lens[: len(self._items)]


@of_fields(frozen=True, slots=True)
class Damage:
    """A place where a file could not be read as it should.

    `offset` counts bytes of the (uncompressed) file, `frame` is the last good frame of the file before it,
    `lost` the bytes that could not be used; None where nobody can know (a damaged compressed stream).
    """

    path: str
    offset: int
    frame: int
    what: str
    lost: int | None

    def __str__(self) -> str:
        lost = "an unknown number of bytes" if self.lost is None else f"{self.lost:,} bytes"
        return f"{self.path}: byte {self.offset:,}, after frame {self.frame}: {self.what}; {lost} lost"


@of_fields(slots=True)
class FileInfo:
    """What one file of the capture turned out to be."""

    path: str
    format: str = ""
    compression: str = ""
    application: str = ""  # what wrote the file, where it says so
    size: int | None = None  # bytes on disk, None for a pipe
    read: int = 0  # bytes of capture format read (after decompression)
    frames: int = 0
    damaged: int = 0  # places that could not be read, listed or not
    lost: int = 0  # bytes in them, as far as they are known
    notes: list[str] = field(default_factory=list)
    origin: str = ""  # what the user named: the file, or the bundle or folder in which it lies
    host: str = ""  # that recorded it, where the bundle says so
    first_ns: int = 0  # times of its frames, where there are several files
    last_ns: int = 0
    links: tuple[tuple[int, str], ...] = ()  # of each interface with a description: link type and name
