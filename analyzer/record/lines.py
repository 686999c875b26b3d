"""Files of JSON lines that grow while something is recorded: each line is there whole or not at all, and old ones may leave."""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from pathlib import Path
from typing import Any

from analyzer.output import appearing, growing

SLACK = 4  # a file is made anew where a part in so many of what a ring keeps is too old


class Lines:
    """A file of snapshots, one a line with its time. With `ring_ns` those that are older leave. FileExistsError where there is one."""

    def __init__(self, path: Path, ring_ns: int = 0) -> None:
        self.count = 0
        self._path, self._ring_ns = path, ring_ns
        self._file = growing(path, new=True)
        self._end = 0
        self._places: deque[tuple[int, int]] = deque()  # when each line was written, and where it begins

    def add(self, time_ns: int, now_ns: int, **values: Any) -> None:
        """Append a line. `time_ns` is since the epoch; `now_ns` is of a clock that nobody sets.

        Raises OSError (or TcpcapError) where there is no room; what was written of the line is taken back.
        """
        data = line(time_ns, **values).encode()
        written = 0
        try:
            while written < len(data):
                written += self._file.write(memoryview(data)[written:])
        except OSError:
            os.ftruncate(self._file.fileno(), self._end)
            raise
        if self._ring_ns:
            self._places.append((now_ns, self._end))
        self._end += len(data)
        self.count += 1
        if self._ring_ns and now_ns - self._places[0][0] > self._ring_ns + self._ring_ns // SLACK:
            self._shorten(now_ns - self._ring_ns)

    def _shorten(self, since_ns: int) -> None:
        """Let go of the lines that were written before; the file is replaced when the new one is complete."""
        while len(self._places) > 1 and self._places[1][0] <= since_ns:  # one before it: an interval has two ends
            self._places.popleft()
        start = self._places[0][1]
        with self._path.open("rb") as old, appearing(str(self._path), []) as new:  # which keeps its permissions
            old.seek(start)
            shutil.copyfileobj(old, new, 1 << 20)
        self._file.close()
        self._file = growing(self._path)
        self._places = deque((when, place - start) for when, place in self._places)
        self._end -= start
        self.count = len(self._places)

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()


def line(time_ns: int, **values: Any) -> str:
    """One line of a `.jsonl` file; the time keeps its nine places, of which a float would lose some."""
    body = json.dumps(values, separators=(",", ":"))
    return f'{{"time":{time_ns // 1_000_000_000}.{time_ns % 1_000_000_000:09d},{body[1:]}\n'
