"""The programs that give a second opinion: where they are, which version, and how to have them."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from importlib.metadata import version
from typing import Any

from analyzer.capture.where import is_here, named
from analyzer.errors import UsageError

EXTRA = "pip install 'tcpcap[crosscheck]'"


def refuse_elsewhere(path: str) -> None:
    """Raise UsageError for what none of them can open: a URL."""
    if not is_here(path):
        raise UsageError(named(path), "tshark reads files of this machine only", "copy the capture here first")


def tshark_version() -> str:
    """Such as `4.0.17`. Raises UsageError where tshark is not installed."""
    program = shutil.which("tshark")
    if program is None:
        raise UsageError("tshark", "not installed", "install it (apt install tshark, dnf install wireshark-cli)")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    words = done.stdout.split()
    return next((word.rstrip(".") for word in words if word[:1].isdigit()), "of unknown version")


def library(name: str) -> tuple[Any, str]:
    """The module dpkt or pyshark, and its version. Raises UsageError where it is not installed."""
    try:
        return importlib.import_module(name), version(name)
    except ImportError:
        raise UsageError(name, "not installed", EXTRA) from None
