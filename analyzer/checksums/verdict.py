"""What a verdict on a direction is, those that need no look at its frames, and which of two is worse."""

from __future__ import annotations

from functools import lru_cache

from analyzer.checksums.state import NONE, UNVERIFIABLE
from analyzer.fields import of_fields
from analyzer.schema import Rows

HARMFUL = ("corruption", "middlebox", "tunnel", "wrong")
UNTROUBLED = ("", "valid", "unverifiable", "none")


@of_fields(frozen=True, slots=True)
class Verdict:
    """What the checksums of a direction mean: a word of CHECKSUM_VERDICTS, and why, a sentence each."""

    word: str
    evidence: tuple[str, ...]


@lru_cache(maxsize=1024)
def all_right(total: int) -> Verdict:
    """On a direction without a wrong frame."""
    return Verdict("valid", (f"all {total:,} verified frames are right",))


def worse(one: Verdict, other: Verdict) -> Verdict:
    """The verdict on the transport checksums or that on the IPv4 headers, with the evidence of both."""
    if one.word in UNTROUBLED:
        return other
    first, second = (other, one) if other.word in HARMFUL and one.word not in HARMFUL else (one, other)
    return Verdict(first.word, (*first.evidence, *second.evidence))


def unverified(row: Rows) -> Verdict:
    """On a direction of which no frame could be verified."""
    none, hidden = int(row["states"][NONE]), int(row["states"][UNVERIFIABLE])
    if hidden:
        return Verdict(
            "unverifiable", (f"{hidden:,} frames are cut or fragments: their bytes are not all in the capture",)
        )
    if none:
        return Verdict("none", (f"{none:,} UDP datagrams without a checksum",))
    return Verdict("", ())
