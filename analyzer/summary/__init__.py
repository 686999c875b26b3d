"""Packet rows -> what the capture holds: frames, bytes, times, protocols, and what could not be decoded."""

from __future__ import annotations

from analyzer.summary.summary import ETHERTYPES, IP_PROTOCOLS, Share, Summary

__all__ = ["ETHERTYPES", "IP_PROTOCOLS", "Share", "Summary"]
