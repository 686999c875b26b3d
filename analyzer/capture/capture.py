"""Paths -> one capture: formats recognised by content, files opened, records streamed in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from analyzer.capture.file import CaptureFile, Reader
from analyzer.capture.formats import capture_file, open_capture_file
from analyzer.capture.live import Live, following
from analyzer.capture.merge import merged
from analyzer.capture.numbering import Numbering
from analyzer.capture.opened import open_source, size_of, start_of
from analyzer.capture.places import all_files
from analyzer.capture.records import Damage, FileInfo, Interface, Interfaces, RecordBatch
from analyzer.capture.where import is_file, is_here, is_url
from analyzer.errors import CaptureError

BATCH_FRAMES = 1 << 15
WINDOW_BYTES = 8 << 20  # the headers of a window and their rows fit the cache of one core
MERGE_BATCH_FRAMES = 1 << 12  # several files are open at once: less of each
MERGE_WINDOW_BYTES = 2 << 20
NO_TIME = -(2**63)
LOOK_FRAMES, LOOK_BYTES = 1 << 10, 1 << 16  # of the beginning of each of several files


class Beginning(NamedTuple):
    """How one of several files begins: when, of how many interfaces, and which of them have frames there, in order of the first of each."""

    first_ns: int  # NO_TIME without a frame, or where nobody can look twice
    interfaces: int = 0
    seen: tuple[int, ...] = ()


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
        if live is not None and not is_here(self.paths[0]):
            raise CaptureError(self.paths[0], "no file on a disk here", "follow it where it is written")
        self._live = live
        self._batch_frames = batch_frames or (MERGE_BATCH_FRAMES if several else BATCH_FRAMES)
        self._window_bytes = window_bytes or (MERGE_WINDOW_BYTES if several else WINDOW_BYTES)
        self.damages: list[Damage] = []
        self._infos: dict[int, FileInfo] = {}
        self._open: dict[int, CaptureFile] = {}
        self._passed = 0
        self._sizes: dict[int, int | None] = {}
        self._starts: dict[int, bytes] = {}
        self._interfaces: dict[int, Interfaces] = {}
        if several:
            self.beginnings = [self._beginning(position) for position in range(len(self.paths))]
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
        numbering = Numbering(self.interfaces)
        every = [self._numbered(position, numbering) for position in range(len(self.paths))]
        for batch in merged(every, [each.first_ns for each in self.beginnings], self._batch_frames):
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
        sizes = [self.size_of(position) for position in range(len(self.paths))]
        return None if None in sizes else sum(size for size in sizes if size)

    def size_of(self, position: int) -> int | None:
        """Bytes of the file at `position` of `paths`; None of a pipe, or where it is not known."""
        path = self.paths[position]
        if is_here(path):
            return size_of(path)
        if position not in self._sizes:  # to ask takes long
            self._sizes[position] = size_of(path)
        return self._sizes[position]

    def start_of(self, position: int, count: int) -> bytes:
        """Up to so many bytes from the beginning of a file, each time as many; none where only a stream of it can be had."""
        path = self.paths[position]
        if is_here(path):
            return start_of(path, count)
        if position not in self._starts:
            self._starts[position] = start_of(path, count)
        return self._starts[position]

    @property
    def done(self) -> int:
        """Bytes of the files on disk read so far."""
        return self._passed + sum(file.source.done for file in self._open.values())

    def macs(self, position: int) -> tuple[int, ...]:
        """The MAC addresses of the host that recorded the file at `position` of `paths`, where they are known."""
        host = self._places[self.paths[position]][1]
        return () if host is None else host.macs

    def has_read(self, count: int) -> None:
        """Others have read so many bytes of it, as far as progress is told."""
        self._passed += count

    def was_read(
        self,
        position: int,
        frames: int,
        read: int,
        interfaces: Sequence[Interface],
        notes: Sequence[str],
        damages: Sequence[tuple[int, str, int | None, int]],
        times: tuple[int, int],
    ) -> None:
        """Others have read the file at `position` of `paths` to its end: so many frames, in so many bytes, of these interfaces. Who reads it himself knows no more.

        `damages` are as `CaptureFile.damage` takes them, `notes` what is peculiar, `times` the first and the last (ns) of its frames.
        Files are told in the order in which one pass comes to their ends; then `all_read` ends it.
        """
        file = self._file(position)
        for known, told in zip(file.interfaces, interfaces, strict=False):
            known.drops, known.statistics = told.drops, told.statistics
        for interface in interfaces[len(file.interfaces) :]:
            file.add_interface(interface)
        for note in notes:
            file.note(note)
        file.count(frames)
        file.source.advance(read - file.source.position)
        for damage in damages:
            file.damage(*damage)
        file.finish()
        if len(self.paths) > 1 and frames:
            _note_times(file, *times)
        self._interfaces[position] = file.interfaces
        self._finish(position)

    def all_read(self, numbers: Mapping[int, Sequence[int]]) -> None:
        """Others have read all of it. Of several files, the interfaces of each, by its position, got these numbers."""
        every = [
            (number, self._interfaces[position][at])
            for position in numbers
            for at, number in enumerate(numbers[position])
        ]
        for _, interface in sorted(every, key=lambda each: each[0]):
            self.interfaces.add(interface)
        self._passed = sum(info.size or 0 for info in self.files)

    def close(self) -> None:
        """Close what is still open."""
        for position in list(self._open):
            self._finish(position)

    def _file(self, position: int) -> CaptureFile:
        """The file at `position` of `paths`, opened and its header read."""
        if position not in self._open:
            path = self.paths[position]
            source = open_source(path, self._window_bytes, following(self._live))
            if is_url(path):
                self._sizes[position] = source.size
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

    def _numbered(self, position: int, numbering: Numbering) -> Iterator[RecordBatch]:
        """The records of one file among several; the file is opened when the merge reaches it."""
        file = self._file(position)
        self._interfaces[position] = file.interfaces
        yield from numbering.provisional(file.interfaces, self._records(position))

    def _finish(self, position: int) -> None:
        file = self._open.pop(position)
        self._passed += file.source.done
        file.source.close()

    def _beginning(self, position: int) -> Beginning:
        """How a file begins that can be opened twice; one without a time joins at once."""
        path = self.paths[position]
        if not is_file(path):
            if path != "-" and not Path(path).exists():
                raise CaptureError(path, "no such file", "check the path")
            return Beginning(NO_TIME)
        file = open_capture_file(path, position, [], LOOK_FRAMES, LOOK_BYTES)
        try:
            batch = next(iter(file.batches()), None)
            if batch is None:
                return Beginning(NO_TIME, len(file.interfaces))
            seen = tuple(dict.fromkeys(batch.rows["interface"].tolist()))
            return Beginning(int(batch.rows["time_ns"][0]), len(file.interfaces), seen)
        finally:
            file.source.close()


def _timed(file: CaptureFile) -> Iterator[RecordBatch]:
    """The batches of a file, whose times and interfaces are noted."""
    for batch in file.batches():
        times = batch.rows["time_ns"]
        _note_times(file, int(times.min()), int(times.max()))
        yield batch


def _note_times(file: CaptureFile, first: int, last: int) -> None:
    """Frames of a file were read, the earliest and the latest of these times."""
    info = file.info
    begun = info.links != ()
    info.first_ns = min(info.first_ns, first) if begun else first
    info.last_ns = max(info.last_ns, last) if begun else last
    info.links = tuple(sorted({(each.link_type, each.name) for each in file.interfaces}))
