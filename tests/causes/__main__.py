"""The command line: recordings with a known cause are made, and the account of their time compared with the truth.

python -m tests.causes [--seeds N] [--only CASE ...] [--keep DIR]
python -m tests.causes --from DIR
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from samples.lab import tools

from .cases import CASES
from .compare import compare, table
from .kernel_times import kernel_table, kernel_times
from .record import TRUTH, record_all


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 all within bounds, 1 some not, 2 not possible here."""
    parser = argparse.ArgumentParser(prog="python -m tests.causes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="recordings of each case (default: 3)")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the recordings in DIR")
    parser.add_argument("--from", type=Path, metavar="DIR", dest="source", help="compare the recordings in DIR again")
    given = parser.parse_args(arguments)
    if given.source:
        return _judge(given.source)
    if lack := tools.missing():
        print(f"tests.causes: recording {lack}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="tcpcap-causes-") as temporary:
        into = given.keep or Path(temporary)
        for folder in record_all([(case, seed) for case in given.only for seed in range(1, given.seeds + 1)], into):
            print(folder.name, file=sys.stderr, flush=True)
        return _judge(into)


def _judge(folder: Path) -> int:
    folders = sorted(each.parent for each in folder.glob(f"*/{TRUTH}"))
    results = [result for each in folders for result in compare(each)]
    kernel = [time for each in folders for time in kernel_times(each)]
    print(table(results))
    print(kernel_table(kernel))
    return int(any(not each.agrees for each in [*results, *kernel]))


if __name__ == "__main__":
    sys.exit(main())
