"""What a rule has found: one row of the table `findings`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from analyzer.diagnosis.rule import Rule
from analyzer.fields import of_fields
from analyzer.tables import SEVERITIES

FAILED_NS = 3_000_000_000  # a connection that failed weighs as much as one that lost this: the first two tries of a SYN
SOON_NS = 1_000_000_000  # what a cause is known by, and its consequence, may be so far apart
BYTE_NS = 8  # a byte sent for nothing as much as it takes at 1 Gbit/s


@of_fields(slots=True)
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


@of_fields(frozen=True, slots=True)
class Span:
    """When something was found in a connection, and between which hosts. Unknown times are 0."""

    hosts: frozenset[str]
    start_ns: int
    end_ns: int

    @property
    def times(self) -> tuple[int, int]:
        """From when to when."""
        return self.start_ns, self.end_ns


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Do two times, each from and to, have a moment in common, or almost? One that is not known may be any."""
    if not one[0] or not other[0]:
        return True
    return one[0] <= other[1] + SOON_NS and other[0] <= one[1] + SOON_NS


def times_by_hosts(spans: Iterable[Span]) -> dict[frozenset[str], list[tuple[int, int]]]:
    """When there was something between which hosts: times that overlap are one."""
    found: dict[frozenset[str], list[tuple[int, int]]] = {}
    for span in sorted(spans, key=lambda span: span.times):
        times = found.setdefault(span.hosts, [])
        if times and overlap(times[-1], span.times):
            times[-1] = (times[-1][0], max(times[-1][1], span.end_ns))
        else:
            times.append(span.times)
    return found


@of_fields(slots=True)
class Finding:
    """One finding. `number` is its place in the answer, `because_of` the finding that explains it (0 for none).

    `spans` has all its connections by number, `flows` the numbers of those that are shown. `point`: of several capture points
    that which it was found at, empty where it is about the way between them; None where there is one capture.
    """

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
    spans: Mapping[int, Span]
    number: int = 0
    because_of: int = 0
    explained: list[Finding] = field(default_factory=list)
    point: str | None = None

    @property
    def weight(self) -> tuple[int, int]:
        """Severity, then what it cost."""
        cost = self.cost_ns + FAILED_NS * self.failed + BYTE_NS * self.cost_bytes
        return SEVERITIES.index(self.severity), cost

    def repeats(self, cause: Finding) -> bool:
        """Does it only say again what its cause says, of the same connections?"""
        if self.rule.id not in cause.rule.covers:
            return False
        return self.spans.keys() <= cause.spans.keys() and (
            not self.spans or self.connections <= max(1, cause.connections)
        )

    def follows_from(self, cause: Finding) -> bool:
        """Is it about nothing but connections of its cause, or such as their hosts had at that time?"""
        if self.spans and cause.spans:
            both = [(cause.spans[flow], span) for flow, span in self.spans.items() if flow in cause.spans]
            if any(0 < span.end_ns < of_cause.start_ns - SOON_NS for of_cause, span in both):
                return False  # it was over before its cause began
            others = [span for flow, span in self.spans.items() if flow not in cause.spans]
            known = times_by_hosts(cause.spans.values()) if others else {}
            return all(any(overlap(times, span.times) for times in known.get(span.hosts, ())) for span in others)
        same = not (cause.server and self.server) or cause.server == self.server
        return same and overlap((cause.start_ns, cause.end_ns), (self.start_ns, self.end_ns))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        at = {} if self.point is None else {"point": self.point}
        return at | {
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


@of_fields(frozen=True, slots=True)
class NotChecked:
    """A rule that could not run, and why: it needs all of the tables, or any of them would do."""

    rule: str
    needs: Sequence[str]
    text: str
    any_of: bool = False


@of_fields(frozen=True)
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
