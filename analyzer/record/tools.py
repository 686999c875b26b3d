"""The programs of a host: which are there, how to get those that are not, and what one prints."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Sequence

from analyzer.record.namespace import RecordError

TIMEOUT_S = 30.0
_PACKAGES = {"tcpdump": "tcpdump", "dumpcap": "wireshark-common", "ip": "iproute2", "ss": "iproute2"}
_OTHER_NAMES = {"dumpcap": "wireshark-cli", "ip": "iproute", "ss": "iproute"}
_ADMIN = "/usr/local/sbin:/usr/sbin:/sbin"  # where programs of administrators are; not on everybody's path


def path_of(program: str) -> str:
    """Where a program is; empty where it is not installed."""
    return shutil.which(program) or shutil.which(program, path=_ADMIN) or ""


def capturer(wanted: str = "") -> str:
    """The program that captures: the one that is `wanted`, else tcpdump or dumpcap. Raises RecordError without one."""
    found = next((name for name in ([wanted] if wanted else ["tcpdump", "dumpcap"]) if path_of(name)), "")
    if not found:
        missing = wanted or "tcpdump"
        raise RecordError(missing, "not installed", installing(missing))
    return found


def needed() -> None:
    """Raise RecordError where nothing can be recorded here at all."""
    if platform.system() != "Linux":
        raise RecordError("record", f"needs Linux, and this is {platform.system()}", "capture with tcpdump")
    if not path_of("ip"):
        raise RecordError("ip", "not installed, and it tells the addresses of this host", installing("ip"))


def installing(program: str) -> str:
    """How to install a program here."""
    package = _PACKAGES[program]
    for manager, command in (("apt-get", "apt-get install"), ("apk", "apk add"), ("zypper", "zypper install")):
        if path_of(manager):
            return f"install it: {command} {package}"
    return f"install it: dnf install {_OTHER_NAMES.get(program, package)}"


def printed(*command: str) -> str | None:
    """What a program prints; None where it is not there, fails, or takes half a minute."""
    path = path_of(command[0])
    if not path:
        return None
    try:
        # A group of its own: Ctrl-C is for the recording, which ends when this is done.
        done = subprocess.run(
            [path, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
            process_group=0,
            env={"PATH": _ADMIN + ":/usr/bin:/bin", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def version(*command: str) -> str:
    """The first line that a program says of itself; empty without it."""
    text = printed(*command) or ""
    return text.strip().split("\n")[0]


def first_printed(*commands: Sequence[str]) -> str | None:
    """What the first of these commands prints that this host knows: older programs lack some options."""
    return next((text for command in commands if (text := printed(*command)) is not None), None)
