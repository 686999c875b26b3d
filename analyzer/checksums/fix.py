"""A capture -> the same capture with right checksums, so that it can be replayed. Nothing else in it changes.

The uncompressed bytes of the input pass through unseen by any format's writer: what is no checksum of a frame (headers,
options, blocks of any type, damage) is copied as it stands.
"""

from __future__ import annotations

import bz2
import lzma
import os
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from analyzer.accelerate import announced
from analyzer.capture import Damage, Interface, Interfaces, RecordBatch
from analyzer.capture.capture import BATCH_FRAMES, WINDOW_BYTES, capture_file
from analyzer.capture.records import RECORDS
from analyzer.capture.source import Bytes, Source, open_source, source_of
from analyzer.checksums.checker import Checker, words_of
from analyzer.checksums.state import DATAGRAM, DIRECTIONS, SETS, WAYS
from analyzer.decode import _links, decode
from analyzer.errors import CaptureError, TcpcapError
from analyzer.schema import Rows
from analyzer.tables import PACKETS

Offloaded = Callable[[Checker], npt.NDArray[np.bool_]]

# In the order of the bits in fix_kernel.py.
PROTOCOLS = ("IPv4 header", "TCP", "UDP", "ICMP", "ICMPv6", "GRE", "FCS")
REASONS = ("corrupt", "cut", "fragment", "other")

HEAD = np.dtype(  # of a fragmented datagram: what stands in the fragment with the checksum, which comes before others
    [("key", "i8"), ("sum", "i8"), ("pieces", "i8"), ("silent", "u1"), ("covers", "u1")], align=True
)
FOUND = np.dtype(
    [("key", "i8"), ("rest", "i8"), ("length", "i8")]
)  # of a complete one: frame, sum of the others, bytes
MAX_FOUND = 1 << 20


@dataclass(frozen=True, slots=True)
class Fixed:
    """What was done: how many of the `frames` got which checksum, and how many were left as they are, and why.

    `corrupt` are wrong but no artefact of offloading, `cut` not captured whole, `fragment` parts of datagrams that are
    not all there, `other` not what they say they are.
    """

    frames: int
    fixed: dict[str, int]
    left: dict[str, int]
    damages: list[Damage]


@dataclass(slots=True)
class Work:
    """How far the work is, in bytes of the file on disk: it is read twice."""

    size: int | None = None
    done: int = 0


def fix_checksums(
    source: str,
    target: str,
    *,
    everything: bool = False,
    progress: Callable[[Any], None] | None = None,
    notify: Callable[[str], None] | None = None,
    offloaded: Offloaded | None = None,
    batch_frames: int = BATCH_FRAMES,
    window_bytes: int = WINDOW_BYTES,
) -> Fixed:
    """Write the capture `source` to `target` with right IPv4 header, TCP, UDP, ICMP and ICMPv6 checksums.

    Made right are checksums that a host left to its card: those that are partial or zero, and wrong ones of directions
    whose host leaves stale values in the field. Outer UDP and GRE checksums that cover a changed packet follow, and so
    does an Ethernet frame check sequence. UDP without checksum over IPv4, or of a tunnel over IPv6, is left.

    Parameters
    ----------
    source : a capture file, or `-` for standard input
    target : the file to write, which appears when it is complete, or `-` for standard output (never compressed). It is
        compressed if its name ends in .gz, .zst, .lz4, .xz or .bz2
    everything : make every wrong checksum right, also where the packet was damaged on its way
    progress : called after each batch with an object that has `done` and `size`, in bytes
    notify : called with a sentence when the kernels must be compiled first
    offloaded : says of each direction of a Checker whether its wrong checksums come from its host's card
    batch_frames, window_bytes : how much is worked on at once; the result does not depend on it

    Raises CaptureError where nothing can be read, TcpcapError where nothing can be written. Damage in the capture is
    data: what is readable is made right, the rest is copied as it is.
    """
    from analyzer.checksums.verdicts import offloaded as by_verdict

    _refuse_same(source, target)
    work = Work()

    def tell(done: int) -> None:
        if progress is not None:
            work.done = done
            progress(work)

    with _target(target) as file, _rereadable(source, window_bytes) as open_again:
        with announced(notify or (lambda _: None)):
            _load_kernels()
        survey = Survey()
        with closing(open_again()) as first:
            work.size = None if first.size is None else 2 * first.size
            for batch, rows, interfaces in _batches(first, batch_frames, []):
                survey.add(batch, rows, interfaces)
                tell(first.done)
        fixer = _Fixer(survey, (offloaded or by_verdict)(survey.checker), everything)
        output = _Output(file, target)
        damages: list[Damage] = []
        frames = 0
        with closing(_Copied(open_again(), output.write)) as second:
            for batch, rows, interfaces in _batches(second, batch_frames, damages):
                frames += len(batch)
                second.replace(fixer.fixed(batch, rows, interfaces))
                tell(first.done + second.done)
            second.copy_rest()
        output.finish()
    counts = [int(count) for count in fixer.counts]
    fixed = dict(zip(PROTOCOLS, counts[: len(PROTOCOLS)], strict=True))
    left = dict(zip(REASONS, counts[len(PROTOCOLS) :], strict=True))
    left["fragment"] += survey.incomplete
    return Fixed(frames, fixed, left, damages)


