"""Paths -> one capture: formats recognised by content, files opened, records streamed in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from analyzer.capture import pcap, pcapng, snoop
from analyzer.capture.file import CaptureFile, Reader
from analyzer.capture.foreign import LOOK_AT, unreadable
from analyzer.capture.live import Live, following
from analyzer.capture.merge import merged
from analyzer.capture.places import all_files
from analyzer.capture.records import Damage, FileInfo, Interface, Interfaces, RecordBatch
from analyzer.capture.source import HEAD, Source, open_source
from analyzer.errors import CaptureError

BATCH_FRAMES = 1 << 15
WINDOW_BYTES = 8 << 20  # the headers of a window and their rows fit the cache of one core
MERGE_BATCH_FRAMES = 1 << 12  # several files are open at once: less of each
MERGE_WINDOW_BYTES = 2 << 20
NO_TIME = -(2**63)


class Capture:
    """One capture made of one or more files. Iterate over it once; then `files` and `damages` are complete.

    Parameters
    ----------
    paths : files, `-` for standard input, or directories that hold `capture*.pcap[ng]`
    batch_frames : most records in a batch; the result does not depend on it
    window_bytes : how many bytes of a file are looked at at once
    live : who follows the only file while it is written; without, it is read as far as it is there

    Raises CaptureError where a path is no capture.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        batch_frames: int | None = None,
        window_bytes: int | None = None,
        live: Live | None = None,
    ) -> None:
        self._places, self.notes = all_files([str(path) for path in paths])
        self.paths = list(self._places)
        if not self.paths:
            raise CaptureError("paths", "no capture named", "name at least one")
        several = len(self.paths) > 1
        if several and live is not None:
            raise CaptureError(self.paths[1], "a second capture", "follow one at a time")
        self._live = live
        self._batch_frames = batch_frames or (MERGE_BATCH_FRAMES if several else BATCH_FRAMES)
        self._window_bytes = window_bytes or (MERGE_WINDOW_BYTES if several else WINDOW_BYTES)
        self.damages: list[Damage] = []
        self._infos: dict[int, FileInfo] = {}
        self._open: dict[int, CaptureFile] = {}
        self._passed = 0
        self._interfaces: dict[int, Interfaces] = {}
        if several:
            self._first_times = [self._first_time(position) for position in range(len(self.paths))]
            self.interfaces = Interfaces()
        else:
            self.interfaces = self._file(0).interfaces

    def read_with(self, reader: Reader) -> None:
        """Have `reader` make packet rows as records are found; where there are several files, records are merged first."""
        if len(self.paths) == 1:
            self._file(0).reader = reader

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[RecordBatch]:
        if len(self.paths) == 1:
            yield from self._records(0)
            return
        numbering = _Numbering(self.interfaces)
        every = [self._numbered(position, numbering) for position in range(len(self.paths))]
        for batch in merged(every, self._first_times, self._batch_frames):
            yield numbering.final(batch)
        numbering.finish([self._interfaces[position] for position in sorted(self._interfaces)])

    @property
    def files(self) -> list[FileInfo]:
        """What each file turned out to be, in the order of `paths` (all of them once the capture was read)."""
        return [self._infos[position] for position in sorted(self._infos)]

    @property
    def may_have_several_interfaces(self) -> bool:
        """Can there be a second one, now or later."""
        return len(self.paths) > 1 or self._infos[0].format.startswith("pcapng")

    @property
    def has_several_interfaces(self) -> bool:
        """Is there a second one before the first frame of the only file."""
        return len(self.paths) == 1 and sum(interface.after == 0 for interface in self.interfaces) > 1

    @property
    def size(self) -> int | None:
        """Bytes of all files on disk; None where a pipe is among them, or one that grows."""
        if self._live is not None:
            return None
        sizes = [Path(path).stat().st_size if path != "-" and Path(path).is_file() else None for path in self.paths]
        return None if None in sizes else sum(size for size in sizes if size)

    @property
    def done(self) -> int:
        """Bytes of the files on disk read so far."""
        return self._passed + sum(file.source.done for file in self._open.values())

    @property
    def macs(self) -> tuple[int, ...]:
        """The MAC addresses of the host that recorded the only file, where they are known."""
        host = self._places[self.paths[0]][1]
        return () if host is None else host.macs

    def has_read(self, count: int) -> None:
        """Others have read so many bytes of it, as far as progress is told."""
        self._passed += count

    def was_read(
        self,
        frames: int,
        read: int,
        interfaces: Sequence[Interface],
        notes: Sequence[str],
        damages: Sequence[tuple[int, str, int | None, int]],
    ) -> None:
        """Others have read the only file to its end: so many frames, in so many bytes, of these interfaces. Who reads it himself knows no more.

        `damages` are as `CaptureFile.damage` takes them, `notes` what is peculiar.
        """
        file = self._file(0)
        for known, told in zip(self.interfaces, interfaces, strict=False):
            known.drops, known.statistics = told.drops, told.statistics
        for interface in interfaces[len(self.interfaces) :]:
            file.add_interface(interface)
        for note in notes:
            file.note(note)
        file.count(frames)
        file.source.advance(read - file.source.position)
        for damage in damages:
            file.damage(*damage)
        file.finish()
        self._passed = 0
        self._finish(0)

    def close(self) -> None:
        """Close what is still open."""
        for position in list(self._open):
            self._finish(position)

    def _file(self, position: int) -> CaptureFile:
        """The file at `position` of `paths`, opened and its header read."""
        if position not in self._open:
            path = self.paths[position]
            source = open_source(path, self._window_bytes, following(self._live))
            file = capture_file(source, position, self.damages, self._batch_frames)
            self._open[position] = file
            self._infos[position] = file.info
            file.info.origin, host = self._places[path]
            file.info.host = host.name if host is not None else ""
            if host is not None:
                file.interfaces.belong_to(host.macs)
            if host is not None and (recording := host.recording):
                for interface in file.interfaces:  # pcap has no place for these
                    interface.name = interface.name or recording.interface
                    interface.filter = interface.filter or recording.filter
        return self._open[position]

    def _records(self, position: int) -> Iterator[RecordBatch]:
        file = self._file(position)
        if len(self.paths) == 1:
            yield from file.batches()
        else:
            yield from _timed(file)
        file.finish()
        self._finish(position)

    def _numbered(self, position: int, numbering: _Numbering) -> Iterator[RecordBatch]:
        """The records of one file among several; the file is opened when the merge reaches it."""
        file = self._file(position)
        self._interfaces[position] = file.interfaces
        yield from numbering.provisional(file.interfaces, self._records(position))

    def _finish(self, position: int) -> None:
        file = self._open.pop(position)
        self._passed += file.source.done
        file.source.close()

    def _first_time(self, position: int) -> int:
        """Time of the first record of a file that can be opened twice; NO_TIME makes it join at once."""
        path = self.paths[position]
        if path == "-" or not Path(path).is_file():
            if path != "-" and not Path(path).exists():
                raise CaptureError(path, "no such file", "check the path")
            return NO_TIME
        file = open_capture_file(path, position, [], 1, 1 << 16)
        try:
            batch = next(iter(file.batches()), None)
            return NO_TIME if batch is None else int(batch.rows["time_ns"][0])
        finally:
            file.source.close()


