"""What people name -> the capture files that it stands for: a file, a bundle, a report of a support tool, any other folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyzer.capture.bundle import Host, host_of
from analyzer.capture.packed import folder_of
from analyzer.capture.same import Named
from analyzer.capture.support import captures_in, report_of
from analyzer.capture.where import is_here, named
from analyzer.errors import CaptureError
from analyzer.parts import CAPTURE_PATTERNS

MOST_NAMED = 3
Places = dict[str, tuple[str, Host | None]]


def all_files(paths: Sequence[str]) -> tuple[Places, list[str]]:
    """The capture files that the paths stand for, each once, with the path and the host of its bundle; and what is said of those that were named again, or lie beside.

    A report without any goes with another that has some.
    """
    found: Places = {}
    known = Named()
    missing: list[CaptureError] = []
    notes = []
    beside: dict[str, str] = {}
    for path in map(named, paths):
        try:
            files = capture_files(path)
            beside |= dict.fromkeys(_beside(path, files), path)
        except CaptureError as error:
            if report_of(path) is None:
                raise
            missing.append(error)
            continue
        host = host_of(path) if is_here(path) else None
        for file in files:
            if file == "-" and file in found:
                raise CaptureError("-", "standard input named twice", "name it once")
            before = known.same_as(file)
            if before:
                what = f"is the same as {before}" if file != before else "was named twice"
                notes.append(f"{file} {what}, and read once")
            else:
                found[file] = path, host
                known.add(file)
    if missing and not found:
        raise missing[0]
    left = [(file, path) for file, path in beside.items() if not known.same_as(file)]
    if left:
        names = ", ".join(Path(file).name for file, _ in left[:MOST_NAMED]) + (
            ", ..." if len(left) > MOST_NAMED else ""
        )
        notes.append(
            f"not read: {names} in {left[0][1]}, beside the captures of a bundle (capture*.pcap); name a file to read it"
        )
    return found, notes


def _beside(path: str, files: Sequence[str]) -> list[str]:
    """Captures in the folder of a bundle that are not called as its own are."""
    if path == "-" or not is_here(path):
        return []
    folder = Path(folder_of(path))
    if not folder.is_dir() or not any(next(folder.glob(pattern), None) for pattern in CAPTURE_PATTERNS):
        return []
    return sorted({*captures_in(folder)} - {*files})


def capture_files(path: str) -> list[str]:
    """The capture files that `path` stands for: itself, or those of a bundle (a folder, or packed), of a report of a support tool, or of any other folder."""
    path = folder_of(path) if is_here(path) else path
    if path == "-" or not Path(path).is_dir():
        return [path]
    found = sorted({str(file) for pattern in CAPTURE_PATTERNS for file in Path(path).glob(pattern) if file.is_file()})
    if not found and (report := report_of(path)):
        if not report.captures:
            raise report.without_capture()
        return report.captures
    found = found or captures_in(Path(path))
    if not found:
        inside = sorted({str(file.parent) for pattern in CAPTURE_PATTERNS for file in Path(path).glob(f"*/{pattern}")})
        todo = f"name one of {', '.join(inside)}" if inside else "name a capture file, or a directory that holds some"
        raise CaptureError(path, "a directory without a capture", todo)
    return found


def alone(paths: Sequence[str]) -> list[str]:
    """What of these paths is to be read for itself, where they are not one capture: files, bundles, and the files of other folders."""
    found = []
    for path in map(named, paths):
        files = capture_files(path)
        bundle = inside_bundle(path) if len(files) > 1 else True
        found += [path] if bundle else files
    return found


def inside_bundle(path: str) -> bool:
    """Is it a folder of one host, whose captures belong together: a bundle, or a report of a support tool?"""
    folder = Path(folder_of(path))
    named = any(next(folder.glob(pattern), None) is not None for pattern in CAPTURE_PATTERNS)
    return named or report_of(path) is not None