def _batches(
    source: Source, batch_frames: int, damages: list[Damage]
) -> Iterator[tuple[RecordBatch, Rows, Interfaces]]:
    """The batches of one file, decoded."""
    file = capture_file(source, 0, damages, batch_frames)
    for batch in file.batches():
        yield batch, decode(batch, file.interfaces), file.interfaces


class Survey:
    """The first pass: which directions are offloaded, and what the frame with a checksum does not hold of its datagram."""

    def __init__(self) -> None:
        self.checker = Checker()
        self.datagrams = np.zeros(SETS * WAYS, DATAGRAM)
        self.begun = np.zeros(1, np.int64)
        self._heads = np.zeros(SETS * WAYS, HEAD)
        self._found = np.zeros(MAX_FOUND, FOUND)
        self._room = np.zeros(3, np.int64)
        self.scratch, self.blank = np.zeros(1, PACKETS.dtype), np.zeros(1, PACKETS.dtype)

    def add(self, batch: RecordBatch, rows: Rows, interfaces: Interfaces) -> None:
        """Take the next batch."""
        from analyzer.checksums.fix_kernel import collect_datagrams

        self.checker.check(batch, rows, interfaces)
        words, skip = words_of(batch.buffer)
        collect_datagrams(
            batch.buffer, words, skip, batch.rows, rows, _links(interfaces), self.scratch, self.blank,
            self.datagrams, self.begun, self._heads, self._found, self._room,
        )  # fmt: skip

    @property
    def found(self) -> Rows:
        """The datagrams (FOUND) whose checksum may have to change, in order of their keys."""
        found = self._found[: int(self._room[0])]
        return found[np.argsort(found["key"], kind="stable")]

    @property
    def incomplete(self) -> int:
        """Fragments that belong to no datagram that could be verified."""
        return int(self._room[1] - self._room[2])


