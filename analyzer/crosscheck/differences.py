"""Where two programs differ on a frame, and why."""

from __future__ import annotations

from dataclasses import dataclass

TCPCAP = "tcpcap"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of one frame.

    `what` is the column, `program` the other program. `right` names who is right where that can be proved, else it is
    empty; `reason` says why the two differ, empty where that is not known.
    """

    frame: int
    what: str
    ours: str
    theirs: str
    program: str
    right: str = ""
    reason: str = ""

    @property
    def explained(self) -> bool:
        """Is it known why, or proved that tcpcap is right?"""
        return bool(self.reason) or self.right == TCPCAP
