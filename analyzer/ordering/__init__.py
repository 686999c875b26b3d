"""Packet rows as the file holds them -> in order of time: the interfaces of a capture write their frames each at its own pace."""

from analyzer.ordering.order import FileOrder, TimeOrder

__all__ = ["FileOrder", "TimeOrder"]
