"""A range of a capture -> the rows of its flows in shares, and beside them all that needs no flow: counts, checksums, ICMP errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.capture.pcapng import PcapngFile
from analyzer.capture.where import named
from analyzer.checksums import Checker
from analyzer.checksums.joined import is_waiting, too_many
from analyzer.cluster import arrays
from analyzer.cluster.openings import OPENING, openings_of
from analyzer.cluster.ranges import Range, RangeFile
from analyzer.cluster.shares import ShareWriter
from analyzer.errors import CaptureError
from analyzer.events.icmp import QUOTED
from analyzer.frames import FrameReader
from analyzer.output import whole_folder
from analyzer.presence import Presence
from analyzer.schema import Rows
from analyzer.summary import Summary
from analyzer.tables import PACKETS

DIRECTIONS, OPENINGS, QUOTING = "directions", "openings", "quoting"


def scatter(
    given: dict[str, Any],
    shares: int,
    checking: bool,
    addresses: Sequence[str],
    folder: str,
    sealed: bool = False,
    whole: bool = False,
) -> dict[str, Any]:
    """Read a range (as `Range.plain` says it) and write all that there is to know of it into `folder`, which appears when it is complete.

    `addresses` are looked for in its frames; rows are written `whole` where counters are predicted. Returns what `arrays.read_facts` reads there: where the first record begins and what
    follows the last ends (`start` None where there is none), how many frames there are, what is `pending` and may go on in the
    next range (empty: nothing), whether a frame is earlier than the one before (`back`), the first and the last of their `times`, and `reason`, why the range cannot be judged in parts.
    """
    with whole_folder(Path(folder)) as draft, ShareWriter(draft, shares, whole=whole) as writer:
        reading = _Reading(Range.of(given), checking, addresses, writer)
        facts = reading.run()
        arrays.write(draft, facts, reading.found(), sealed=sealed)
    return facts


class _Reading:
    """One range while it is read."""

    def __init__(self, wanted: Range, checking: bool, addresses: Sequence[str], writer: ShareWriter) -> None:
        self._wanted = wanted
        self._summary, self._presence = Summary(), Presence(addresses)
        self._checker = Checker()
        self._reader = FrameReader(self._checker if checking else None)
        self._writer = writer
        self._back, self._latest = False, np.zeros(0, np.int64)
        self._openings = [np.zeros(0, OPENING)]
        self._quoting = [np.zeros(0, PACKETS.dtype)]

    def run(self) -> dict[str, Any]:
        """Read it."""
        opened = RangeFile(self._wanted)
        file = opened.file
        try:
            known, sections = len(file.interfaces), _sections(file)
            begun = opened.begin()
            if begun is not None:
                for rows in opened.rows(self._reader):
                    self._add(rows, opened.known, len(file.interfaces))
                file.finish()
            self._writer.close()
            changed = (known, sections) != (len(file.interfaces), _sections(file))
            if self._wanted.whole:  # nobody has looked which there are
                changed = any(each.after for each in file.interfaces) or _sections(file) > sections
            return {
                "start": begun,
                "end": opened.source.position if begun is not None else None,
                "frames": file.frames,
                "damages": [asdict(each) for each in opened.damages],
                "notes": file.info.notes,
                "times": [self._summary.total("first_ns"), self._summary.total("last_ns")],
                "interfaces": [asdict(each) for each in file.interfaces],
                "drops": [each.drops for each in file.interfaces],
                "statistics": [each.statistics for each in file.interfaces],
                "missing": self._presence.missing(),
                "pending": self._pending(),
                "back": self._back,
                "reason": self._reason(changed),
            }
        except CaptureError as error:
            raise CaptureError(named(self._wanted.path), error.found, error.todo) from None
        finally:
            opened.close()

    def found(self) -> dict[str, npt.NDArray[Any]]:
        """What goes into files."""
        return {
            **self._summary.counts(),
            DIRECTIONS: self._checker.directions,
            OPENINGS: np.concatenate(self._openings),
            QUOTING: np.concatenate(self._quoting),
        }

    def _add(self, rows: Rows, known: int, interfaces: int) -> None:
        if self._summary.add(rows, known) & QUOTED:
            self._quoting.append(rows[rows["layers"] & QUOTED > 0])
        self._presence.add(rows)
        if interfaces > 1 and not self._back and len(rows):
            times = np.concatenate([self._latest, rows["time_ns"]])
            self._back = bool((times[1:] < times[:-1]).any())
            self._latest = times[-1:]
        opening = self._writer.add(rows)
        if len(opening):
            self._openings.append(openings_of(rows[opening]))

    def _reason(self, changed: bool) -> str:
        """Why what follows from these frames hangs on the whole capture; empty where it does not."""
        summary = self._summary
        if changed:
            return "interfaces are described in the middle of the file"
        if summary.total("regressions") or summary.total("joins"):
            return "the capture clock goes back"
        return too_many(len(self._checker.directions), int(self._checker.others["frames"][0]))

    def _pending(self) -> str:
        """What is not complete, and would be with the next range."""
        if self._reader.is_waiting(self._summary.total("last_ns")):
            return "fragments of IP datagrams are missing"
        return "what became of wrong checksums does not show" if is_waiting(self._checker) else ""


def _sections(file: Any) -> int:
    return file.sections if isinstance(file, PcapngFile) else 1