class _Fixer:
    """The second pass: batches enter, their bytes leave with right checksums."""

    def __init__(self, survey: Survey, marked: npt.NDArray[np.bool_], everything: bool) -> None:
        from analyzer.checksums.fix_kernel import KINDS

        self._survey = survey
        self._found = survey.found
        self._marked = np.zeros(DIRECTIONS, np.bool_)  # the first is those for which there was no room
        self._marked[1 : len(marked) + 1] = marked
        self._everything = everything
        self._full = np.array([DIRECTIONS - 1], np.int64)
        self._table = _crc_table()
        self._room = np.zeros(0, np.uint8)
        self.counts = np.zeros(KINDS, np.int64)

    def fixed(self, batch: RecordBatch, rows: Rows, interfaces: Interfaces) -> Bytes:
        """The bytes of the batch's buffer as far as its last record, which stay right until the next call."""
        from analyzer.checksums.fix_kernel import fix_frames

        last = batch.rows[-1]
        size = int(last["offset"]) + int(last["captured"])
        if size > len(self._room):
            self._room = np.empty(max(size, WINDOW_BYTES), np.uint8)
        buffer = self._room[:size]
        np.copyto(buffer, batch.buffer[:size])
        survey, checker = self._survey, self._survey.checker
        words, skip = words_of(buffer)
        fix_frames(
            batch.buffer, buffer, words, skip, batch.rows, rows, _links(interfaces), survey.scratch, survey.blank,
            survey.datagrams, survey.begun, checker._directions, checker._slots, self._full, self._marked,
            self._everything, self._found, self._table, self.counts,
        )  # fmt: skip
        return buffer


class _Copied(Source):
    """Another source whose bytes are written once they are passed: whatever a reader makes of them, none is lost."""

    def __init__(self, inner: Source, write: Callable[[Bytes], None]) -> None:
        super().__init__(inner.path, 0)
        self._inner = inner
        self._write = write
        self._ready = np.zeros(0, np.uint8)
        self.size, self.compression = inner.size, inner.compression
        self._follow()

    def _follow(self) -> None:
        self.window, self.position, self.broken = self._inner.window, self._inner.position, self._inner.broken

    def require(self, count: int) -> bool:
        enough = self._inner.require(count)
        self._follow()
        return enough

    def replace(self, ready: Bytes) -> None:
        """Have `ready` written in place of as many bytes at the window's beginning."""
        self._ready = ready

    def advance(self, count: int) -> None:
        self._write(self._ready)
        self._write(self.window[len(self._ready) : count])
        self._ready = self._ready[:0]
        self._inner.advance(count)
        self._follow()

    def copy_rest(self) -> None:
        """Write what the reader did not want."""
        while self.require(1):
            self.advance(len(self.window))

    @property
    def done(self) -> int:
        return self._inner.done

    def close(self) -> None:
        self.window = np.zeros(0, np.uint8)
        self._inner.close()


def _crc_table() -> npt.NDArray[np.int64]:
    """CRC-32 of each byte (IEEE 802.3)."""
    table = np.arange(256, dtype=np.int64)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ 0xEDB88320, table >> 1)
    return table


def _load_kernels() -> None:
    """Run every kernel once on no frames: loading, or the very first time compiling, happens here."""
    from analyzer.capture.pcap_kernel import load as load_pcap
    from analyzer.capture.pcapng_kernel import load as load_pcapng

    interfaces = Interfaces()
    interfaces.add(Interface(0, 1))
    records = np.zeros(1, RECORDS.dtype)
    buffer = np.zeros(0, np.uint8)
    buffer.flags.writeable = False  # as the windows of a file are: numba compiles for that
    load_pcap(buffer, records[:0])
    load_pcapng(buffer, records[:0])
    batch = RecordBatch(buffer, records, 1)
    rows = decode(batch, interfaces)
    survey = Survey()
    survey.add(batch, rows, interfaces)
    _Fixer(survey, np.zeros(0, np.bool_), False).fixed(batch, rows, interfaces)


# Input


@contextmanager
def _rereadable(path: str, window_bytes: int) -> Iterator[Callable[[], Source]]:
    """Yields what opens the input anew each time; what can be read only once is kept in a temporary file."""
    if path != "-" and (not Path(path).exists() or Path(path).is_file() or Path(path).is_dir()):
        yield lambda: open_source(path, window_bytes)
        return
    with ExitStack() as stack:
        try:
            spool = stack.enter_context(tempfile.TemporaryFile(prefix="tcpcap-"))
        except OSError as error:
            raise _no_room(error) from None
        _spool(path, spool)

        def open_again() -> Source:
            file = os.fdopen(os.dup(spool.fileno()), "rb", buffering=0)
            stack.callback(file.close)
            file.seek(0)
            return source_of(path, file, window_bytes)

        yield open_again


