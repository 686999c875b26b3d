"""The rows of one table of a capture while it is read: by one process, or by several where that is asked for and pays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analyzer.capture import Damage
from analyzer.choose import EVERYTHING, Choice
from analyzer.passes import EVERY_NS, Progress, table_rows
from analyzer.schema import Rows


def streamed_rows(
    paths: list[str],
    table: str,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    damages: list[Damage] | None = None,
    reasons: list[str] | None = None,
    every_ns: int = EVERY_NS,
    choice: Choice = EVERYTHING,
) -> Iterator[Rows]:
    """The rows of a table, piece by piece, as `table_rows` gives them; `jobs` processes read the capture, where that pays.

    They hold until the next are asked for. `reasons` gets why one process does it, where several were asked to.
    """
    one = choice.flows[0] if len(choice.flows) == 1 else None
    if jobs is not None and not choice:
        from analyzer.cluster.tables import table_in_parts

        told: dict[str, Any] = {"progress": progress, "damages": damages, "reasons": reasons}
        with table_in_parts(paths, table, jobs, every_ns=every_ns, **told) as found:
            if found is not None:
                yield from found.rows()
        if found is not None:
            return
    yield from table_rows(paths, table, progress=progress, damages=damages, every_ns=every_ns, flow=one, choice=choice)
