"""Bytes -> record batches. Knows files, compression and interfaces; knows no protocol."""

from analyzer.capture.capture import Capture
from analyzer.capture.records import Damage, FileInfo, Interface, Interfaces, RecordBatch

open_capture = Capture

__all__ = ["Capture", "Damage", "FileInfo", "Interface", "Interfaces", "RecordBatch", "open_capture"]
