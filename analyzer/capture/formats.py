"""A file -> the reader of its format, which is recognised by content."""

from __future__ import annotations

from analyzer.capture import pcap, pcapng, snoop
from analyzer.capture.file import CaptureFile
from analyzer.capture.foreign import LOOK_AT, unreadable
from analyzer.capture.opened import open_source
from analyzer.capture.records import Damage, Interfaces
from analyzer.capture.source import HEAD, Source
from analyzer.errors import CaptureError


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
        return CaptureError(source.path, source.broken, source.again)
    if not head:
        return CaptureError(
            source.path, f"an empty file, {source.compression}-compressed", "was the capture written at all?"
        )
    return unreadable(source.path, head)
