"""A bundle: the folder that holds a capture with what was recorded beside it (counters, sockets, the host itself).

The folder of a support tool is one, too: what it says of its host is said as host.json says it.
"""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

from analyzer.capture.links import interfaces_in
from analyzer.capture.packed import folder_of
from analyzer.capture.support import Report, captures_in, report_of
from analyzer.capture.where import files_in
from analyzer.errors import CaptureError
from analyzer.fields import of_fields
from analyzer.output import Input
from analyzer.parts import BESIDE, CAPTURE_PATTERNS, COUNTERS_FILE, HOST_FILE, SOCKETS_FILE
from analyzer.patterns import regex
from analyzer.text import shown

MAC = regex("[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
MAX_HOST_BYTES = 16 << 20
LEAST_MTU, MOST_MTU = 68, 1 << 31  # of IPv4, and more than any link has


@of_fields(frozen=True, slots=True)
class Recording:
    """What host.json says of how it was recorded: what the files of frames do not."""

    interface: str = ""
    filter: str = ""
    dropped: int = -1  # frames that were lost for want of room; -1 where it is not said
    unfinished: str = ""  # why the recording was not brought to its end; empty where it was


@of_fields(frozen=True, slots=True)
class Host:
    """What `host.json` (or a report of a support tool) says of the host that recorded: its name, its kernel, the addresses of its interfaces, its settings."""

    path: str
    name: str
    kernel: str
    addresses: tuple[str, ...]
    mtu: int  # the largest of its interfaces but loopback, 0 where it is not said
    sysctls: dict[str, str]  # below /proc/sys, such as `net.ipv4.ip_forward`
    interfaces: tuple[tuple[str, tuple[str, ...]], ...] = ()  # the name of each, and its addresses
    notes: tuple[str, ...] = ()  # what in it was passed over, a sentence each
    known_from: str = HOST_FILE  # or sosreport, supportconfig
    recording: Recording | None = None
    macs: tuple[int, ...] = ()  # of its interfaces, but for loopback and tunnels, which have none


def part_of(path: str, *names: str) -> str | None:
    """The file of one of these names in the bundle at `path`, the first that is there; None where there is none, or `path` is no bundle.

    Snapshots of a recording that ended before it took one are none: see `_unbegun`.
    """
    folder = Path(folder_of(path))
    if path == "-" or not folder.is_dir():
        return None
    found = (folder / name for name in names if (folder / name).is_file() and not _unbegun(folder / name))
    return next(map(str, found), None)


def _unbegun(file: Path) -> bool:
    """Is it an empty file, as `tcpcap record` makes it before it takes its first snapshot?"""
    return file.name in (COUNTERS_FILE, SOCKETS_FILE) and file.is_file() and not file.stat().st_size


def inputs(*paths: str | Path) -> list[Input]:
    """All that is read where these paths are read, and the bundles that they are part of: nothing may be written over it.

    Of a folder, what a bundle is made of; what else lies in it is not read, unless it is a folder of captures of other names.
    """
    parts = (*CAPTURE_PATTERNS, *BESIDE)
    found = []
    for path in (file for each in paths for file in files_in(str(each))):
        if path == "-":
            found.append(Input(path))
        elif Path(path).is_dir():
            found.append(Input(path, parts))
            found += map(Input, () if _holds_capture(path) else captures_in(Path(path)))
            if report := report_of(path):
                found += map(Input, (*report.captures, *report.counters, *report.sockets))
        else:
            found.append(Input(path))
            folder = str(Path(path).parent)
            found += [Input(folder, parts)] if _is_bundle(folder) else []
    return found


def _is_bundle(folder: str) -> bool:
    """Does a capture lie there with something beside it?"""
    return any(part_of(folder, name) for name in BESIDE) and _holds_capture(folder)


def _holds_capture(folder: str) -> bool:
    """Does a file lie there that is called as the captures of bundles are?"""
    return any(next(Path(folder).glob(pattern), None) is not None for pattern in CAPTURE_PATTERNS)


def host_of(path: str) -> Host | None:
    """The host of the bundle at `path`; None where there is no host.json, and it is no report. Raises CaptureError where it is damaged."""
    file = part_of(path, HOST_FILE)
    if file is None:
        report = report_of(path)
        return None if report is None else _reported(report)
    todo = "mend it, or remove it and name the host with --host"
    try:
        if Path(file).stat().st_size > MAX_HOST_BYTES:
            raise CaptureError(file, "a host.json of more than 16 MB", todo)
        content = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise CaptureError(file, f"cannot be read ({error.strerror or error})", todo) from None
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CaptureError(file, f"cannot be read as JSON ({error})", todo) from None
    if not isinstance(content, dict):
        raise CaptureError(file, "not a JSON object", todo)
    interfaces = tuple(
        (_text(each.get("name")), tuple(_addresses(each)))
        for each in _list(content.get("interfaces"))
        if isinstance(each, dict)
    )
    addresses = tuple(text for _, own in interfaces for text in own)
    known = content.get("sysctls")
    sysctls = {str(name): _setting(value) for name, value in known.items()} if isinstance(known, dict) else {}
    mtu, notes = _mtu(content, file)
    recording = _recording(content.get("recording"))
    if recording is not None and recording.unfinished:
        notes = (*notes, f"{file}: {recording.unfinished}")
    empty = filter(_unbegun, (Path(file).parent / name for name in (COUNTERS_FILE, SOCKETS_FILE)))
    notes = (*notes, *(f"{each}: empty: the recording ended before it took its first snapshot" for each in empty))
    name, kernel = _text(content.get("hostname")), _text(content.get("kernel"))
    macs = tuple(dict.fromkeys(mac for each in _list(content.get("interfaces")) if (mac := _mac(each))))
    return Host(shown(file), name, kernel, addresses, mtu, sysctls, interfaces, notes, recording=recording, macs=macs)


def _mac(interface: Any) -> int:
    """The MAC address of an interface as a number; 0 without one."""
    text = _text(interface.get("mac")) if isinstance(interface, dict) else ""
    return int(text.replace(":", ""), 16) if MAC.fullmatch(text) else 0


def _recording(content: Any) -> Recording | None:
    """What is known of the recording; None where nothing is."""
    if not isinstance(content, dict):
        return None
    dropped, why = content.get("dropped"), ""
    if "ended" in content and content["ended"] is None:
        why = "the recording was not brought to its end (it still runs, or it was killed): its last seconds may be missing"
    elif content.get("cut") is True:
        why = f"the recording ended early: {_text(content.get('ended_by'))[:200] or 'it is not said why'}"
    interface, told = (_text(content.get(name))[:1000] for name in ("interface", "filter"))
    return Recording(interface, told, dropped if type(dropped) is int and dropped >= 0 else -1, why)


def _reported(report: Report) -> Host:
    """The host that a support tool was run on; its settings are read where they are needed."""
    found = interfaces_in(report.links)
    interfaces = tuple((name, tuple(_addresses({"addresses": each.addresses}))) for name, each in found.items())
    addresses = tuple(text for _, own in interfaces for text in own)
    mtus = [each.mtu for name, each in found.items() if name != "lo" and LEAST_MTU <= each.mtu <= MOST_MTU]
    return Host(
        str(report.root), report.name, report.kernel, addresses, max(mtus, default=0), {}, interfaces, (), report.kind
    )


def _mtu(content: dict[str, Any], file: str) -> tuple[int, tuple[str, ...]]:
    """The largest MTU of the interfaces but loopback, 0 without any; and what is none."""
    largest, notes = 0, []
    for each in _list(content.get("interfaces")):
        mtu = each.get("mtu") if isinstance(each, dict) and each.get("name") != "lo" else None
        if type(mtu) is int and LEAST_MTU <= mtu <= MOST_MTU:
            largest = max(largest, mtu)
        elif mtu is not None:
            notes.append(f"{file}: an interface with an mtu of {str(mtu)[:40]}, which none has: passed over")
    return largest, tuple(notes)


def _addresses(interface: Any) -> list[str]:
    """The addresses of an interface, without their prefix lengths; what is no address is passed over."""
    found = []
    for text in _list(interface.get("addresses") if isinstance(interface, dict) else None):
        try:
            found.append(str(ipaddress.ip_address(_text(text).partition("/")[0].partition("%")[0])))
        except ValueError:
            continue
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _setting(value: Any) -> str:
    """A setting as text; those who write JSON by hand write numbers."""
    return str(value) if type(value) is int else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
