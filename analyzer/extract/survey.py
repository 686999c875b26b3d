"""One pass over a capture: which frames there are, when, of which flows, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analyzer.capture import Interface, open_capture
from analyzer.checksums import Checker
from analyzer.choose import Choice
from analyzer.events.judge import Judge
from analyzer.fields import of_fields
from analyzer.flows import FlowTracker
from analyzer.passes import EXPORT_BATCH_FRAMES, Progress, chooser_of, decoded
from analyzer.schema import Rows
from analyzer.tables import EVENTS, PACKETS

FRAME = np.dtype([(name, PACKETS.dtype[name]) for name in ("frame", "time_ns", "flow", "interface", "checksum", "ip_header_checksum")])  # fmt: skip


@of_fields(frozen=True, slots=True)
class Survey:
    """`frames` (FRAME) in order of their numbers, `events` (EVENTS) in order of their frames, and the interfaces of the whole capture."""

    frames: Rows
    events: Rows
    interfaces: Sequence[Interface]

    def mask(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of the frames have these numbers."""
        return np.isin(self.frames["frame"], numbers)

    def events_of(self, frame: int) -> Rows:
        """Those of a frame."""
        first, behind = np.searchsorted(self.events["frame"], [frame, frame + 1])
        return self.events[first:behind]


def surveyed(paths: Sequence[str], progress: Progress | None = None) -> Survey:
    """Read the whole capture: verdicts rest on all of it, whatever is cut out."""
    tracker = FlowTracker()
    judge = Judge(tracker, keep=True)
    frames, events = [np.zeros(0, FRAME)], [np.zeros(0, EVENTS.dtype)]
    with open_capture(list(paths), batch_frames=EXPORT_BATCH_FRAMES) as capture:
        for rows in decoded(capture, Checker()):
            for part in tracker.follow(rows):
                for _, found in judge.judged(part):
                    events.append(found.copy())
                kept = np.zeros(len(part), FRAME)
                for name in FRAME.names or ():
                    kept[name] = part[name]
                frames.append(kept)
            if progress is not None:
                progress(capture)
        events += [found.copy() for found in judge.finish()]
        interfaces = list(capture.interfaces)
    together, said = np.concatenate(frames), np.concatenate(events)
    together.sort(order="frame")
    return Survey(together, said[np.argsort(said["frame"], kind="stable")], interfaces)


def frames_of(paths: Sequence[str], choice: Choice, progress: Progress | None = None) -> npt.NDArray[np.int64]:
    """The numbers of the frames that are asked for."""
    found = [np.zeros(0, np.int64)]
    with open_capture(list(paths), batch_frames=EXPORT_BATCH_FRAMES) as capture:
        for rows in decoded(capture, None, chooser=chooser_of(choice)):
            found.append(rows["frame"].copy())
            if progress is not None:
                progress(capture)
    return np.concatenate(found)
