"""What a capture says of frames beside their bytes: comments, and the programs that sent or received them (pcapng, PKTAP)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import field

import numpy as np
import numpy.typing as npt

from analyzer.capture.capture import BATCH_FRAMES, WINDOW_BYTES, Capture
from analyzer.capture.opened import open_source
from analyzer.capture.pcapng import PcapngFile
from analyzer.capture.records import Interfaces, RecordBatch
from analyzer.fields import of_fields
from analyzer.patterns import regex
from analyzer.schema import Rows

PACKET_BLOCKS, NOTED_BLOCKS = (2, 3, 6), (2, 6)  # a simple packet block has no options
PACKET_HEADER = 28
PROCESS_BLOCK = 0x80000001  # of macOS: PID, then options of which 2 is the name
COMMENT, PROCESS_THREAD, PROCESS_INDEX, EFFECTIVE_INDEX = 1, 8, 0x8001, 0x8003
PKTAP_LINKS = (258, 149)
PKTAP_FROM, PKTAP_SIZE = 52, 108  # pth_pid, pth_comm; pth_epid, pth_ecomm behind 8 more bytes
MOST_PROCESSES = 1 << 16  # process blocks of a section

# How programs that know the process write it into a comment: ptcpdump, rustnet, etl2pcapng.
_NAMED = (
    regex(r"\bPID: ?(?P<pid>\d+)\s+(?:Cmd|Process): ?(?P<name>[^\n]+)"),
    regex(r"\bProcess: ?(?P<name>[^\n]+)"),
)
_CURRENT = regex(r"^PID=(?P<pid>\d+)\b")


@of_fields(frozen=True, slots=True)
class Process:
    """A program: its name ('' where only the number is known), and its PID (-1 where only the name is).

    `sure` is False where the capture says which process ran when the frame was logged, which may be another one: etl2pcapng.
    """

    name: str
    pid: int = -1
    sure: bool = True


@of_fields(slots=True)
class FrameNotes:
    """What is said of one frame."""

    comments: list[str] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)


def notes_of(paths: Sequence[str], frames: npt.NDArray[np.int64]) -> dict[int, FrameNotes]:
    """The notes on these frames (numbers from 1, ascending) of a capture, as far as there are any. Reads it again.

    Raises CaptureError where it cannot be read.
    """
    found: dict[int, FrameNotes] = {}
    with Capture(paths) as capture:
        wanted: dict[int, dict[int, int]] = {}  # by file: the frame of the capture by its number in the file
        counts: dict[int, int] = {}
        for batch in capture:
            _look_for_pktap(batch, capture.interfaces, frames, found)
            files = np.array([interface.file for interface in capture.interfaces], np.int64)[batch.rows["interface"]]
            mine = np.isin(np.arange(batch.first_frame, batch.first_frame + len(batch)), frames)
            for file in np.unique(files):
                places = np.flatnonzero(files == file)
                numbers = counts.get(int(file), 0) + 1 + np.arange(len(places))
                counts[int(file)] = int(numbers[-1])
                some = mine[places]
                pairs = zip(numbers[some].tolist(), (batch.first_frame + places[some]).tolist(), strict=True)
                wanted.setdefault(int(file), {}).update(pairs)
            if not len(frames) or batch.first_frame + len(batch) > frames[-1]:
                break
        formats = {position: info.format for position, info in enumerate(capture.files)}
        read = list(capture.paths)
    for position, numbers_of in wanted.items():
        if numbers_of and formats.get(position, "").startswith("pcapng"):
            for number, notes in _notes_of_file(read[position], set(numbers_of)).items():
                found.setdefault(numbers_of[number], FrameNotes()).comments += notes.comments
                found[numbers_of[number]].processes += notes.processes
    return found


def processes_in(comment: str) -> list[Process]:
    """The program that a comment names, if it is one of those that do."""
    for pattern in _NAMED:
        if told := pattern.search(comment):
            pid = told.groupdict().get("pid")
            return [Process(told["name"].strip(), int(pid) if pid else -1)]
    told = _CURRENT.search(comment)
    return [Process("", int(told["pid"]), sure=False)] if told else []


def _look_for_pktap(
    batch: RecordBatch, interfaces: Interfaces, frames: npt.NDArray[np.int64], found: dict[int, FrameNotes]
) -> None:
    """The programs that the link-layer header of macOS names."""
    pktap = np.isin(interfaces.link_types, PKTAP_LINKS)
    if not pktap.any():
        return
    numbers = np.arange(batch.first_frame, batch.first_frame + len(batch))
    for place in np.flatnonzero(pktap[batch.rows["interface"]] & np.isin(numbers, frames)):
        processes = _pktap_processes(batch.data(int(place)))
        if processes:
            found.setdefault(int(numbers[place]), FrameNotes()).processes += processes


def _pktap_processes(data: bytes) -> list[Process]:
    """Who sent or received the frame, and on whose behalf where that is another."""
    if len(data) < PKTAP_SIZE or struct.unpack_from("<I", data)[0] < PKTAP_SIZE:
        return []
    pid, name, other, other_name = struct.unpack_from("<i20s8xi20s", data, PKTAP_FROM)
    told = [(name, pid), (other_name, other)]
    texts = [(text.partition(b"\0")[0].decode("utf-8", "replace"), number) for text, number in told]
    return list(dict.fromkeys(Process(text, number) for text, number in texts if text and number >= 0))


def _notes_of_file(path: str, wanted: set[int]) -> dict[int, FrameNotes]:
    """The notes on these frames (numbers in the file) of a pcapng file."""
    file = _NotedFile(open_source(path, WINDOW_BYTES), 0, Interfaces(), [], BATCH_FRAMES)
    file.wanted, last = wanted, max(wanted)
    try:
        file.start()
        for _ in file.batches():
            if file.frames >= last:
                break
    finally:
        file.source.close()
    return file.notes


class _NotedFile(PcapngFile):
    """A pcapng file whose options of packets are read, too, where they are `wanted`."""

    wanted: set[int]
    processes: list[Process]

    def start(self) -> None:
        self.notes: dict[int, FrameNotes] = {}
        super().start()

    def _clear_interfaces(self) -> None:
        super()._clear_interfaces()
        self.processes = []  # they are numbered by section

    def scan(self, layout: Rows, local: Rows, drops: npt.NDArray[np.int64]) -> tuple[RecordBatch | None, int, int, int]:
        first, window = self.frames, self.source.window
        found = super().scan(layout, local, drops)
        self._read(window[: found[1]].tobytes(), first)
        return found

    def _read(self, blocks: bytes, frame: int) -> None:
        """The notes in whole blocks that were found good; `frame` is the last one before them."""
        head = struct.Struct(self._order + "II")
        at = 0
        while at + 12 <= len(blocks):
            kind, size = head.unpack_from(blocks, at)
            if kind in PACKET_BLOCKS:
                frame += 1
                if kind in NOTED_BLOCKS and frame in self.wanted:
                    self._note(frame, blocks[at : at + size])
            elif kind == PROCESS_BLOCK and size >= 16 and len(self.processes) < MOST_PROCESSES:
                (pid,) = struct.unpack_from(self._order + "I", blocks, at + 8)
                names = [value for code, value in self._options(blocks[at + 12 : at + size - 4]) if code == 2]
                name = names[0].partition(b"\0")[0].decode("utf-8", "replace") if names else ""
                self.processes.append(Process(name, pid))
            at += size

    def _note(self, frame: int, block: bytes) -> None:
        (captured,) = struct.unpack_from(self._order + "I", block, 20)
        notes = FrameNotes()
        for code, value in self._options(block[PACKET_HEADER + (captured + 3 & ~3) : -4]):
            if code == COMMENT:
                text = value.decode("utf-8", "replace").strip("\0")
                notes.comments.append(text)
                notes.processes += processes_in(text)
            elif code == PROCESS_THREAD and len(value) == 8:
                notes.processes.append(Process("", struct.unpack(self._order + "II", value)[0]))
            elif code in (PROCESS_INDEX, EFFECTIVE_INDEX) and len(value) == 4:
                (index,) = struct.unpack(self._order + "I", value)
                if index < len(self.processes):
                    notes.processes.append(self.processes[index])
        if notes.comments or notes.processes:
            notes.processes = list(dict.fromkeys(notes.processes))
            self.notes[frame] = notes
