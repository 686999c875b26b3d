"""What support tools leave: the folder of a sosreport or of supportconfig, in which captures, counters, sockets and settings lie."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from analyzer.capture import pcap, pcapng, snoop
from analyzer.capture.compression import compression_of
from analyzer.errors import CaptureError
from analyzer.fields import of_fields
from analyzer.patterns import regex

MAX_TEXT = 64 << 20
_CAPTURE = regex(r"\.(?:pcap|pcapng|cap|snoop|dmp)(?:\d*|[._-][\w.-]+)$", re.IGNORECASE)
_NO_CAPTURES = ("proc", "sys", "sos_logs", "sos_reports")
_NETWORKING = "sos_commands/networking"
_COUNTERS = ("proc/net/snmp", "proc/net/netstat", "proc/net/snmp6", f"{_NETWORKING}/netstat_-s")
# Each kind of list in the order in which it is taken: the first that is there tells most.
_SOCKETS = (f"{_NETWORKING}/ss_-*", f"{_NETWORKING}/netstat_-*n*", "proc/net/tcp*")
_NO_SOCKETS = regex(r"netstat_-\w*[gsri]|ss_-s$")  # groups, statistics, routes, interfaces, totals
_SETTINGS = "sos_commands/kernel/sysctl_-a"
_UNAME = ("uname", "sos_commands/kernel/uname_-a")
_NAME = ("hostname", "sos_commands/host/hostname", "sos_commands/general/hostname", "etc/hostname")
_LINKS = ("ip_-d_address", "ip_-s_-d_link", "ip_addr*", "ip_-o_addr", "ifconfig*")
_NOT_THERE = regex(r"\A\S.*(?:command not found|not found$|No such file or directory)", re.MULTILINE)
_SECTION = regex(r"^#==\[ (.*?) \]=+#?\s*\n#\s*(.*)\n", re.MULTILINE)
_SECTION_OF_SETTINGS = regex(r"(?:/\S*/)?sysctl -a")
_SECTION_OF_LINKS = regex(r"(?:/\S*/)?(?:ip (?:-\S+ )*a(?:ddr)?\b|ifconfig)")
_SECTION_OF_NAME = regex(r"(?:/\S*/)?uname -a")


@of_fields(frozen=True)
class Report:
    """A folder of a support tool. Paths are those of files that are there.

    Attributes
    ----------
    path : as it was named
    root : the folder in which everything lies: `path` itself, or the only folder in it that is one
    kind : sosreport or supportconfig
    """

    path: str
    root: Path
    kind: str

    @cached_property
    def captures(self) -> list[str]:
        """Files anywhere in it that are called captures and begin like one."""
        return sorted(str(file) for file in _walked(self.root) if _CAPTURE.search(file.name) and _is_capture(file))

    @cached_property
    def counters(self) -> list[str]:
        """Files with counters of the kernel."""
        names = _COUNTERS if self.kind == "sosreport" else ("network.txt",)
        return [str(self.root / name) for name in names if _has_output(self.root / name)]

    @cached_property
    def sockets(self) -> list[str]:
        """Files with lists of sockets: of all sorts the one that tells most."""
        if self.kind == "supportconfig":
            return self.counters
        for pattern in _SOCKETS:
            files = (file for file in sorted(self.root.glob(pattern)) if not _NO_SOCKETS.match(file.name))
            found = [str(file) for file in files if _has_output(file)]
            if found:
                return found if "proc" in pattern else sorted(found, key=len)[-1:]
        return []

    @property
    def settings_text(self) -> str:
        """What `sysctl -a` printed; empty without it."""
        if self.kind == "sosreport":
            return _text(self.root / _SETTINGS)
        return self._section("env.txt", _SECTION_OF_SETTINGS)

    @property
    def settings_tree(self) -> Path | None:
        """A copy of /proc/sys, where there is one."""
        tree = self.root / "proc" / "sys"
        return tree if tree.is_dir() else None

    @property
    def name(self) -> str:
        """Name of the host; empty where nothing says it."""
        if self.kind == "sosreport":
            text = self._first(_NAME).strip()
            if text and len(text.split()) == 1:
                return text[:255]
        words = self._uname.split()
        return words[1][:255] if len(words) > 2 else ""

    @property
    def kernel(self) -> str:
        """Such as `Linux 5.14.0-503.el9.x86_64`."""
        words = self._uname.split()
        return f"{words[0]} {words[2]}" if len(words) > 2 else ""

    @property
    def links(self) -> str:
        """Text of `ip addr` or ifconfig."""
        if self.kind == "supportconfig":
            return self._section("network.txt", _SECTION_OF_LINKS)
        names = [str(file.relative_to(self.root)) for name in _LINKS for file in self._networking(name)]
        return "\n".join(_text(self.root / name) for name in names)

    def parts(self) -> str:
        """What was found in it, in words."""
        found = [
            f"{what} ({', '.join(str(Path(file).relative_to(self.root)) for file in files)})"
            for what, files in (("counters", self.counters), ("sockets", self.sockets))
            if files
        ]
        found += ["settings"] if self.settings_text or self.settings_tree else []
        return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found) or "nothing to read"

    def without_capture(self) -> CaptureError:
        """What to say where a capture is needed."""
        of = f" of {self.name}" if self.name else ""
        found = f"a {self.kind}{of} with {self.parts()}, but without a capture"
        return CaptureError(
            self.path, found, f"name a capture of that host with it: tcpcap analyze CAPTURE {self.path}"
        )

    @property
    def _uname(self) -> str:
        if self.kind == "sosreport":
            return self._first(_UNAME)
        return self._section("basic-environment.txt", _SECTION_OF_NAME)

    def _networking(self, pattern: str) -> list[Path]:
        return sorted(file for file in (self.root / _NETWORKING).glob(pattern) if file.is_file())

    def _first(self, names: tuple[str, ...]) -> str:
        """The text of the first of these files that has any."""
        return next((text for name in names if (text := _text(self.root / name)).strip()), "")

    def _section(self, name: str, command: re.Pattern[str]) -> str:
        """What a command printed, in a file of supportconfig."""
        text = _text(self.root / name)
        for found in _SECTION.finditer(text):
            if found[1] == "Command" and command.match(found[2]):
                end = _SECTION.search(text, found.end())
                return text[found.end() : end.start() if end else len(text)]
        return ""


def report_of(path: str | Path) -> Report | None:
    """The report that a folder is, or is all that lies in it; None for anything else."""
    folder = Path(path)
    if str(path) == "-" or not folder.is_dir():
        return None
    if kind := _kind_of(folder):
        return Report(str(path), folder, kind)
    try:
        inside = [(each, kind) for each in folder.iterdir() if each.is_dir() and (kind := _kind_of(each))]
    except OSError:  # it may not be listed: whoever reads it says so
        return None
    return Report(str(path), *inside[0]) if len(inside) == 1 else None


def _kind_of(folder: Path) -> str:
    if (folder / "sos_commands").is_dir() or any((folder / name).is_file() for name in _COUNTERS):
        return "sosreport"
    return "supportconfig" if (folder / "network.txt").is_file() else ""


def captures_in(folder: Path) -> list[str]:
    """The files in a folder, not below it, that are called captures or nothing else, and begin like one."""
    try:
        files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError:  # it may not be listed
        return []
    return [str(file) for file in files if _is_capture(file, packed=bool(_CAPTURE.search(file.name)))]


def _walked(root: Path) -> Iterator[Path]:
    """All files, without those that were copied of the kernel's own trees."""
    for folder, folders, files in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name not in _NO_CAPTURES]
        yield from (Path(folder, name) for name in files)


def _is_capture(file: Path, packed: bool = True) -> bool:
    """Does it begin like a capture, or (`packed`) like something compressed?"""
    try:
        with file.open("rb") as opened:
            head = opened.read(64)
    except OSError:  # not for this user; what is read is said
        return False
    return bool(
        pcap.magic_of(head) or head.startswith((pcapng.MAGIC, snoop.MAGIC)) or (packed and compression_of(head))
    )


def _has_output(file: Path) -> bool:
    """Did the tool print something but that it is not there?"""
    head = _text(file, 200)
    return bool(head.strip()) and not _NOT_THERE.search(head)


def _text(file: Path, size: int = MAX_TEXT) -> str:
    """The text of a file; empty where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(size).decode("utf-8", errors="replace")
    except OSError:  # a link to a file that was not collected
        return ""
