"""Where two programs differ on a frame, and why."""

from __future__ import annotations

from analyzer.fields import of_fields

TCPCAP = "tcpcap"


@of_fields(frozen=True, slots=True)
class Difference:
    """One value of one frame.

    `what` is the column, `program` the other program. `right` names who is right where that can be proved, else it is
    empty; `reason` says why the two differ, or what proves it; empty where there is neither. `known` says that it is known
    why they differ though neither is wrong.
    """

    frame: int
    what: str
    ours: str
    theirs: str
    program: str
    right: str = ""
    reason: str = ""
    known: bool = False

    @property
    def explained(self) -> bool:
        """Is it proved that tcpcap is right, or known why they differ and nothing proved? What is proved against tcpcap is never explained."""
        return self.right == TCPCAP or (self.known and not self.right)
