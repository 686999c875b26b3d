"""One connection frame by frame: who said what when, what happened, and what was waited for."""

from __future__ import annotations

from analyzer.follow.flow import Flow
from analyzer.follow.lookup import flow_number, flow_row
from analyzer.follow.reading import follow

__all__ = ["Flow", "flow_number", "flow_row", "follow"]
