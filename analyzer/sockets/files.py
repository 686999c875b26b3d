"""Files of socket lists -> batches of rows, one after another, in memory that does not grow with the files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from analyzer.counters.stamps import MTIME_NS, Stamp, stamp_in_name
from analyzer.sockets.batch import Batch, batch_of
from analyzer.sockets.reader import Reader
from analyzer.sockets.sockets import Listed, SocketsError
from analyzer.sockets.source import Source
from analyzer.sockets.totals import Summary

BATCH_ROWS = 1 << 12
FORMS = "ss (such as `ss -tanimoeOH`), netstat -antp, /proc/net/tcp or tcp6, ss -s, or a sockets.jsonl"


class SocketFile:
    """The sockets of one file. Iterate over it once; then `summaries` (of `ss -s`), `others` and `notes` are complete.

    Parameters
    ----------
    path : text of ss, netstat, /proc/net/tcp, a log of them with times, or a sockets.jsonl; compressed or not
    first_snapshot : the number of its first list

    Raises SocketsError where there is no list of sockets, or it is of another system than Linux.
    """

    def __init__(self, path: str | Path, *, first_snapshot: int = 0, batch_rows: int = BATCH_ROWS) -> None:
        self.path = str(path)
        self.notes: list[str] = []
        self.snapshots = 0
        self._first, self._batch_rows = first_snapshot, batch_rows
        self._source, self._reader = Source(self.path), Reader(self.path)
        self._lists = self._listed = self._timeless = 0

    @property
    def summaries(self) -> list[Summary]:
        """What `ss -s` printed, each time."""
        return self._reader.totals.summaries

    @property
    def others(self) -> dict[str, int]:
        """How many sockets of other families were listed, by their names in ss."""
        return self._reader.others

    def __iter__(self) -> Iterator[Batch]:
        listed = self._sockets()
        while rows := list(islice(listed, self._batch_rows)):
            self._listed += len(rows)
            self.snapshots = max(self._lists, rows[-1].snapshot + 1)
            self._timeless += sum(1 for row in rows if not row.time_ns)
            yield batch_of(rows, self._first, self._file_stamp().time_ns)
        self._close()

    def _sockets(self) -> Iterator[Listed]:
        reader = self._reader
        for piece in self._source:
            if piece.begins:
                yield from reader.finish()
                reader.begin(piece.time_ns)
                self._lists += 1
            yield from reader.take(piece.lines)
        yield from reader.finish()

    def _file_stamp(self) -> Stamp:
        note = "lists without a time of their own: the time is that of the file"
        return stamp_in_name(Path(self.path).name) or Stamp(self._source.modified_ns, MTIME_NS, "mtime", note)

    def _close(self) -> None:
        reader = self._reader
        if not (self._listed or self._lists or self.summaries or self.others or reader.headed):
            found = "no list of sockets" if reader.number else "an empty file"
            raise SocketsError(self.path, "; ".join([found, *self._source.damages[:1]]), f"it can be {FORMS}")
        self.snapshots = max(self._lists, self.snapshots)
        self.notes += self._source.damages[:3]
        if len(self._source.damages) > 3:
            self.notes.append(f"{len(self._source.damages) - 3} more lines that are damaged")
        if reader.unknown:
            # Lines are not shown: keys stand in some.
            self.notes.append(f"lines that are no sockets: {reader.unknown:,} (first: line {reader.first_unknown:,})")
        if reader.translated:
            self.notes.append(
                f"states that are not known: {reader.translated:,}; where netstat was translated, take it with LC_ALL=C"
            )
        if reader.late:
            self.notes.append("the first list has no time before it; each time is taken for what follows it")
        if reader.totals.left_out:
            self.notes.append(f"more than {len(self.summaries):,} summaries: {reader.totals.left_out:,} left out")
        if self._timeless and (note := self._file_stamp().note):
            self.notes.append(note)
        if reader.stamp is not None and reader.stamp.note:
            self.notes.append(reader.stamp.note)
