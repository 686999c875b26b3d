"""Packet rows as the file holds them -> in order of time: each interface writes its frames at its own pace."""

from analyzer.ordering.order import FileOrder, TimeOrder

__all__ = ["FileOrder", "TimeOrder"]