def _spool(path: str, spool: BinaryIO) -> None:
    """Copy a pipe to its end."""
    if path == "-" and sys.stdin is None:
        raise CaptureError(path, "standard input is closed", "name a file")
    try:
        source = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115 closed below
    except OSError as error:
        raise CaptureError(path, f"cannot be read ({error.strerror})", "check the file") from None
    try:
        shutil.copyfileobj(source, spool, 1 << 20)
        spool.flush()
    except OSError as error:
        raise _no_room(error) from None
    finally:
        if path != "-":
            source.close()


def _no_room(error: OSError) -> TcpcapError:
    return TcpcapError(
        tempfile.gettempdir(), f"cannot be written ({error.strerror})", "make room, or set TMPDIR to another folder"
    )


# Output


def _refuse_same(source: str, target: str) -> None:
    """The input is read twice, and stays what it is."""
    found = [_status(source, sys.stdin), _status(target, sys.stdout)]
    one, other = found
    if one is None or other is None or not stat.S_ISREG(one.st_mode):
        return
    if os.path.samestat(one, other):
        raise TcpcapError(target, "is the input itself", "name another file")


def _status(path: str, standard: Any) -> os.stat_result | None:
    """What the system says of the file; None where there is none."""
    try:
        return os.fstat(standard.fileno()) if path == "-" else Path(path).stat()
    except (OSError, AttributeError, ValueError):
        return None


@contextmanager
def _target(target: str) -> Iterator[BinaryIO]:
    """Standard output, or a file that gets its name when all is written."""
    try:
        with ExitStack() as stack:
            if target == "-":
                yield _standard_output()
                return
            path = Path(target)
            if (
                path.exists() and not path.is_file()
            ):  # a fifo or a device takes the bytes as they come; a directory refuses
                yield stack.enter_context(path.open("wb"))
                return
            path = path.resolve()  # a link keeps pointing at its target
            handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    yield file
                # A file that is replaced keeps its permissions: captures are nobody else's business.
                Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
    except BrokenPipeError:
        raise
    except OSError as error:
        raise TcpcapError(
            target, f"cannot be written ({error.strerror or error})", "make room, or name another file"
        ) from None


def _standard_output() -> BinaryIO:
    if sys.stdout is None:
        raise TcpcapError("standard output", "closed", "name a file")
    if sys.stdout.isatty():
        raise TcpcapError("standard output", "a terminal, and a capture is binary", "name a file")
    return sys.stdout.buffer


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class _Output:
    """A file that takes bytes, compressed as its name says."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        make = COMPRESSORS.get(Path(name).suffix.lower()) if name != "-" else None
        self._compressor = make() if make is not None else None

    def write(self, data: Bytes) -> None:
        """Write some bytes."""
        if len(data):
            self._file.write(data.data if self._compressor is None else self._compressor.compress(data.data))

    def finish(self) -> None:
        """Write what is held back."""
        if self._compressor is not None:
            self._file.write(self._compressor.flush())
        self._file.flush()


def _zstd() -> Any:
    import zstandard

    return zstandard.ZstdCompressor().compressobj()


class _Lz4:
    """lz4's compressor, which begins a frame by itself."""

    def __init__(self) -> None:
        import lz4.frame

        self._inner = lz4.frame.LZ4FrameCompressor()
        self._begun: bytes = self._inner.begin()

    def compress(self, data: memoryview) -> bytes:
        """The next piece."""
        begun, self._begun = self._begun, b""
        return begun + bytes(self._inner.compress(data))

    def flush(self) -> bytes:
        """The end."""
        return self._begun + bytes(self._inner.flush())


COMPRESSORS: dict[str, Callable[[], Any]] = {
    ".gz": lambda: zlib.compressobj(wbits=31),
    ".zst": _zstd,
    ".lz4": _Lz4,
    ".xz": lzma.LZMACompressor,
    ".bz2": bz2.BZ2Compressor,
}
