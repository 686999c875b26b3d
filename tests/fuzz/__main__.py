"""A campaign of hostile inputs.

    python -m tests.fuzz --cases 1000000 --seed 7 --jobs 2   each failure is told with the command that repeats it
    python -m tests.fuzz --cases 1 --seed 7 --first 4711     one case of it

With --jobs the cases run in so many processes, and one in ten in one more, in which every index in compiled code is checked
(`python -m analyzer.accelerate --checked` makes that library); a case that kills its process, takes a minute or 3 GB is told like any other. Ctrl-C ends a campaign: what became of
its cases so far is told all the same.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Iterator

from tests.fuzz.campaign import BLOCK, Outcome, campaign, prepared, run, run_case

TOLD_EVERY = 100 * BLOCK


def here(seed: int, cases: range) -> Iterator[Outcome]:
    """The cases in this process; a single one shows where it failed."""
    with prepared() as folder:
        if len(cases) == 1:
            yield Outcome(ends=Counter([run(seed, cases.start, folder)]))
            return
        for number in cases:
            yield run_case(seed, number, folder)


def main(arguments: list[str] | None = None) -> int:
    """Run a campaign and print what became of its cases; the status is 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--jobs", type=int, default=0, help="processes, beside the one that checks")
    asked = parser.parse_args(arguments)
    cases, whole = range(asked.first, asked.first + asked.cases), Outcome()
    outcomes = campaign(asked.seed, cases, asked.jobs) if asked.jobs else here(asked.seed, cases)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where whoever started it has switched them off
        signal.signal(number, signal.default_int_handler)
    is_whole = True
    try:
        for outcome in outcomes:
            before = whole.cases
            whole.add(outcome)
            _tell(outcome, asked.seed)
            if whole.cases // TOLD_EVERY > before // TOLD_EVERY:
                print(f"... {whole.cases:,} cases, {len(whole.failures):,} failed", flush=True)
    except KeyboardInterrupt:
        is_whole = False
        print("ended before its time")
    _report(whole)
    assert whole.cases == len(cases) or not is_whole, f"of {len(cases):,} cases {whole.cases:,} were told"
    return 1 if whole.failures else 0


def _tell(outcome: Outcome, seed: int) -> None:
    """What failed, each with the command that repeats it."""
    for number, words in outcome.failures:
        print(f"{words}\n    python -m tests.fuzz --cases 1 --seed {seed} --first {number}", flush=True)


def _report(whole: Outcome) -> None:
    """Each path with its cases, what they cost and how they ended."""
    for path, spent in sorted(whole.spent.items()):
        ends = {end: count for (name, end), count in sorted(whole.ends.items()) if name == path}
        count = sum(ends.values())
        told = ", ".join(f"{end} {number:,}" for end, number in ends.items())
        print(f"{path:<10} {count:>10,} {spent / 1e6 / max(count, 1):>8.2f} ms  {told}")
    seconds = sum(whole.spent.values()) / 1e9
    print(f"{whole.cases:,} cases, {whole.checked:,} of them with every index checked, {len(whole.failures):,} failed, {seconds:,.0f} s of processor time")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
