"""Once this is imported, `--jobs` reads captures of any size in parts; `python -m tests.in_parts ...` is the command so."""

from __future__ import annotations

from analyzer.beginning import begin

begin()  # before NumPy is imported, as the command does: a process of one thread forks others

from analyzer.cluster import asked, ranges, tables  # noqa: E402

asked.LEAST_IN_PARTS = 0
tables.LEAST_BYTES = dict.fromkeys(tables.LEAST_BYTES, 0)
ranges.LEAST_RANGE = 1 << 12

if __name__ == "__main__":
    from analyzer.__main__ import main

    main()
