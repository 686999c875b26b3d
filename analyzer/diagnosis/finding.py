"""What a rule has found: one row of the table `findings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analyzer.diagnosis.rule import Rule
from analyzer.tables import SEVERITIES

FAILED_NS = 3_000_000_000  # a connection that failed weighs as much as one that lost this: the first two tries of a SYN
BYTE_NS = 8  # a byte sent for nothing as much as it takes at 1 Gbit/s


@dataclass(slots=True)
class Proof:
    """A counter that moved, as it stands in a finding."""

    counter: str
    observed: int
    predicted: int | None  # None where packets say nothing
    verdict: str

    @property
    def text(self) -> str:
        """Such as `TcpExtListenOverflows +6 (as the packets say)`; of a range that it lies in nothing is said."""
        told = ""
        if self.predicted is not None and self.predicted == self.observed:
            told = " (as the packets say)"
        elif self.verdict in ("under", "over"):
            told = f" (by the packets {self.predicted:,})"
        return self.moved + told

    @property
    def moved(self) -> str:
        """Its name, and by how much."""
        return f"{self.counter} +{self.observed:,}"


@dataclass(slots=True)
class Finding:
    """One finding. `number` is its place in the answer, `because_of` the finding that explains it (0 for none)."""

    rule: Rule
    severity: str
    summary: str
    side: str
    host: str
    flows: list[int]
    connections: int
    frames: list[int]
    start_ns: int
    end_ns: int
    cost_ns: int
    cost_bytes: int
    failed: int
    confidence: str
    evidence: dict[str, Any]
    proofs: list[str]
    counters: list[Proof]
    against: list[str]
    next: list[str]
    server: str
    number: int = 0
    because_of: int = 0
    explained: list[Finding] = field(default_factory=list)

    @property
    def weight(self) -> tuple[int, int]:
        """Severity, then what it cost."""
        cost = self.cost_ns + FAILED_NS * self.failed + BYTE_NS * self.cost_bytes
        return SEVERITIES.index(self.severity), cost

    def repeats(self, cause: Finding) -> bool:
        """Does it only say again what its cause says, of the same connections?"""
        if self.rule.id not in cause.rule.covers:
            return False
        return not self.flows or (
            not set(self.flows).isdisjoint(cause.flows) and self.connections <= max(1, cause.connections)
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "finding": self.number,
            "rule": self.rule.id,
            "severity": self.severity,
            "title": self.rule.title,
            "summary": self.summary,
            "side": self.side,
            "host": self.host,
            "connections": self.connections,
            "flows": self.flows,
            "frames": self.frames,
            "start_ns": self.start_ns,
            "end_ns": self.end_ns,
            "cost_ns": self.cost_ns,
            "cost_bytes": self.cost_bytes,
            "failed": self.failed,
            "confidence": self.confidence,
            "evidence": self.evidence
            | {"proof": self.proofs}
            | {"counters": {each.counter: [each.observed, each.predicted, each.verdict] for each in self.counters}},
            "against": self.against,
            "next": self.next,
            "references": list(self.rule.references),
            "because_of": self.because_of,
        }


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A rule that could not run, and why: it needs all of the tables, or any of them would do."""

    rule: str
    needs: Sequence[str]
    text: str
    any_of: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """What the rules say. `findings` stand in the order in which they are told, `ran` are the rules that were asked, `left_out` how many findings of a rule were too many."""

    findings: Sequence[Finding]
    not_checked: Sequence[NotChecked]
    ran: Sequence[str]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def worst(self) -> str:
        """The worst severity, empty without a finding."""
        return max((finding.severity for finding in self.findings), key=SEVERITIES.index, default="")

    def at_least(self, severity: str) -> list[Finding]:
        """The findings of this severity or worse."""
        least = SEVERITIES.index(severity)
        return [finding for finding in self.findings if SEVERITIES.index(finding.severity) >= least]
