"""The command line: random recordings are made and compared with what the kernel counted.

python -m tests.kernel [--count N] [--seed S] [--rough] [--keep DIR] [--verbose]
python -m tests.kernel --from DIR [--verbose]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from samples.lab import tools

from . import claims
from .compare import compare, disagreements, table
from .ends import report
from .record import record

_AT_ONCE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 all exact, 1 disagreements, 2 not possible here."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernel", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=20, metavar="N", help="recordings to make (default: 20)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the plans (default: 1)")
    parser.add_argument("--rough", action="store_true", help="hosts do what is hard on them")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the recordings in DIR")
    parser.add_argument("--from", type=Path, metavar="DIR", dest="source", help="compare the recordings in DIR again")
    parser.add_argument("--record-only", action="store_true", help="record into --keep DIR and compare nothing")
    parser.add_argument("--verbose", action="store_true", help="name each recording that disagrees")
    given = parser.parse_args(arguments)
    if given.source:
        return _judge(given.source, given.verbose)
    if lack := tools.missing():
        print(f"tests.kernel: recording {lack}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="tcpcap-kernel-") as temporary:
        into = given.keep or Path(temporary)
        into.mkdir(parents=True, exist_ok=True)
        _record_all(given.count, given.seed, into, given.rough)
        return 0 if given.record_only else _judge(into, given.verbose)


def _record_all(count: int, seed: int, into: Path, rough: bool) -> None:
    # Each recording needs a main thread of its own, which moves between namespaces and holds signals back.
    with ProcessPoolExecutor(_AT_ONCE, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = [pool.submit(record, seed, number, into, rough) for number in range(count)]
        for number, future in enumerate(waiting):
            error = future.exception()
            print(f"{number}: {error!r}" if error else future.result().name, file=sys.stderr, flush=True)


def _judge(folder: Path, verbose: bool) -> int:
    results = compare(folder)
    print(table(results))
    print(report(folder, verbose))
    print(claims.report(folder, verbose))
    if verbose:
        print(disagreements(results))
    return int(any(not each.agrees for each in results))


if __name__ == "__main__":
    sys.exit(main())
