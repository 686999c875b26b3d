"""Packet rows and their bytes -> which checksums are right, offloaded, corrupt or unverifiable, and what that means."""

from __future__ import annotations

from analyzer.checksums.capture_host import CaptureHost
from analyzer.checksums.checker import Checker
from analyzer.checksums.result import Checksums

__all__ = ["CaptureHost", "Checker", "Checksums"]
