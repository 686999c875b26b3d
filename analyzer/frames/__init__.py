"""Bytes -> packet rows with their checksums verified: reading, decoding and verifying in one pass over the frames."""

from analyzer.frames.reader import FrameReader

__all__ = ["FrameReader"]
