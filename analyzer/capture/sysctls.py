"""Settings of a host: `sysctl -a`, a tree of /proc/sys, or host.json -> names as sysctl prints them, and values."""

from __future__ import annotations

import json
from pathlib import Path

from analyzer.capture.bundle import host_of
from analyzer.capture.packed import folder_of
from analyzer.capture.support import report_of
from analyzer.errors import CaptureError
from analyzer.parts import HOST_FILE
from analyzer.patterns import regex

Sysctls = dict[str, str]
MAX_BYTES = 16 << 20
MAX_VALUE = 4096
BESIDE = ("sysctl", "sysctl.txt", "sysctl-a.txt", "sysctl_-a", "proc/sys")
"""Where settings lie in a folder beside a capture; the last as a tree."""
_LINE = regex(r"\s*([A-Za-z][\w-]*(?:\.[^\s=:]+)+)\s*=\s*(.*)")
_PATH_LINE = regex(r"(?:/proc/sys/)([A-Za-z][\w/.:-]*?)\s*[:=]\s*(.*)")  # grep . /proc/sys/net/ipv4/*


def sysctls_of(path: str) -> Sysctls:
    """The settings in a bundle: those of host.json, and what else lies there; those in a report of a support tool; none where `path` is no folder.

    Raises CaptureError where a file cannot be read.
    """
    path = folder_of(path)
    if path == "-" or not Path(path).is_dir():
        return {}
    found: Sysctls = {}
    if report := report_of(path):
        found = parse_sysctls(report.settings_text)
    for name in BESIDE:
        place = Path(path, name)
        if place.is_file() or (name == BESIDE[-1] and place.is_dir()):
            found |= read_sysctls(place)
    host = host_of(path)
    return found | (host.sysctls if host is not None else {})


def read_sysctls(path: str | Path) -> Sysctls:
    """The settings in a file of `sysctl -a` or a host.json, or below a folder that is or has proc/sys.

    Raises CaptureError where there is none, or it cannot be read.
    """
    place = Path(path)
    try:
        if place.is_dir():
            root = place / "proc" / "sys"
            found = _tree(root if root.is_dir() else place)
        else:
            with place.open("rb") as file:
                text = file.read(MAX_BYTES).decode("utf-8", errors="replace")
            found = _json(text) if place.name == HOST_FILE or text.lstrip().startswith("{") else parse_sysctls(text)
    except OSError as error:
        raise CaptureError(str(path), f"cannot be read ({error.strerror or error})", "check its path") from error
    if not found:
        todo = "it can be text of `sysctl -a`, a copy of /proc/sys, or a host.json"
        raise CaptureError(str(path), "no settings", todo)
    return found


def parse_sysctls(text: str) -> Sysctls:
    """The settings in text of `sysctl -a`, of a sysctl.conf, or of `grep . /proc/sys/...`."""
    found: Sysctls = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            found[match[1]] = _value(match[2])
        elif match := _PATH_LINE.match(line):
            found[_name(match[1].split("/"))] = _value(match[2])
    return found


def _tree(root: Path) -> Sysctls:
    found: Sysctls = {}
    for file in sorted(root.rglob("*")):
        if file.is_symlink() or not file.is_file():
            continue
        try:
            with file.open("rb") as opened:
                raw = opened.read(MAX_VALUE)
        except OSError:  # some can only be written, or are root's
            continue
        found[_name(file.relative_to(root).parts)] = _value(raw.decode("utf-8", errors="replace"))
    return found


def _json(text: str) -> Sysctls:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    known = body.get("sysctls", body) if isinstance(body, dict) else None
    if not isinstance(known, dict):
        return {}
    return {str(name): _value(value) for name, value in known.items() if isinstance(value, str) and "." in str(name)}


def _name(parts: list[str] | tuple[str, ...]) -> str:
    """net/ipv4/conf/eth0.1/forwarding -> net.ipv4.conf.eth0/1.forwarding, as sysctl writes it."""
    return ".".join(part.replace(".", "/") for part in parts)


def _value(text: str) -> str:
    """Numbers of one setting stand with one space between them, whatever printed them."""
    return " ".join(text[:MAX_VALUE].split())
