"""`python -m tests.bench`: make the captures, run the tools in turns, print one table and a line per bar.

With `--only`, tools are run only if a capture or a tool is named, and bars are measured only if they are named.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from .bars import BARS as OF_CAPTURES
from .bars import stage_times
from .make import Capture, add_arguments, capture_apart
from .run import TOOLS, Measured, alternate, once, own_peak_mb, pin
from .snapshots import snapshots_bar
from .table import data, rows, status, table, verdicts

BARS = OF_CAPTURES | {"snapshots": snapshots_bar}
CAPTURES = ("mtu", "small")
PACKAGES = ("numpy", "numba", "pandas", "duckdb")


def main() -> int:
    """Measure, print, and exit with status 1 if a bar was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--runs", type=int, default=3, help="of each tool on each capture (default: %(default)s)")
    names = [*CAPTURES, *(tool.name for tool in TOOLS), *BARS]
    parser.add_argument("--only", nargs="+", choices=names, default=[], metavar="NAME", help=", ".join(names))
    parser.add_argument("--profile", action="store_true", help="also time reading alone beside reading and decoding")
    parser.add_argument("--timeout", type=float, default=120, help="seconds a run may take (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    options = parser.parse_args()
    folder = options.dir.resolve()
    made: dict[str, Capture] = {}

    def get(name: str) -> Capture:
        if name not in made:
            made[name] = capture_apart(name, options.size, folder, options.full, options.seed)
            log(f"{name}: {made[name].path}, {made[name].frames:,} frames, made in {made[name].made_s} s")
            if hasattr(os, "sync"):
                os.sync()  # or the kernel writes it out while something else is being measured
        return made[name]

    core = pin()
    get("ten")
    once(TOOLS[0].on(made["ten"].path), 300)  # in a checkout whose kernels changed, this compiles them
    measured = measure_tools(options, get)
    bars = [
        bar for name in chosen(options.only, list(BARS), default=True) for bar in BARS[name](get, options.runs, log)
    ]
    if measured:
        print(table(rows(measured), own_peak_mb()), end="\n\n")
    profile = stages(get, options.runs) if options.profile else {}
    if bars:
        print(verdicts(bars))
    if options.json:
        captures = {name: {"frames": c.frames, "bytes": c.size, "made_s": c.made_s} for name, c in made.items()}
        found = {"machine": machine(core), "captures": captures, **data(measured, bars), "stages_ns": profile}
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return status(bars)


def measure_tools(options: argparse.Namespace, get: Callable[[str], Capture]) -> list[Measured]:
    """The chosen tools on the chosen captures, and on `ten` for their start-up."""
    names = [tool.name for tool in TOOLS]
    if options.only and not set(options.only) & {*CAPTURES, *names}:
        return []
    wanted = chosen(options.only, names)
    tools = [tool for tool in TOOLS if tool.name in wanted]
    captures = [*chosen(options.only, list(CAPTURES)), "ten"]
    return [row for name in captures for row in alternate(get(name), tools, options.runs, options.timeout, log)]


def chosen(only: list[str], names: list[str], default: bool = False) -> list[str]:
    """Those of `names` that `--only` names; all of them if it names none, or (`default`) only if it was not given."""
    if default and only:
        return [name for name in names if name in only]
    return [name for name in names if name in only] or names


def stages(get: Callable[[str], Capture], runs: int) -> dict[str, list[float]]:
    """Where the time of reading and decoding goes, printed as one line per stage."""
    times, failed = stage_times(get("mtu"), get("ten"), runs, scan=True)
    if failed:
        print(f"stages: {failed}")
    for name, words in (("scan", "finding the records"), ("decode", "the same and decoding")):
        if name in times:
            print(f"mtu, {words}: best {min(times[name]):.1f}, median {statistics.median(times[name]):.1f} ns/frame")
    return times


def machine(core: int | None) -> dict[str, Any]:
    """What the figures hold for."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "pinned_to": core,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "tools": {
            tool.name: tool_version(tool.command[0]) for tool in TOOLS if tool.installed and "tcpcap" not in tool.name
        },
    }


def tool_version(program: str) -> str:
    """The first line a program says about its version."""
    flag = "-v" if program == "tcptrace" else "--version"
    done = subprocess.run([program, flag], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return next(
        (line.strip() for line in (done.stdout + done.stderr).splitlines() if "ersion" in line or "(" in line), ""
    )


def log(text: str) -> None:
    """Say what is going on to whoever watches."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
