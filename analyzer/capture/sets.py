"""Several files read as one capture: are they one? Sets that a capture program rotated are; of others it is said what was assumed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from analyzer.capture.records import FileInfo
from analyzer.patterns import regex
from analyzer.text import duration_text, printable

OVERLAP_NS = 1_000_000_000  # a rotated file may begin with frames of other processors, which are a little older
APART_NS = 3600 * 1_000_000_000
EACH = "--each answers for each file alone"
_SUFFIX = regex(r"\.(?:gz|zst|lz4|xz|bz2)$", re.IGNORECASE)
_NUMBERS = regex(r"\d+")


def doubts(files: Sequence[FileInfo]) -> Iterator[str]:
    """What speaks against it that these files are one capture, a sentence each; nothing where they are a set."""
    named: dict[str, None] = dict.fromkeys(each.host for each in files if each.host)
    if len(named) > 1:
        hosts = " and ".join(printable(name) for name in [*named][:3])
        yield f"captures of different hosts ({hosts}) were read as one, in order of time; {EACH}"
        return
    used = sorted((each for each in files if each.frames), key=lambda each: (each.first_ns, each.path))
    if len(used) < 2:
        return
    overlapping = _overlapping(used)
    one = is_set([each.path for each in used])
    bundle = len({each.origin for each in used}) == 1 and used[0].host
    if overlapping and not bundle:
        first, second, length = overlapping
        yield (
            f"{_names(first, second)} overlap in time (by {duration_text(length)}) and were read as one capture, as of one host with "
            f"several interfaces; if they are of different hosts, {EACH}"
        )
    elif not one and not bundle:
        yield f"{len(used):,} files whose names tell no set were read as one capture, in order of time; {EACH}"
    if set(map(_links, used)) != {_links(used[0])} and not overlapping:
        yield f"the files are of different link layers or interfaces, and were read as one capture; {EACH}"
    for before, after in pairwise(used):
        if after.first_ns - before.last_ns > APART_NS:
            yield (
                f"{_names(before, after)} are {duration_text(after.first_ns - before.last_ns)} apart, and were read as one capture: connections "
                f"that ended between them seem open; {EACH}"
            )
            break


def is_set(paths: Sequence[str]) -> bool:
    """Are the names those of one set that a capture program rotated: in one folder, and different in numbers only?

    tcpdump writes `base`, `base1`, `base2` or `base00`, `base01` (-C, -W) or times (-G); dumpcap and Wireshark
    `base_00001_20260301120000.pcapng`, since 4.4 `base_20260301120000_00001.pcapng`.
    """
    folders = {Path(path).parent for path in paths}
    stems = {_NUMBERS.sub("#", re.sub(r"\d+$", "", _SUFFIX.sub("", Path(path).name))) for path in paths}
    return len(folders) == 1 and len(stems) == 1 and len(set(paths)) == len(paths)


def _links(file: FileInfo) -> tuple[tuple[int, str], ...]:
    return file.links


def _names(first: FileInfo, second: FileInfo) -> str:
    return f"{printable(first.path)} and {printable(second.path)}"


def _overlapping(files: Sequence[FileInfo]) -> tuple[FileInfo, FileInfo, int] | None:
    """The first two files, in order of time, that run at the same time for longer than a rotation takes, and for how long."""
    latest = files[0]
    for file in files[1:]:
        length = min(latest.last_ns, file.last_ns) - file.first_ns
        if length > OVERLAP_NS:
            return latest, file, length
        latest = max(latest, file, key=lambda each: each.last_ns)
    return None
