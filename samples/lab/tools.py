"""What recording needs from a machine: what is missing, and the versions of what is there."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

NEEDED = ("ip", "ss", "ethtool", "tcpdump")


def missing() -> str:
    """What this machine lacks to record, in one line; empty if nothing."""
    if platform.system() != "Linux":
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root, for network namespaces and captures"
    if absent := [tool for tool in NEEDED if shutil.which(tool) is None]:
        return f"needs the tools {', '.join(absent)}"
    return "" if Path("/dev/net/tun").exists() else "needs /dev/net/tun (load the kernel module tun)"


def kernel() -> str:
    """The kernel and its release."""
    return f"{platform.system()} {platform.release()}"


def version(*command: str) -> str:
    """The first line that a tool says about its version; empty without the tool."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0]
