"""The command line: the name of a scenario goes in, a sample folder comes out.

python -m samples.lab list
python -m samples.lab run NAME... [--out DIR] [--seed N]
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from . import tools
from .errors import LabError
from .facts import expected, to_toml
from .lab import Lab
from .readme import readme
from .scenario import all_scenarios, description, find

SAMPLES = Path(__file__).resolve().parent.parent


def record(name: str, out: Path, seed: int) -> Path:
    """Record one sample anew into `out/name`; what was there stays as it is when the recording fails."""
    function = find(name)
    with tempfile.TemporaryDirectory(prefix="tcpcap-lab-") as temporary, Lab(Path(temporary, name), seed) as lab:
        function(lab)
        if lab.facts is None:
            raise LabError(f"the scenario {name} recorded nothing")
        tables = expected(name, seed, lab.facts, lab.folder)
        (lab.folder / "expected.toml").write_text(to_toml(tables), encoding="utf-8")
        text = readme(name, *description(function), tables, lab.facts)
        (lab.folder / "README.md").write_text(text, encoding="utf-8")
        shutil.copytree(lab.folder, out / name, dirs_exist_ok=True)
    return out / name


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 done, 2 not possible here or wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m samples.lab", description="Record samples of real traffic.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the scenarios and what each shows")
    run = commands.add_parser("run", help="record samples anew")
    run.add_argument("name", nargs="+", help="scenario, as shown by list")
    run.add_argument("--out", type=Path, default=SAMPLES, metavar="DIR", help="write to DIR/NAME (default: samples)")
    run.add_argument("--seed", type=int, default=1, metavar="N", help="for what is left to chance (default: 1)")
    given = parser.parse_args(arguments)
    try:
        if given.command == "list":
            for name, function in all_scenarios().items():
                print(f"{name:20} {description(function)[0]}")
            return 0
        return _run(given.name, given.out, given.seed)
    except LabError as error:
        print(f"samples.lab: {error}", file=sys.stderr)
        return 2


def _run(names: list[str], out: Path, seed: int) -> int:
    for name in names:
        find(name)
    if lack := tools.missing():
        raise LabError(f"recording {lack}")
    # A request to end unwinds like Ctrl-C, so that captures are stopped and namespaces closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in names:
        print(record(name, out, seed))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