def open_capture_file(
    path: str, index: int, damages: list[Damage], batch_frames: int, window_bytes: int
) -> CaptureFile:
    """Open one file, recognise its format and read its header."""
    return capture_file(open_source(path, window_bytes), index, damages, batch_frames)


def capture_file(source: Source, index: int, damages: list[Damage], batch_frames: int) -> CaptureFile:
    """The reader of the format that `source` holds, its header read; the source is closed where it is no capture."""
    try:
        source.require(HEAD)
        head = source.window[:HEAD].tobytes()
        kind = _format_of(head)
        if kind is None:
            raise _no_capture(source)
        file = kind(source, index, Interfaces(), damages, batch_frames)
        file.start()
    except BaseException:
        source.close()
        raise
    return file


def _timed(file: CaptureFile) -> Iterator[RecordBatch]:
    """The batches of a file, whose times and interfaces are noted."""
    info = file.info
    for batch in file.batches():
        times = batch.rows["time_ns"]
        first, last = int(times.min()), int(times.max())
        begun = info.links != ()
        info.first_ns, info.last_ns = (
            min(info.first_ns, first) if begun else first,
            max(info.last_ns, last) if begun else last,
        )
        info.links = tuple(sorted({(each.link_type, each.name) for each in file.interfaces}))
        yield batch


def _format_of(head: bytes) -> type[CaptureFile] | None:
    if pcap.magic_of(head):
        return pcap.PcapFile
    if head.startswith(pcapng.MAGIC):
        return pcapng.PcapngFile
    if head.startswith(snoop.MAGIC):
        return snoop.SnoopFile
    return None


def _no_capture(source: Source) -> CaptureError:
    source.require(LOOK_AT)
    head = source.window[:LOOK_AT].tobytes()
    if source.unsupported:
        return CaptureError(source.path, source.broken, source.unsupported)
    if source.broken and len(head) < HEAD:
        return CaptureError(source.path, source.broken, "copy or compress it again")
    if not head:
        return CaptureError(
            source.path, f"an empty file, {source.compression}-compressed", "was the capture written at all?"
        )
    return unreadable(source.path, head)


class _Numbering:
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
