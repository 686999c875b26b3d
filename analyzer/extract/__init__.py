"""Frames cut out of a capture into a pcapng file, with what is said of them as comments; anonymised where that is wished."""

from analyzer.extract.cut import Cut, extract

__all__ = ["Cut", "extract"]
