"""Counts per direction -> a verdict on each, with its evidence in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzer.checksums.capture_host import LIKELY, NEARLY_ALL, CaptureHost, Endpoint, endpoints, share
from analyzer.checksums.checker import Checker
from analyzer.checksums.middlebox import address_sum, rewritten
from analyzer.checksums.state import (
    BAD,
    HEADER_BAD,
    HEADER_ZERO,
    NONE,
    PARTIAL,
    UNVERIFIABLE,
    VALID,
    ZERO,
)
from analyzer.schema import Rows, address_text

ENOUGH = 3  # wrong frames, before a pattern is one
MOST = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checksums of a direction mean: a word of CHECKSUM_VERDICTS, and why, a sentence each."""

    word: str
    evidence: tuple[str, ...]


class Judge:
    """Looks at all directions of a capture together: a host offloads for all its peers or for none."""

    def __init__(self, directions: Rows, hosts: Sequence[CaptureHost] = ()) -> None:
        self._directions = directions
        self._ends = endpoints(directions)
        self._local = {host.address for host in hosts if host.confidence >= LIKELY}
        self._sums: dict[int, dict[str, int]] = {4: {}, 6: {}}
        for row in directions:
            version = int(row["version"])
            for side in ("src", "dst"):
                high, low = int(row[f"{side}_hi"]), int(row[f"{side}_lo"])
                self._sums[version][address_text(high, low, version)] = address_sum(high, low, version)

    def verdicts(self) -> list[Verdict]:
        """One for each direction, in their order."""
        return [self._verdict(row) for row in self._directions]

    def _verdict(self, row: Rows) -> Verdict:
        valid, partial, zero, bad = (int(row["states"][state]) for state in (VALID, PARTIAL, ZERO, BAD))
        headers = int(row["headers"][HEADER_BAD]) + int(row["headers"][HEADER_ZERO])
        total = valid + partial + zero + bad
        if headers and not partial + zero + bad:
            return self._header_verdict(row, headers)
        if not total:
            return _unverified(row)
        if valid == total:
            return Verdict("valid", (f"all {total:,} verified frames are right",))
        if bad == 0 and (zero == 0 or partial or zero >= NEARLY_ALL * total or self._is_from_here(row)):
            return self._unfinished(row, total)
        return self._wrong(row, total)

    def _sender(self, row: Rows) -> Endpoint:
        return self._ends[address_text(int(row["src_hi"]), int(row["src_lo"]), int(row["version"]))]

    def _receiver(self, row: Rows) -> Endpoint:
        return self._ends[address_text(int(row["dst_hi"]), int(row["dst_lo"]), int(row["version"]))]

    def _is_from_here(self, row: Rows) -> bool:
        return self._sender(row).address in self._local

    def _is_to_here(self, row: Rows) -> bool:
        return self._receiver(row).address in self._local

    def _unfinished(self, row: Rows, total: int) -> Verdict:
        """Partial or zero, and nothing worse."""
        valid, partial, zero = (int(row["states"][state]) for state in (VALID, PARTIAL, ZERO))
        what = f"{partial + zero:,} of {total:,} verified frames have "
        if partial:
            what += "the sum of the pseudo-header in the checksum field, for the card to finish"
        else:
            what += "0 in the checksum field"
        sender, receiver = self._sender(row), self._receiver(row)
        if valid and not int(row["bare_partial"]) and not self._is_from_here(row):
            least = int(row["partial_least"])
            return Verdict(
                "merged", (what, f"only packets with data, of {least:,} bytes and more: merged on arrival (GRO)")
            )
        back = _share_back(sender)
        if sender is receiver or back >= MOST or (self._is_to_here(row) and not self._is_from_here(row)):
            evidence = [what]
            if back >= MOST:
                evidence.append(
                    f"so have {back:.0%} of the frames that come back: nothing between the two finishes checksums"
                )
            else:
                evidence.append("and they came in like this: no card was between the sender and here")
            return Verdict("virtual", tuple(evidence))
        evidence = [what]
        finished = share(sender.received, "valid")
        if finished:
            evidence.append(f"{finished:.0%} of what {sender.address} received is right")
        if self._is_from_here(row):
            evidence.append(f"the capture was taken on {sender.address}")
        return Verdict("offload", tuple(evidence))

    def _wrong(self, row: Rows, total: int) -> Verdict:
        """Some or all are neither right nor unfinished."""
        wrong = int(row["states"][BAD]) + int(row["states"][ZERO])
        what = f"{wrong:,} of {total:,} verified frames are wrong"
        evidence = [what, *_fate(row)]
        followed = int(row["repaired"]) + int(row["acknowledged"])
        accepted = int(row["acknowledged"]) >= NEARLY_ALL * followed if followed else None
        if (
            wrong == int(row["bad_super"])
            and int(row["states"][VALID])
            and accepted is not False
            and not self._is_from_here(row)
        ):
            return Verdict(
                "merged",
                (
                    *evidence,
                    "only packets larger than every right one: merged on arrival (LRO), with the checksum of the first",
                ),
            )
        offset, frames = commonest_offset(row)
        constant = wrong >= ENOUGH and frames >= NEARLY_ALL * wrong and not accepted
        if constant and (
            wrong >= NEARLY_ALL * total or not _is_one_bit(offset)
        ):  # one bit: a memory cell that is stuck
            return Verdict("middlebox", (*evidence, *self._explained(row, offset, frames)))
        if accepted or (accepted is None and wrong >= NEARLY_ALL * total and self._is_from_here(row)):
            return Verdict("stale", (*evidence, *self._pattern(row)))
        if accepted is None and wrong >= NEARLY_ALL * total and self._is_offloader(row):
            return Verdict("stale", (*evidence, *self._pattern(row)))
        if wrong < MOST * total or int(row["repaired"]):
            return Verdict("corruption", (*evidence, *_bits(row)))
        return Verdict(
            "wrong",
            (*evidence, "no pattern, and no acknowledgment or retransmission tells what the receiver made of them"),
        )

    def _is_offloader(self, row: Rows) -> bool:
        """Is nearly all that the sender sends wrong, and what it receives right?"""
        sender = self._sender(row)
        return (
            share(sender.sent, "bad", "zero", "partial") >= NEARLY_ALL and share(sender.received, "valid") >= NEARLY_ALL
        )

    def _pattern(self, row: Rows) -> Iterator[str]:
        wrong = int(row["states"][BAD]) + int(row["states"][ZERO])
        if int(row["bad_same_field"]) >= NEARLY_ALL * (wrong - 1) and wrong > 1:
            yield f"the field holds the same value ({int(row['last_field']):#06x}) in nearly all of them: nobody computed it"
        elif self._is_offloader(row):
            sender = self._sender(row)
            yield f"nearly all that {sender.address} sends is wrong, and what it receives right: its card fills the field in"

    def _explained(self, row: Rows, offset: int, frames: int) -> Iterator[str]:
        yield f"the sum is off by the same amount ({offset:#06x}) in {frames:,} of them: a field was rewritten on the way"
        found = rewritten(row, offset, self._sums[int(row["version"])])
        likely = [str(each) for each in found if each.likely] or [str(each) for each in found]
        if likely:
            certainty = "probably " if len(likely) == 1 else "one of: "
            yield certainty + ", ".join(likely[:3])

    def _header_verdict(self, row: Rows, headers: int) -> Verdict:
        """Only the IPv4 headers are wrong."""
        total = int(row["headers"].sum())
        what = f"{headers:,} of {total:,} IPv4 header checksums are wrong"
        if headers >= NEARLY_ALL * total:
            word = "offload" if int(row["headers"][HEADER_ZERO]) == headers else "stale"
            return Verdict(word, (what, "all of them: the card of the sender fills them in"))
        return Verdict("corruption", (what, "the next router or the receiver drops such packets"))


