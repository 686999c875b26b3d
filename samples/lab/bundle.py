"""The files of a bundle: counters, sockets and host facts go in, those of the snapshots that tell something come out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analyzer.record.lines import line


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the kernel of one host said at one moment."""

    time_ns: int
    counters: dict[str, int]
    sockets: str


@dataclass(slots=True)
class Bundle:
    """All that is known of one host beside its capture."""

    host: dict[str, Any]
    snapshots: list[Snapshot] = field(default_factory=list)

    def increments(self) -> dict[str, int]:
        """By how much each counter moved between the first and the last snapshot, without those that stood still."""
        first, last = self.snapshots[0].counters, self.snapshots[-1].counters
        moved = {name: value - first.get(name, 0) for name, value in last.items()}
        return {name: amount for name, amount in moved.items() if amount}


def telling(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Without those around which nothing happened: the counters are as in the snapshot before and the one after, or,
    where nothing follows any more, as in the last one."""
    end = next((index for index, each in enumerate(snapshots) if each.counters == snapshots[-1].counters), 0)
    inner = zip(snapshots, snapshots[1:end], snapshots[2:], strict=False)
    kept = [each for before, each, after in inner if not before.counters == each.counters == after.counters]
    return [snapshots[0], *kept, *snapshots[1:][-1:]]


def write(folder: Path, bundle: Bundle) -> None:
    """Write everything but the capture into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    snapshots = telling(bundle.snapshots)
    counters = (line(each.time_ns, counters=each.counters) for each in snapshots)
    (folder / "counters.jsonl").write_text("".join(counters), encoding="utf-8")
    sockets = (line(each.time_ns, ss=each.sockets) for each in snapshots)
    (folder / "sockets.jsonl").write_text("".join(sockets), encoding="utf-8")
    (folder / "host.json").write_text(json.dumps(bundle.host, indent=2) + "\n", encoding="utf-8")
