"""Who does the tasks: this process, others on this machine, or a cluster. They see only names, and values that JSON can say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from analyzer.cluster.tasks import run

Task = Mapping[str, Any]
Result = dict[str, Any]


class Executor(Protocol):
    """Does tasks, several at a time where it can. Who does one and dies costs that task only: it is done again."""

    @property
    def width(self) -> int:
        """How many it does at a time."""
        ...

    def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """Do `tasks` (see `tasks.run`), and give the position of each and its result as they are done.

        Raises what a task raises, and TcpcapError where one could not be done.
        """
        ...


class Here:
    """Does one task after the other, in this process."""

    width = 1

    def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        for position, task in enumerate(tasks):
            yield position, run(name, dict(task))
