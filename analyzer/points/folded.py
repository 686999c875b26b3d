"""What was found at each point, and what happened between the points -> one diagnosis: what the latter explains for certain is told as its consequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from analyzer.diagnosis.finding import Diagnosis, Finding
from analyzer.points.pending import COPY, MET
from analyzer.points.points import Points
from analyzer.points.sampling import RST
from analyzer.points.segment import DATAGRAM
from analyzer.tables import PASSAGES
from analyzer.text import plural

LOST, INJECTED, CORRUPTED = (PASSAGES.bit("fate", word) for word in ("lost", "injected", "corrupted"))
NEEDED, ACK_LOST = (PASSAGES.bit("retransmission", word) for word in ("needed", "ack_lost"))
CAME = PASSAGES.bit("way", "came")
MOST_NAMED = 4
# What a frame of a finding tells: `lost`, `corrupted` or `injected` between two points (from the one to the other), or `left` of a reset that was seen leaving.
Told = tuple[str, str, str]
Frames = dict[tuple[str, int], set[Told]]  # by the point and the frame


def together(points: Points, between: Diagnosis) -> Diagnosis:
    """The findings about the ways between the points, each followed by what it explains at the points, then the others of each point, numbered through."""
    causes = _copied("", between)
    own = [each for name, analysis in points.at.items() for each in _copied(name, analysis.diagnosis)]
    seen = _seen(points, own)
    left = []
    for finding in own:
        told = [seen[finding.point or "", frame] for frame in finding.frames if (finding.point or "", frame) in seen]
        finding.proofs = [*finding.proofs, *_proofs(told)]
        cause = next((each for each in causes if _explains(each, finding, told)), None)
        if cause is None:
            left.append(finding)
        else:
            cause.explained += [finding, *finding.explained]
    causes += left
    ordered = [each for cause in causes for each in (cause, *cause.explained)]
    for number, each in enumerate(ordered, start=1):
        each.number = number
    for cause in causes:
        for each in cause.explained:
            each.because_of = cause.number
    every = [between, *(analysis.diagnosis for analysis in points.at.values())]
    return Diagnosis(
        ordered,
        [each for diagnosis in every for each in diagnosis.not_checked],
        [rule for diagnosis in every for rule in diagnosis.ran],
    )


def _copied(name: str, diagnosis: Diagnosis) -> list[Finding]:
    """Copies of the causes among findings, with copies of what they explain; `name` is that of their point."""
    owners: dict[int, Finding] = {}
    for each in diagnosis.findings:
        copy = replace(each, point=name, because_of=0, explained=[])
        if each.because_of:
            owners[each.because_of].explained.append(copy)
        else:
            owners[each.number] = copy
    return list(owners.values())


def _explains(cause: Finding, finding: Finding, told: Sequence[set[Told]]) -> bool:
    """Does the rule say so, and does what became of the frames that prove the finding: of those that tell anything, each tells of this cause?"""
    if finding.rule.id not in cause.rule.explains or (cause.severity == "info" and finding.severity != "info"):
        return False
    this = tuple(str(cause.evidence.get(name, "")) for name in ("fate", "from_point", "to_point"))
    speaking = [each for each in told if any(word != "left" for word, _, _ in each)]
    return bool(speaking) and all(this in each for each in speaking)


def _proofs(told: Iterable[set[Told]]) -> list[str]:
    """What the frames tell, in words."""
    counts = Counter(each for frame in told for each in frame)
    words = {
        "lost": "lost between {first} and {second}, as {count} at both points {show}",
        "corrupted": "damaged between {first} and {second}, as {count} at both points {show}",
        "injected": "made between {first} and {second}, as {count} at both points {show}",
        "left": "no box between {first} and {second} reset it, as {count} at both points {show}",
    }
    return [
        words[word].format(
            first=first, second=second, count=plural(count, "frame"), show="shows" if count == 1 else "show"
        )
        for (word, first, second), count in counts.most_common(MOST_NAMED)
    ]


def _seen(points: Points, findings: Sequence[Finding]) -> Frames:
    """What became of the frames that prove findings; of a plain arrival there is nothing to tell."""
    wanted = {(each.point or "", frame) for each in findings for frame in each.frames}
    found: Frames = {}
    for between in points.between:
        names, notable = [points.names[number] for number in between.points], between.notable
        for row, passage in zip(notable.rows, notable.passages, strict=True):
            here, there = names[int(row["side"])], names[1 - int(row["side"])]
            # What is told of a packet is told of its frames at both points.
            for key in ((here, int(row["frame"])), (there, int(passage["related_frame"]))):
                if key in wanted:
                    found.setdefault(key, set()).update(_told_of(row, passage, notable.damaged, key[0], here, there))
    return found


def _told_of(
    row: np.void, passage: np.void, damaged: Collection[int], at: str, here: str, there: str
) -> Iterator[Told]:
    """What a row of the point `here` tells of its frame `at` a point."""
    came = int(passage["way"]) == CAME
    sender, receiver = (there, here) if came else (here, there)
    packet, verdict, fate = int(passage["packet"]), int(passage["retransmission"]), int(passage["fate"])
    if fate == LOST and at == sender:
        yield "lost", sender, receiver
    if fate == CORRUPTED:
        yield "corrupted", sender, receiver
    if verdict == NEEDED:
        yield "corrupted" if packet in damaged else "lost", sender, receiver
    elif verdict == ACK_LOST:
        yield "lost", receiver, sender
    if came and fate == INJECTED:
        yield "injected", sender, receiver
    is_reset = (int(row["flags"]) & (RST | DATAGRAM)) == RST
    if came and is_reset and at == receiver and (int(row["status"]) & (MET | COPY)) == MET:
        yield "left", sender, receiver
