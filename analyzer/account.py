"""What to know of a capture before its contents: files, interfaces, what was lost, and what cannot be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from analyzer.capture import Damage, FileInfo, Interface, Interfaces
from analyzer.capture.sets import doubts
from analyzer.decode.link import is_decoded, link_name
from analyzer.fields import of_fields
from analyzer.flows import FlowTracker
from analyzer.summary import Summary

SHOWN_DAMAGES = 3


@of_fields(frozen=True, slots=True)
class Account:
    """Where the frames came from, and how many of them there are."""

    files: list[FileInfo]
    interfaces: Interfaces
    damages: list[Damage]
    summary: Summary
    flows: FlowTracker
    recorder_drops: int | None = None  # frames that the recorder lost, by host.json
    notes: Sequence[str] = ()  # what is said of how it was asked for

    def as_dict(self) -> dict[str, Any]:
        """Files, interfaces, counts, protocols, drops and damages, as in `tcpcap analyze --json`."""
        return {
            "files": [_file_dict(file) for file in self.files],
            "interfaces": [
                _interface_dict(index, interface, self.summary.interface_frames(index))
                for index, interface in enumerate(self.interfaces)
            ],
            **self.summary.as_dict(),
            "drops": self.drops,
            "flows": self.flows.total,
            "left": dict(self.flows.left),
            "damages": [
                {"path": d.path, "offset": d.offset, "frame": d.frame, "what": d.what, "lost": d.lost}
                for d in self.damages
            ],
        }

    @property
    def drops(self) -> dict[str, int | None]:
        """Packets that the capture itself lost, as far as the file says, or else its recorder; None where nothing is said."""
        counted = [interface.drops for interface in self.interfaces if interface.drops]
        statistics = [interface.statistics for interface in self.interfaces]
        by_name = {name: [s[name] for s in statistics if name in s] for name in ("dropped", "os_dropped", "received")}
        result: dict[str, int | None] = {"packet_blocks": sum(counted) if counted else None}
        for name, values in by_name.items():
            result[f"interface_{name}"] = sum(values) if values else None
        if self.recorder_drops is not None and not any(value is not None for value in result.values()):
            result["counted_by_the_recorder"] = self.recorder_drops
        return result

    @property
    def is_opaque(self) -> bool:
        """Are all frames of link layers that are not decoded?"""
        frames = self.summary.total("frames")
        return frames > 0 and self.summary.stops.get("link_type", 0) == frames

    def warnings(self) -> Iterator[str]:
        """What the reader should know before trusting the rest, a sentence each."""
        summary = self.summary
        yield from self._damage_warnings()
        yield from self.notes
        yield from doubts(self.files)
        for file in self.files:
            for note in file.notes:
                yield f"{file.path}: {note}"
        if not any(file.frames for file in self.files):
            yield "the capture holds no frames"
        lost = sum(value or 0 for name, value in self.drops.items() if name != "interface_received")
        if lost:
            yield f"the capture itself dropped {lost:,} packets: what seems lost may only not have been captured"
        regressions = summary.total("regressions")
        if regressions:
            largest = summary.total("largest_regression_ns") / 1e9
            frame = summary.total("first_regression")
            times = "once" if regressions == 1 else f"{regressions:,} times"
            yield f"the capture clock steps back {times} (by up to {largest:.6f} s, first at frame {frame})"
        unknown = {i.link_type for i in self.interfaces if not is_decoded(i.link_type)}
        frames = summary.stops.get("link_type", 0)
        if unknown and frames:
            names = ", ".join(sorted(link_name(number) for number in unknown))
            yield f"{frames:,} frames of a link layer that is not decoded ({names})"
        left = self.flows.left
        if left:
            what = ", ".join(f"{count:,} {word.replace('_', ' ') or 'UDP'}" for word, count in left.most_common())
            yield f"{left.total():,} flows left to make room for others (--max-flows), and are counted but not listed: {what}"

    def _damage_warnings(self) -> Iterator[str]:
        """The first damages of each file, and how many more there are."""
        for file in self.files:
            mine = [damage for damage in self.damages if damage.path == file.path]
            for damage in mine[:SHOWN_DAMAGES]:
                yield str(damage)
            more = file.damaged - SHOWN_DAMAGES
            if more > 0:
                places = "place" if more == 1 else "places"
                yield f"{file.path}: {more:,} more damaged {places}; at least {file.lost:,} bytes lost in all"


def _file_dict(file: FileInfo) -> dict[str, Any]:
    return {
        "path": file.path,
        "format": file.format,
        "compression": file.compression,
        "application": file.application,
        "size": file.size,
        "read": file.read,
        "frames": file.frames,
        "notes": list(file.notes),
    }


def _interface_dict(index: int, interface: Interface, frames: int) -> dict[str, Any]:
    return {
        "interface": index,
        "file": interface.file,
        "name": interface.name,
        "description": interface.description,
        "link_type": interface.link_type,
        "link_type_name": link_name(interface.link_type),
        "snaplen": interface.snaplen,
        "fcs_len": interface.fcs_len,
        "filter": interface.filter,
        "os": interface.os,
        "ticks_per_second": interface.ticks_per_second,
        "offset_s": interface.offset_s,
        "frames": frames,
        "drops": interface.drops,
        "statistics": dict(interface.statistics),
    }