def _share_back(sender: Endpoint) -> float:
    """Part of the frames that reached the sender without a finished checksum; merged ones (GRO) count only where there are no others."""
    bare = sender.got_partial + sender.got_valid
    return sender.got_partial / bare if bare else share(sender.received, "partial", "zero")


def offloaded(checker: Checker) -> npt.NDArray[np.bool_]:
    """Per direction: are its wrong checksums those of a host whose card fills them in?"""
    from analyzer.checksums.capture_host import capture_hosts
    from analyzer.tables import FLOWS

    directions = checker.directions
    hosts = capture_hosts(directions, np.zeros(0, FLOWS.dtype))
    words = [verdict.word for verdict in Judge(directions, hosts).verdicts()]
    return np.array([word in ("offload", "stale") for word in words], np.bool_)


def _unverified(row: Rows) -> Verdict:
    none, hidden = int(row["states"][NONE]), int(row["states"][UNVERIFIABLE])
    if hidden:
        return Verdict(
            "unverifiable", (f"{hidden:,} frames are cut or fragments: their bytes are not all in the capture",)
        )
    if none:
        return Verdict("none", (f"{none:,} UDP datagrams without a checksum",))
    return Verdict("", ())


def _fate(row: Rows) -> Iterator[str]:
    """What became of the wrong segments that were followed."""
    repaired, acknowledged, followed = int(row["repaired"]), int(row["acknowledged"]), int(row["followed"])
    if repaired:
        yield f"{repaired:,} of them were sent again: the receiver had dropped them"
    if acknowledged:
        yield f"{acknowledged:,} of them were acknowledged as they are: they were right when they arrived"
    if followed - repaired - acknowledged > 0 and followed:
        yield f"{followed - repaired - acknowledged:,} were never acknowledged"


def _bits(row: Rows) -> Iterator[str]:
    """Which bits a retransmission shows to be wrong."""
    if int(row["bits"]) and int(row["compared"]):
        bits, compared = int(row["bits"]), int(row["compared"])
        mean = bits / compared
        yield (
            f"against the retransmission {mean:.3g} bits of payload differ on average ({compared:,} compared); frame "
            f"{int(row['example']):,}: byte {int(row['example_at']):,} of the payload, bits {int(row['example_bits']):#04x} "
            f"(right in frame {int(row['example_again']):,})"
        )
    elif not int(row["other_offsets"]) and all(
        _is_one_bit(int(offset)) for offset, frames in zip(row["offsets"], row["offset_frames"], strict=True) if frames
    ):
        yield "the sums are off as a single flipped bit in each leaves them"
    elif int(row["compared"]):
        yield "their payload is the same as that of the retransmissions: the header was changed"


def commonest_offset(row: Rows) -> tuple[int, int]:
    """The commonest error of the sum, and how many frames have it."""
    best = int(np.argmax(row["offset_frames"]))
    return int(row["offsets"][best]), int(row["offset_frames"][best])


def _is_one_bit(offset: int) -> bool:
    """Could a single flipped bit have made this error?"""
    other = -offset % 0xFFFF
    return offset & (offset - 1) == 0 or other & (other - 1) == 0
