"""/proc/net/snmp and netstat: a line of names, and below it the line of their values."""

from __future__ import annotations

from analyzer.counters.names import GROUPS
from analyzer.counters.scrapes import Where
from analyzer.counters.values import whole
from analyzer.patterns import regex

_ROW = regex(r"([A-Za-z]\w*):(?:\s+(\S.*))?")
_NAMES = regex(r"[A-Za-z_]\w*(?:\s+[A-Za-z_]\w*)*")
_VALUES = regex(r"-?\d+(?:\s+-?\d+)*")
_PATH = regex(r"/?proc/[\w/]+:")


class Pairs:
    """Waits for the values of the names it was given last."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._names: tuple[str, list[str]] | None = None

    def take(self, line: str) -> bool:
        """A line of names, or the line of values that follows it; False for another line."""
        text = _PATH.sub("", line, count=1).strip()
        found = _ROW.fullmatch(text)
        if not found or (line[0].isspace() and found[1] not in GROUPS):
            return False
        group, rest = found[1], found[2] or ""
        if self._names and self._names[0] == group and (not rest or _VALUES.match(rest)):
            names, self._names = self._names[1], None
            self._put(group, names, rest.split())
            return True
        if not _NAMES.fullmatch(rest):
            return False
        self.drop()
        self._names = (group, rest.split())
        return True

    def drop(self) -> None:
        """No values will come."""
        if self._names:
            self._where.skip("lines of names without their values", self._names[0])
        self._names = None

    def _put(self, group: str, names: list[str], values: list[str]) -> None:
        where, count = self._where, len(names)
        if len(values) != count:
            # Where a line was cut, its last word may be cut as well.
            count = min(count, len(values)) - 1
            where.skip("lines with more names than values or the reverse", f"line {where.number}, {group}")
        if count <= 0:
            return
        draft = where.under("raw", group + names[0])
        for name, value in zip(names[:count], values[:count], strict=True):
            if _VALUES.fullmatch(value):
                draft.put(group + name, whole(value))
            else:
                where.skip("values that are no numbers", f"line {where.number}, {group + name}")
