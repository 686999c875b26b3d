"""What tasks have written, in a folder that outlives the process: who begins again finds what was done, if it is whole and of the same work.

The name of an entry says what it hangs on: the task, all that it reads, the capture, the versions. So an entry of anything
else is not looked at, and never removed; one of this work that is not what was written is done anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analyzer.cluster import arrays
from analyzer.cluster.executor import Executor, Result, Task
from analyzer.cluster.same import about
from analyzer.errors import UsageError
from analyzer.output import removed

FORMAT = 1  # of what tasks write
HEAD = 1 << 16  # bytes of the capture that are compared, at either end


class Kept:
    """The entries of the work on one capture, below `folder`, which is made where it is not there.

    Raises UsageError where that is no folder that can be written to.
    """

    def __init__(self, folder: Path, capture: str) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                "--resume", f"{folder}: {error.strerror}", "name a folder, or one that can be made"
            ) from None
        self._work = {"format": FORMAT, **about(), "capture": _sign_of(Path(capture))}
        self._mine: list[Path] = []
        self.found = 0  # tasks that were done before

    def placed(self, name: str, task: Mapping[str, Any], label: str) -> dict[str, Any]:
        """The task, with the folder that it writes."""
        read = [Path(each).name for each in task.get("folders", ())]
        text = json.dumps([self._work, name, {**task, "folders": read}], sort_keys=True)
        folder = self.folder / f"{label}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"
        self._mine.append(folder)
        return {**task, "folder": str(folder), "sealed": True}

    def run(self, executor: Executor, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """As the executor does, but for what is there."""
        left = []
        for position, task in enumerate(tasks):
            folder = Path(task["folder"])
            facts = arrays.whole(folder)
            if facts is None:
                removed(folder)
                left.append(position)
            else:
                self.found += 1
                yield position, facts
        for place, facts in executor.run(name, [tasks[position] for position in left]) if left else ():
            yield left[place], facts

    def drop(self) -> None:
        """The work is done: remove what it wrote."""
        for folder in self._mine:
            removed(folder)


def _sign_of(capture: Path) -> list[Any]:
    """What changes with the file."""
    seen = capture.stat()
    with capture.open("rb") as file:
        ends = hashlib.sha256(file.read(HEAD))
        file.seek(max(seen.st_size - HEAD, 0))
        ends.update(file.read(HEAD))
    return [seen.st_size, seen.st_mtime_ns, ends.hexdigest()]
