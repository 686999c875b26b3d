"""The shell script that records on hosts without Python: its text, with what was planned in it."""

from __future__ import annotations

import shlex
from pathlib import Path

from analyzer.errors import UsageError
from analyzer.record.plan import SNAPLEN, Plan

FILE = Path(__file__).with_name("record.sh")
PLACE = "# -- settings --\n"


def script_of(plan: Plan) -> str:
    """The script that records as planned. Raises UsageError for what it cannot do."""
    unknown = {
        "--ring": plan.ring_ns,
        "--rotate": plan.rotate,
        "--until": plan.limit,
        "--netns": plan.netns,
        "--pid": plan.pid,
        "--name": plan.name,
        "--with": plan.program,
        "--pack": plan.packed,
    }
    if given := [option for option, value in unknown.items() if value]:
        todo = "leave it out; in another namespace run the script with `ip netns exec` or `nsenter -n`"
        raise UsageError("--script", f"the script does not know {' and '.join(given)}", todo)
    settings = {
        "interface": plan.interface,
        "folder": str(plan.folder),
        "duration": str(-(-plan.duration_ns // 1_000_000_000)),
        "every": f"{plan.every_ns / 1e9:.9f}".rstrip("0").rstrip("."),
        "filter": plan.filter,
        "snaplen": str(plan.snaplen or SNAPLEN),
        "buffer": str(plan.buffer >> 10),
    }
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    return FILE.read_text(encoding="utf-8").replace(PLACE, text, 1)
