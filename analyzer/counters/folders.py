"""Folders that hold counters among much else: a sosreport, what supportconfig wrote."""

from __future__ import annotations

from pathlib import Path

# In the order in which they are taken.
_PARTS = (
    ("proc/net/snmp", "proc/net/netstat", "proc/net/snmp6", "sos_commands/networking/netstat_-s"),  # sosreport
    ("network.txt",),  # supportconfig
)


def files_of(path: str | Path) -> list[str]:
    """The files of counters in a folder; a file itself, and a folder of another kind, as they are."""
    folder = Path(path)
    if not folder.is_dir():
        return [str(path)]
    for root in (folder, *sorted(each for each in folder.glob("*") if each.is_dir())):
        for names in _PARTS:
            found = [str(root / name) for name in names if (root / name).is_file()]
            if found:
                return found
    return [str(path)]
